//! The result of a successful command.

use std::sync::Arc;

use tertulia_core::{command::HostedFile, conversation::Message, id::CommandKey, note::WrittenNote};

/// The result of a successful command.
#[derive(Clone, Debug)]
pub struct Done {
    /// The command's key.
    pub key: CommandKey,
    /// The sequence of the published event in its dialog, if the command published an event.
    pub sequence: Option<u64>,
    /// The requested history, in order.
    pub messages: Vec<Arc<Message>>,
    /// The note as written, possibly truncated ([CV-F9](crate::rules#cv-f9)).
    pub note: Option<WrittenNote>,
    /// The file as the conversation shows it, if this call uploaded the file.
    pub file: Option<Box<HostedFile>>,
}

impl Done {
    pub(super) fn of(key: &CommandKey) -> Self {
        Self { key: key.clone(), sequence: None, messages: Vec::new(), note: None, file: None }
    }
}
