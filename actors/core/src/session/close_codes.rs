//! What a websocket close means for the next attempt (rule [ER-6](crate::rules#er-6)).

use super::closure::{ClosedBy, Closure};
use super::output::DisconnectReason;

/// The code with which this side closes when the connection is stopped on purpose.
pub const NORMAL: u16 = 1000;

/// The code with which this side gives a socket up: no response, no frames, a resume that failed.
pub const ABANDONED: u16 = 1001;

/// The consequences of a close: why the socket ended, and whether the token is still usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Why the socket ended.
    pub reason: DisconnectReason,
    /// Whether the next attempt needs a new token from its origin.
    pub needs_new_token: bool,
}

impl Verdict {
    /// Returns whether the platform blamed the token itself. A server error (1011) only recommends a new token.
    #[must_use]
    pub fn blames_token(&self) -> bool {
        self.needs_new_token && self.reason != DisconnectReason::ServerError
    }
}

/// Interprets a close. Only the platform's own codes can invalidate the token: a lost link says nothing about it, and
/// if the token was revoked nevertheless, the next upgrade fails with 401.
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
