//! What bulk work needs of a conversation. Read from the store, so that the conversation is not loaded.

use tertulia_core::{
    conversation::{Conversation as Model, Dialog, Participant},
    id::ConversationId,
    ums::{Dialect, Stage},
};

use super::{Outline, Snapshot};
use crate::engine::Record;

/// A summary of a conversation as it was after its last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationSummary {
    /// The conversation's id.
    pub id: ConversationId,
    /// The dialect of its connection.
    pub dialect: Dialect,
    /// The outline.
    pub outline: Outline,
    /// Whether the conversation is open and belongs to its connection.
    pub held: bool,
    /// The participants of the open dialog; empty after the conversation is closed.
    pub participants: Vec<Participant>,
}

impl ConversationSummary {
    /// Parses a record of the snapshots; `None` if it has another format.
    pub(crate) fn read(record: &Record) -> Option<Self> {
        let text = std::str::from_utf8(&record.value).ok()?;
        Snapshot::read(text).ok().map(|snapshot| Self::of(snapshot.conversation(), snapshot.held))
    }

    fn of(conversation: &Model, held: bool) -> Self {
        let open = conversation.open_dialog().filter(|_| conversation.is_open());
        Self {
            id: conversation.id().clone(),
            dialect: conversation.dialect(),
            outline: Outline::of(conversation),
            held,
            participants: open.map(Dialog::participants).unwrap_or_default().to_vec(),
        }
    }

    /// Returns whether the conversation is open; `true` before the first state.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.outline.stage(), Some(Stage::Close | Stage::Locked))
    }

    /// Returns whether the conversation belongs to its connection, by the store alone: every process gives the same
    /// answer. A closed conversation belongs to the connection that saw its end, as long as the store keeps it. An open
    /// conversation that has left, for example after a transfer, does not.
    #[must_use]
    pub fn belongs(&self) -> bool {
        self.held || !self.is_open()
    }
}
