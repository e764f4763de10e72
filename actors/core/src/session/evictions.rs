//! Detects that another login of the same user ends this one. The platform allows one session per user
//! ([TK-6](crate::rules#tk-6)).
//!
//! The platform does not report this. It revokes a token that it granted moments ago. One such loss may be trouble of
//! the platform. Several in a row mean that another machine logs in as often as this one, because they have no other
//! cause.

use std::time::Duration;

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

    /// The platform revoked a token of this age with which it had accepted a socket. An old token counts only if
    /// another login was already assumed.
    pub(super) fn token_revoked(&mut self, age: Duration, stable_after: Duration) {
        if self.is_contested() || age < stable_after {
            self.sockets = self.sockets.saturating_add(1);
        }
    }

    /// How often in a row the user was found logged in elsewhere; `None` if another login is not assumed.
    pub(super) fn times_contested(self) -> Option<u32> {
        let times = self.sockets.max(self.refreshes).checked_sub(CONTESTED_AT)?;
        Some(times.saturating_add(1))
    }
}
