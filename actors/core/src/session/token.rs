//! The session's knowledge of its token: whether it is usable, and when to act on it.

use super::millis::Millis;

/// The token's state. The token itself stays with the actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// No token: the next connect logs in first.
    Missing,
    /// Usable; to be refreshed at the given time.
    Held { refresh_at: Option<Millis> },
    /// Usable; a refresh is running.
    Refreshing { give_up_at: Millis },
    /// Revoked under a healthy socket; a login for the next connect is due.
    RenewalDue { at: Millis },
    /// Revoked under a healthy socket; the login for the next connect is running.
    Renewing { give_up_at: Millis },
}

impl Token {
    /// Returns whether a socket may be opened with it.
    pub(super) fn is_usable(self) -> bool {
        matches!(self, Self::Held { .. } | Self::Refreshing { .. })
    }

    /// Returns when to act on it while a socket is open.
    pub(super) fn wake(self) -> Option<Millis> {
        match self {
            Self::Missing => None,
            Self::Held { refresh_at } => refresh_at,
            Self::Refreshing { give_up_at } | Self::Renewing { give_up_at } => Some(give_up_at),
            Self::RenewalDue { at } => Some(at),
        }
    }
}
