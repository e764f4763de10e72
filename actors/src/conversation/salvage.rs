//! What a conversation that was given up leaves, and the conversation that replaces it after the release.

use std::{rc::Rc, sync::Arc};

use actix::Addr;
use tertulia_core::{
    command::Identity,
    conversation::Conversation as Model,
    id::{ConversationId, ExternalConsumerId},
};

use super::{Conversation, Upstream, keeping::Concluded};

/// What a conversation that was given up leaves to its replacement.
pub(crate) struct Salvage {
    pub(crate) address: Addr<Conversation>,
    pub(crate) reason: String,
    pub(crate) restarts: u32,
    pub(super) sequence: u64,
    pub(super) concluded: Concluded,
    pub(super) model: Model,
    pub(super) consumer: Option<ExternalConsumerId>,
}

impl Conversation {
    /// The replacement of a conversation in quarantine. The numbering of its events continues, and it fetches what it
    /// missed.
    pub(crate) fn released(
        id: ConversationId,
        salvage: Option<Box<Salvage>>,
        upstream: Rc<Upstream>,
        ready: Option<Arc<Identity>>,
    ) -> Self {
        let mut fresh = Self::new(id, upstream, ready);
        // Counts as a restart: subscribers are informed, and the history is caught up.
        fresh.restarts = 1;
        if let Some(salvage) = salvage {
            let Salvage { sequence, concluded, model, consumer, restarts, .. } = *salvage;
            (fresh.sequence, fresh.concluded, fresh.model) = (sequence, concluded, model);
            fresh.consumer = consumer;
            fresh.restarts = restarts + 1;
        }
        fresh
    }
}
