//! A step of a conversation: what the present step has produced, and the state after the last step.

use tertulia_core::conversation::DialogPlace;

use crate::{engine::Change, subscriber::EventData};

/// Runs when a step is durable, and is dropped if the step was not kept.
pub(super) type OnceKept = Box<dyn FnOnce() + Send>;

/// What the present step has produced so far.
#[derive(Default)]
pub(super) struct Unconcluded {
    pub(super) events: Vec<(u64, EventData)>,
    pub(super) changes: Vec<Change>,
    pub(super) thens: Vec<OnceKept>,
    /// Whether the conversation has changed.
    pub(super) touched: bool,
}

/// The conversation after its last step, used after a panic if there is no store.
#[derive(Default)]
pub(super) struct Concluded {
    pub(super) sequence: u64,
    pub(super) places: Vec<DialogPlace>,
}
