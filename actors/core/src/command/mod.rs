//! What a caller may ask of a conversation, validated, and the requests it becomes.
