//! # The class page
#![doc = include_str!("class_page.md")]

#[cfg(doc)]
use crate::{
    ConnectionHandle, Tertulia,
    conversation::ConversationHandle,
    core::{
        command::{Command, SendRichText, SendText},
        conversation::{Conversation, ConversationEvent},
    },
};
