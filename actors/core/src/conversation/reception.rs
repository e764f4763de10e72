//! What a conversation answers to a state or a record.

use smallvec::SmallVec;
use thiserror::Error;

use super::{ConversationEvent, absence::UnsetMembers};
use crate::{
    id::{ConversationId, DialogId},
    time::Timestamp,
    ums::DroppedMembers,
};

/// What became of a state or record, and what follows from it.
#[derive(Clone, Debug)]
pub struct Reception {
    /// What became of it.
    pub outcome: Outcome,
    /// What happened, in the order promised.
    pub events: Vec<ConversationEvent>,
    /// The history to ask the platform for. Each hole is wanted once; see [`Conversation::holes`].
    ///
    /// [`Conversation::holes`]: super::Conversation::holes
    pub back_fill: SmallVec<[BackFill; 1]>,
    /// Whether what is held differs from before; a record that was taken may wait still.
    pub is_changed: bool,
    /// The members of a state that could not be read and were left out; `None` where all could.
    pub dropped: Option<Box<DroppedMembers>>,
    /// The members that a state has unset because it lacks them ([CV-N7](crate::rules#cv-n7)).
    pub unset: UnsetMembers,
    /// The update time that was held before and cannot have been right: it lay more than a year behind this state's.
    pub disbelieved: Option<Timestamp>,
}

impl Reception {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            events: Vec::new(),
            back_fill: SmallVec::new(),
            is_changed: outcome == Outcome::Processed,
            dropped: None,
            unset: UnsetMembers::new(),
            disbelieved: None,
        }
    }
}

/// What became of a state or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was taken; a record may be parked until its turn.
    Processed,
    /// It says what is known already ([CV-N2](crate::rules#cv-n2), [MS-2](crate::rules#ms-2)).
    Ignored,
    /// A state older than the one that is held ([CV-N4](crate::rules#cv-n4)).
    OutOfOrder,
    /// A record in the place of another one that was taken, with other content. It is told once and not taken.
    Contradicting,
}

/// A stretch of a dialog's history that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackFill {
    /// In which dialog.
    pub dialog_id: DialogId,
    /// Only sequences above; `None` from the beginning.
    pub newer_than: Option<u64>,
    /// Only sequences below; `None` to the end.
    pub older_than: Option<u64>,
}

/// A state that cannot be taken. The conversation is untouched and no counter has moved ([CV-N3](crate::rules#cv-n3)).
#[derive(Debug, Error)]
pub enum StateError {
    /// It is not a state.
    #[error("the state sent for conversation {conversation_id} is malformed: {source}")]
    Malformed {
        /// Whom it was meant for.
        conversation_id: ConversationId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It lacks `conversationDetails`.
    #[error("the state sent for conversation {conversation_id} has no details")]
    NoDetails {
        /// Whom it was meant for.
        conversation_id: ConversationId,
    },
    /// It is another conversation's.
    #[error("a state of conversation {found} was sent to conversation {conversation_id}")]
    Foreign {
        /// Whom it was given to.
        conversation_id: ConversationId,
        /// Whose it is.
        found: ConversationId,
    },
}
