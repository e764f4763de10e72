//! A step: what becomes durable together.

use std::{fmt, sync::Arc};

use tertulia_core::placement::Acting;

use super::{Change, CommitError, Committed, NewEvent};

/// Called with the outcome of a step, on the writer's thread. It should do little more than send a message.
pub(crate) type AfterCommit = Box<dyn FnOnce(Result<Committed, CommitError>) + Send>;

/// An event for the log.
pub trait Loggable: Send + Sync {
    /// Serializes the event. Called on the writer's thread.
    fn stored(&self) -> NewEvent;

    /// Called when the event is durable and has its `offset` in the log `epoch`, on the writer's thread.
    fn committed(&self, epoch: &Arc<str>, offset: u64) {
        let _ = (epoch, offset);
    }
}

/// Events and changes that become durable together.
#[derive(Default)]
pub struct Step {
    /// The duty for which the step is made, if only its holder may make it. If another node has the duty, nothing of the
    /// step is kept.
    pub acting: Option<Acting>,
    /// The events.
    pub events: Vec<Arc<dyn Loggable>>,
    /// Changes of records.
    pub changes: Vec<Change>,
    /// Called with the outcome: the step is durable, or nothing of it was kept. Called on the writer's thread, or
    /// immediately if there is no store or the journal is closed. It should do little more than send a message.
    pub then: Option<AfterCommit>,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("events", &self.events.len())
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}
