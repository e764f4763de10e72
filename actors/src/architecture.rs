//! # Architecture
#![doc = include_str!("architecture.md")]

#[cfg(doc)]
use crate::{ConnectionHandle, Tertulia, conversation::ConversationHandle, engine::Journal, subscriber::EventStream};
