//! Where in its life a session is.

use serde::Serialize;

use super::output::FailureReason;

/// Where in its life a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started yet.
    Idle,
    /// A token is being obtained.
    LoggingIn,
    /// The login was refused for now and will be repeated.
    WaitingToLogIn,
    /// The socket is being opened.
    Connecting,
    /// The first request is on its way.
    Verifying,
    /// The resume plan is being carried out.
    Resuming,
    /// Commands may be sent.
    Ready,
    /// There is no socket; the next attempt has its time.
    WaitingToReconnect,
    /// The socket is being closed on the owner's wish.
    Stopping,
    /// Ended on the owner's wish.
    Stopped,
    /// Given up, and why.
    Failed(FailureReason),
}

impl Phase {
    /// Nothing will happen until the owner starts the session.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self, Self::Idle | Self::Stopped | Self::Failed(_))
    }

    /// A socket is open and in use.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Verifying | Self::Resuming | Self::Ready)
    }
}
