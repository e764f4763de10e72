//! Drills: making a conversation fail on purpose, to see that nothing else does.

use std::{fmt, sync::Arc};

use tertulia_core::id::ConversationId;

use crate::dead_letters::DeadLetterKind;

/// What a conversation is about to handle.
#[derive(Clone, Copy, Debug)]
pub struct DrillStep<'a> {
    /// Which conversation.
    pub conversation: &'a ConversationId,
    /// What the bytes are.
    pub kind: DeadLetterKind,
    /// The notification or answer as sent, or the command as JSON.
    pub body: &'a [u8],
}

/// A function that is called before a conversation handles a notification, an answer with history, or a command, on the
/// connection's arbiter. It may panic: the conversation then meets with what a defect of its own would do. It is for
/// tests; a system in earnest has none.
#[derive(Clone)]
pub struct Drill(Arc<dyn Fn(DrillStep<'_>) + Send + Sync>);

impl Drill {
    /// A drill that calls `step`.
    #[must_use]
    pub fn new(step: impl Fn(DrillStep<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(step))
    }

    pub(super) fn step(&self, step: DrillStep<'_>) {
        (self.0)(step);
    }
}

impl fmt::Debug for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drill")
    }
}
