//! Conversations that left a moment ago, and the change with which they left, so that a late older state does not bring
//! them back.

use std::{collections::BTreeMap, time::Duration};

use crate::{id::ConversationId, session::Millis, time::Timestamp};

/// How late a snapshot may be.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// The most conversations remembered; more do not leave within this time.
const REMEMBERED: usize = 10_000;

/// Conversations that left a subscription, each kept only for a moment.
#[derive(Debug, Default)]
pub(super) struct Departures(BTreeMap<ConversationId, (Timestamp, Millis)>);

impl Departures {
    pub(super) fn add(&mut self, id: &ConversationId, updated: Timestamp, now: Millis) {
        if self.0.len() < REMEMBERED {
            self.0.insert(id.clone(), (updated, now));
        }
    }

    /// Returns whether a state updated at this time is from before the conversation left. The change that removed it
    /// from one subscription may have added it to another, so a state of that same time is not stale.
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
