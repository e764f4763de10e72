//! Conversations that are in no subscription any more, each with the time. Late messages still reach them for a while.

use std::{collections::BTreeMap, time::Duration};

use crate::{id::ConversationId, session::Millis};

/// The leaving conversations, each with the time.
#[derive(Debug, Default)]
pub(super) struct Leaving(BTreeMap<ConversationId, Millis>);

impl Leaving {
    pub(super) fn add(&mut self, id: &ConversationId, now: Millis) {
        if !self.0.contains_key(id) {
            self.0.insert(id.clone(), now);
        }
    }

    pub(super) fn remove(&mut self, id: &ConversationId) {
        self.0.remove(id);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn has(&self, id: &ConversationId) -> bool {
        self.0.contains_key(id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &ConversationId> {
        self.0.keys()
    }

    /// Removes and returns the conversations that left at least `linger` ago.
    pub(super) fn take_over(&mut self, linger: Duration, now: Millis) -> Vec<ConversationId> {
        self.0.extract_if(.., |_, since| now >= since.after(linger)).map(|(id, _)| id).collect()
    }
}
