//! # Architecture
#![doc = include_str!("architecture.md")]

#[cfg(doc)]
use crate::{Tertulia, conversation::ConversationHandle, engine::Journal, subscriber::EventStream};
