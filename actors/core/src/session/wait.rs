//! What a session waits for while it has no socket.

use serde::Serialize;
use thiserror::Error;

use super::millis::Millis;

/// The reason and the end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The reason.
    pub reason: WaitReason,
    /// When the next attempt begins.
    pub until: Millis,
}

/// Why a session waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The socket was lost.
    #[error("the socket was lost")]
    ConnectionLost,
    /// The platform refuses credentials that it accepted before.
    #[error("the platform refuses credentials that it accepted before")]
    CredentialsRefused,
    /// Another login of the same user keeps ending this one.
    #[error("the user is logged in elsewhere: another login keeps ending this one")]
    LoggedInElsewhere,
    /// Another connection, in this process or another one, holds the right to log in.
    #[error("another connection of this machine holds the login")]
    LoginHeld,
    /// The platform limits logins or sockets (status 429).
    #[error("the platform limits logins or sockets")]
    Throttled,
    /// The platform grants tokens but refuses the sockets opened with them.
    #[error("the platform refuses the socket although it granted the token")]
    TokenRefused,
    /// The platform cannot be reached, or responds with errors.
    #[error("the platform cannot be reached or responds with errors")]
    Unavailable,
}

impl WaitReason {
    /// Returns whether an operator may have to act, because the credentials or the login are the cause, not the
    /// platform or the link.
    #[must_use]
    pub fn concerns_login(self) -> bool {
        match self {
            Self::CredentialsRefused | Self::LoggedInElsewhere | Self::LoginHeld | Self::TokenRefused => true,
            Self::ConnectionLost | Self::Throttled | Self::Unavailable => false,
        }
    }
}
