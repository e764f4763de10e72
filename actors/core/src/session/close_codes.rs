//! What a websocket close means for the next attempt (rule [ER-6](crate::rules#er-6)).

use super::input::{ClosedBy, Closure};
use super::output::DisconnectReason;

/// The code of our own close when the connection is stopped on purpose.
pub const NORMAL: u16 = 1000;

/// The code of our own close when we give a socket up: no answer, no frames, a resume that failed.
pub const ABANDONED: u16 = 1001;

/// What a close tells: why the socket went, and whether the token went with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Why the socket went.
    pub reason: DisconnectReason,
    /// The next attempt needs a new token from its origin.
    pub needs_new_token: bool,
}

impl Verdict {
    /// The platform blamed the token itself. A server error (1011) only advises a new one.
    #[must_use]
    pub fn blames_token(&self) -> bool {
        self.needs_new_token && self.reason != DisconnectReason::ServerError
    }
}

/// Judges a close. Only the platform's own codes can take the token away: a lost link says nothing about it, and if
/// the token was revoked all the same, the upgrade answers 401.
#[must_use]
pub fn judge(closure: Closure) -> Verdict {
    let (reason, needs_new_token) = match (closure.by, closure.code) {
        (ClosedBy::Platform, Some(4401)) => (DisconnectReason::TokenRejected, true),
        (ClosedBy::Platform, Some(4407)) => (DisconnectReason::IdentityExpired, true),
        (ClosedBy::Platform, Some(4410)) => (DisconnectReason::BadContent, false),
        (ClosedBy::Platform, Some(1008)) => (DisconnectReason::PolicyViolation, true),
        (ClosedBy::Platform, Some(1011)) => (DisconnectReason::ServerError, true),
        (ClosedBy::Platform, None | Some(1005 | 1006)) | (ClosedBy::Transport, _) => {
            (DisconnectReason::ConnectionLost, false)
        }
        (ClosedBy::Platform, Some(_)) => (DisconnectReason::ClosedByPlatform, false),
        (ClosedBy::Us, _) => (DisconnectReason::ClosedByUs, false),
    };
    Verdict { reason, needs_new_token }
}
