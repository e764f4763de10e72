//! Drills: making a conversation fail on purpose, to test that nothing else fails.

use std::{fmt, sync::Arc};

use tertulia_core::id::ConversationId;

use crate::dead_letters::DeadLetterKind;

type Step = dyn Fn(&ConversationId, DeadLetterKind, &[u8]) + Send + Sync;

/// A function that is called before a conversation handles a notification, a history response or a command, on the
/// connection's arbiter. It may panic: the conversation then behaves as with a defect of its own. For tests only.
#[derive(Clone)]
pub struct Drill(Arc<Step>);

impl Drill {
    /// Returns a drill that calls `step` with the conversation's id, the kind of the input, and its bytes: the
    /// notification or response as sent, or the command as JSON.
    #[must_use]
    pub fn new(step: impl Fn(&ConversationId, DeadLetterKind, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(step))
    }

    pub(super) fn step(&self, conversation: &ConversationId, kind: DeadLetterKind, body: &[u8]) {
        (self.0)(conversation, kind, body);
    }
}

impl fmt::Debug for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drill")
    }
}
