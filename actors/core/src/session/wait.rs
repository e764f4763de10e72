//! What a session waits for while it has no socket.

use serde::Serialize;
use thiserror::Error;

use super::millis::Millis;

/// Until when a session waits, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Why.
    pub reason: WaitReason,
    /// When the next attempt begins.
    pub until: Millis,
}

/// Why a session waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The socket was lost.
    #[error("the socket was lost")]
    ConnectionLost,
    /// The platform refuses credentials that it took before.
    #[error("the platform refuses credentials that it accepted before")]
    CredentialsRefused,
    /// Another login of the same user ends this one, again and again.
    #[error("the user is logged in elsewhere: another login keeps ending this one")]
    LoggedInElsewhere,
    /// Another connection holds the right to log in, here or in another process.
    #[error("another connection of this machine holds the login")]
    LoginHeld,
    /// The platform asks for fewer logins or sockets (status 429).
    #[error("the platform limits logins or sockets")]
    Throttled,
    /// The platform granted a token and refuses the socket opened with it.
    #[error("the platform refuses the socket although it granted the token")]
    TokenRefused,
    /// The platform cannot be reached, or does not answer as it should.
    #[error("the platform cannot be reached or responds with errors")]
    Unavailable,
}

impl WaitReason {
    /// Whether somebody may have to act: the credentials or the login are at fault, not the platform or the link.
    #[must_use]
    pub fn concerns_login(self) -> bool {
        match self {
            Self::CredentialsRefused | Self::LoggedInElsewhere | Self::LoginHeld | Self::TokenRefused => true,
            Self::ConnectionLost | Self::Throttled | Self::Unavailable => false,
        }
    }
}
