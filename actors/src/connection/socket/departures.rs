//! Decides whether a conversation that arrives is new to the connection.

use std::collections::{HashSet, VecDeque};

use tertulia_core::{conversation::Arrival, id::ConversationId};

/// The most departed conversations remembered; beyond it the oldest is forgotten, and counts as new when it returns.
const REMEMBERED: usize = 10_000;

/// Conversations that left this connection, noted only without a store, and whether a complete snapshot was received.
#[derive(Default)]
pub(super) struct Departures {
    known: HashSet<ConversationId>,
    order: VecDeque<ConversationId>,
    has_snapshot: bool,
}

impl Departures {
    pub(super) fn add(&mut self, id: ConversationId) {
        if !self.known.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
    }

    /// A complete snapshot was received.
    pub(super) fn snapshot_received(&mut self) {
        self.has_snapshot = true;
    }

    /// Returns how an unknown conversation comes to the connection. A conversation that no complete snapshot named
    /// began while the connection was there.
    pub(super) fn arrival(&self, id: &ConversationId) -> Arrival {
        if self.has_snapshot && !self.known.contains(id) { Arrival::New } else { Arrival::Before }
    }
}
