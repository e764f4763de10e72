//! The phases of a session.

use serde::Serialize;

use super::output::FailureReason;

/// The phase of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started yet.
    Idle,
    /// A token is being obtained.
    LoggingIn,
    /// The login was refused temporarily and will be repeated.
    WaitingToLogIn,
    /// The socket is being opened.
    Connecting,
    /// The first request was sent.
    Verifying,
    /// The resume plan is running.
    Resuming,
    /// Commands may be sent.
    Ready,
    /// There is no socket; the session waits for its next attempt.
    WaitingToReconnect,
    /// The socket is being closed at the owner's request.
    Stopping,
    /// Stopped at the owner's request.
    Stopped,
    /// Given up, with the reason.
    Failed(FailureReason),
}

impl Phase {
    /// Returns whether nothing will happen until the owner starts the session.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self, Self::Idle | Self::Stopped | Self::Failed(_))
    }

    /// Returns whether a socket is open and in use.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Verifying | Self::Resuming | Self::Ready)
    }
}
