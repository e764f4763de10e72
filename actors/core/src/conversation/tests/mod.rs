//! The rules of the conversation, one test each.
