//! What bulk work needs of a conversation, read from the store: whoever sleeps there sleeps on.

use tertulia_core::{
    conversation::{Conversation as Model, Dialog, Participant},
    id::ConversationId,
    ums::{Dialect, Stage},
};

use super::{Outline, Snapshot};
use crate::engine::Record;

/// A conversation in brief, as it was after its last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationSummary {
    /// Which.
    pub id: ConversationId,
    /// As whose its connection sees it.
    pub dialect: Dialect,
    /// What lists tell of it.
    pub outline: Outline,
    /// Who takes part in its open dialog; nobody once it is closed.
    pub participants: Vec<Participant>,
}

impl ConversationSummary {
    /// Reads a record of the snapshots; `None` where it is of another shape.
    pub(crate) fn read(record: &Record) -> Option<Self> {
        let text = std::str::from_utf8(&record.value).ok()?;
        Snapshot::read(text).ok().map(|snapshot| Self::of(snapshot.conversation()))
    }

    fn of(conversation: &Model) -> Self {
        let open = conversation.open_dialog().filter(|_| conversation.is_open());
        Self {
            id: conversation.id().clone(),
            dialect: conversation.dialect(),
            outline: Outline::of(conversation),
            participants: open.map(Dialog::participants).unwrap_or_default().to_vec(),
        }
    }

    /// Whether it goes on; assumed until told.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.outline.stage(), Some(Stage::Close | Stage::Locked))
    }
}
