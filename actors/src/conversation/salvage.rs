//! What a conversation that was given up leaves to its replacement.

use actix::Recipient;
use tertulia_core::{conversation::Conversation as Model, id::ExternalConsumerId};

use super::{Leave, step::Concluded};

/// What a conversation that was given up leaves to its replacement.
pub(crate) struct Salvage {
    /// The actor that was given up.
    pub(crate) actor: Recipient<Leave>,
    pub(crate) reason: String,
    pub(crate) restarts: u32,
    pub(super) sequence: u64,
    pub(super) concluded: Concluded,
    pub(super) model: Model,
    pub(super) consumer: Option<ExternalConsumerId>,
}
