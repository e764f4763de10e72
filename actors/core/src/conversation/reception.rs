//! The result of a state or a record.

use smallvec::SmallVec;
use thiserror::Error;

use super::{ConversationEvent, absence::UnsetMembers};
use crate::{
    id::{ConversationId, DialogId},
    time::Timestamp,
    ums::DroppedMembers,
};

/// The outcome of a state or record, and its consequences.
#[derive(Clone, Debug)]
pub struct Reception {
    /// The outcome.
    pub outcome: Outcome,
    /// The events, in the promised order.
    pub events: Vec<ConversationEvent>,
    /// The history to request from the platform. Each hole is listed once; see [`Conversation::holes`].
    ///
    /// [`Conversation::holes`]: super::Conversation::holes
    pub back_fill: SmallVec<[BackFill; 1]>,
    /// Whether the conversation has changed; an accepted record may still wait.
    pub is_changed: bool,
    /// The members of a state that could not be parsed and were ignored; `None` if all could, or the state is a
    /// repetition.
    pub dropped: Option<Box<DroppedMembers>>,
    /// The members that a state has unset because it lacks them ([CV-N7](crate::rules#cv-n7)).
    pub unset: UnsetMembers,
    /// The previous update time, if it cannot have been right because it lay more than a year after this state's.
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

/// The outcome of a state or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was accepted; a record may wait until it is next.
    Processed,
    /// It repeats what is known ([CV-N2](crate::rules#cv-n2), [MS-2](crate::rules#ms-2)).
    Ignored,
    /// The state is older than the known state ([CV-N4](crate::rules#cv-n4)).
    OutOfOrder,
    /// The record differs from the accepted record of the same sequence. Reported once and not accepted.
    Contradicting,
}

/// A missing range of a dialog's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackFill {
    /// The dialog.
    pub dialog_id: DialogId,
    /// Only later sequences; `None` from the beginning.
    pub newer_than: Option<u64>,
    /// Only earlier sequences; `None` to the end.
    pub older_than: Option<u64>,
}

/// A state that cannot be accepted. The conversation and its counters are unchanged ([CV-N3](crate::rules#cv-n3)).
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum StateError {
    /// The text is not a state.
    #[error("the state sent for conversation {conversation_id} is malformed: {source}")]
    Malformed {
        /// The receiving conversation.
        conversation_id: ConversationId,
        /// The error of the parser.
        source: serde_json::Error,
    },
    /// The state lacks `conversationDetails`.
    #[error("the state sent for conversation {conversation_id} has no details")]
    NoDetails {
        /// The receiving conversation.
        conversation_id: ConversationId,
    },
    /// The state belongs to another conversation.
    #[error("a state of conversation {found} was sent to conversation {conversation_id}")]
    Foreign {
        /// The receiving conversation.
        conversation_id: ConversationId,
        /// The conversation of the state.
        found: ConversationId,
    },
}
