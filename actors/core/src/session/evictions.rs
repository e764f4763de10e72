//! Detects that another login of the same user ends this one. The platform allows one session per user
//! ([TK-6](crate::rules#tk-6)).
//!
//! The platform does not report this. It revokes a token that it granted moments ago. One such loss may be trouble of
//! the platform. Several in a row mean that another machine logs in as often as this one, because they have no other
//! cause.

use super::machine::{Session, Step};
use super::wait::{Wait, WaitReason};

/// After this many revoked tokens in a row, another login is assumed to be the cause.
const CONTESTED_AT: u32 = 3;

/// Tokens that the platform revoked early, in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evictions {
    /// Detected by the end of a socket.
    sockets: u32,
    /// Detected by the refresh, if sockets outlive their tokens.
    refreshes: u32,
}

impl Evictions {
    pub(super) fn is_contested(self) -> bool {
        self.sockets >= CONTESTED_AT || self.refreshes >= CONTESTED_AT
    }

    pub(super) fn refresh_refused(&mut self) {
        self.refreshes = self.refreshes.saturating_add(1);
    }

    pub(super) fn refreshed(&mut self) {
        if !self.is_contested() {
            self.refreshes = 0;
        }
    }

    /// The connection was stable for a while.
    pub(super) fn settled(&mut self) {
        if !self.is_contested() {
            self.sockets = 0;
        }
    }
}

impl Session {
    /// The platform revoked a token with which it had accepted a socket.
    pub(super) fn token_taken_back(&mut self, step: &Step<'_>) {
        let age = step.now.since(self.granted_at);
        if self.evictions.is_contested() || age < self.policy.stable_after {
            self.evictions.sockets = self.evictions.sockets.saturating_add(1);
        }
    }

    /// The pause before the next login, if the user is logged in elsewhere.
    pub(super) fn eviction_pause(&self, step: &mut Step<'_>) -> Option<Wait> {
        let Evictions { sockets, refreshes } = self.evictions;
        let times = sockets.max(refreshes).checked_sub(CONTESTED_AT)?;
        let until = step.at(self.policy.eviction_backoff(), times.saturating_add(1));
        Some(Wait { reason: WaitReason::LoggedInElsewhere, until })
    }
}
