//! The connection's notes about each conversation in memory.

use std::time::Instant;

use tertulia_core::time::Timestamp;

use super::state_head::StateHead;

/// The connection's notes about a conversation.
#[derive(Default)]
pub(super) struct Notes {
    /// The number of loads minus the number of unloads.
    holds: usize,
    /// The version of the newest state, and when the conversation was first seen ended.
    newest: Option<Timestamp>,
    ended_since: Option<Instant>,
}

impl Notes {
    pub(super) fn holds(&self) -> usize {
        self.holds
    }

    /// A caller has loaded the conversation.
    pub(super) fn loaded(&mut self) {
        self.holds += 1;
    }

    /// In the previous run callers had loaded the conversation and not unloaded it.
    pub(super) fn restore(&mut self, holds: usize) {
        self.holds = holds;
    }

    /// A caller has unloaded the conversation.
    pub(super) fn unloaded(&mut self) {
        self.holds = self.holds.saturating_sub(1);
    }

    /// Since when the conversation has ended.
    pub(super) fn ended_since(&self) -> Option<Instant> {
        self.ended_since
    }

    /// Notes a state; `is_gone` says whether the conversation has left the subscription with it.
    pub(super) fn state(&mut self, head: &StateHead<'_>, is_gone: bool) {
        if head.version < self.newest {
            return;
        }
        self.newest = head.version;
        let has_ended = head.has_ended || is_gone;
        self.ended_since = has_ended.then(|| self.ended_since.unwrap_or_else(Instant::now));
    }
}
