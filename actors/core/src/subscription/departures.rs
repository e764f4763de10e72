//! Who left a moment ago, and by which change: an older state that comes late does not bring them back.

use std::{collections::BTreeMap, time::Duration};

use crate::{id::ConversationId, session::Millis, time::Timestamp};

/// How long a snapshot may be late.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// The most that are remembered; more do not leave within such a time.
const REMEMBERED: usize = 10_000;

/// Conversations that left a subscription, each only for a moment.
#[derive(Debug, Default)]
pub(super) struct Departures(BTreeMap<ConversationId, (Timestamp, Millis)>);

impl Departures {
    pub(super) fn add(&mut self, id: &ConversationId, updated: Timestamp, now: Millis) {
        if self.0.len() < REMEMBERED {
            self.0.insert(id.clone(), (updated, now));
        }
    }

    /// Whether a state that was `updated` then is from before the conversation left. The change that took it out of one
    /// subscription may have brought it into another, so that one is not.
    pub(super) fn is_stale(&self, id: &ConversationId, updated: impl FnOnce() -> Option<Timestamp>) -> bool {
        self.0.get(id).is_some_and(|(left, _)| updated().is_some_and(|updated| updated < *left))
    }

    pub(super) fn forget_old(&mut self, now: Millis) {
        self.0.retain(|_, (_, since)| now < since.after(REMEMBERED_FOR));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
