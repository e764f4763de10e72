//! Conversations that are to be looked at, each at its time.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tertulia_core::id::ConversationId;

/// Conversations in the order in which they were queued. A look at the queue costs only as much as what is due.
#[derive(Default)]
pub(crate) struct DueQueue(BTreeSet<(Instant, ConversationId)>);

impl DueQueue {
    pub(crate) fn add(&mut self, since: Instant, id: &ConversationId) {
        self.0.insert((since, id.clone()));
    }

    pub(crate) fn remove(&mut self, since: Instant, id: &ConversationId) {
        self.0.remove(&(since, id.clone()));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes and returns the conversations that were queued at least `after` ago, and since when they waited.
    pub(crate) fn take_due(&mut self, now: Instant, after: Duration) -> Vec<(Instant, ConversationId)> {
        let mut due = Vec::new();
        while let Some((since, _)) = self.0.first()
            && now.saturating_duration_since(*since) >= after
        {
            due.extend(self.0.pop_first());
        }
        due
    }
}
