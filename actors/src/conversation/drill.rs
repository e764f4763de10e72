//! Drills: making a conversation fail on purpose, to test that nothing else fails.

use std::{fmt, sync::Arc};

use tertulia_core::id::ConversationId;

use crate::dead_letters::DeadLetterKind;

/// The input that a conversation is about to handle.
#[derive(Clone, Copy, Debug)]
pub struct DrillStep<'a> {
    /// The conversation's id.
    pub conversation: &'a ConversationId,
    /// The kind of the bytes.
    pub kind: DeadLetterKind,
    /// The notification or response as sent, or the command as JSON.
    pub body: &'a [u8],
}

/// A function that is called before a conversation handles a notification, a history response or a command, on the
/// connection's arbiter. It may panic: the conversation then behaves as with a defect of its own. For tests only.
#[derive(Clone)]
pub struct Drill(Arc<dyn Fn(DrillStep<'_>) + Send + Sync>);

impl Drill {
    /// Returns a drill that calls `step`.
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
