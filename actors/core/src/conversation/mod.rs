//! A conversation: its state, and what a notification changes in it.
