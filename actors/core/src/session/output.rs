//! The actions that a session requests from its actor, and its reports.

use serde::Serialize;
use smallvec::SmallVec;
use thiserror::Error;

use super::closure::Closure;
use super::millis::Millis;
use super::wait::WaitReason;

/// The actions for one input, to be executed in order.
pub type Outputs = SmallVec<[Output; 3]>;

/// One action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Request the right to log in again; respond with [`Start`](super::Input::Start) or
    /// [`Withheld`](super::Input::Withheld).
    Claim,
    /// Obtain a token for the same identity from its origin; respond with [`LoggedIn`](super::Input::LoggedIn) or
    /// [`LoginRefused`](super::Input::LoginRefused). May come while a healthy socket is open: the token is then for the
    /// next connect and the socket stays. Never create another identity instead ([CA-3](crate::rules#ca-3)).
    LogIn,
    /// Prolong the token in use.
    RefreshToken,
    /// Open a websocket with the token in use.
    OpenSocket,
    /// Send the first request of the socket (brand: own profile; consumer: `InitConnection`).
    Verify,
    /// Execute the resume plan.
    Resume {
        /// Attempts since the connection was last stable, including this one.
        attempt: u32,
        /// Whether this session was never ready before, so that nothing can be missing.
        first: bool,
    },
    /// Send a `GetClock` request.
    SendKeepAlive,
    /// Close the socket, or abandon it while it is still opening. Its later outcome is ignored.
    CloseSocket {
        /// The code to close with.
        code: u16,
    },
    /// Publish a report.
    Report(Report),
}

/// One step of the session, for events, logs and the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A token or a socket is being obtained.
    Connecting,
    /// The platform accepted the socket.
    Connected,
    /// A socket that had opened has ended, with the reason.
    Disconnected(Closure, DisconnectReason),
    /// Nothing happens until the given time.
    Waiting {
        /// When the next attempt begins.
        until: Millis,
        /// Failed attempts since the connection was last stable.
        attempt: u32,
        /// The reason for the wait.
        reason: WaitReason,
    },
    /// The resume plan has begun.
    Resuming,
    /// The connection is ready for commands.
    Resumed,
    /// The session has given up; only its owner can restart it.
    Failed(FailureReason),
    /// The session was stopped by its owner.
    Stopped,
}

/// Why a socket that had opened has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DisconnectReason {
    /// The platform closed with 4410: it could not read what this side sent.
    #[error("the platform could not read a frame")]
    BadContent,
    /// The platform closed with a code that requires nothing but a new attempt.
    #[error("the platform asks for a new connection")]
    ClosedByPlatform,
    /// This side closed the socket.
    #[error("closed by this side")]
    ClosedByUs,
    /// The link broke, or the close had no code.
    #[error("the link broke")]
    ConnectionLost,
    /// This side gave the socket up, because its frames could not be processed.
    #[error("its frames could not be processed")]
    Distrusted,
    /// No frame arrived in time in spite of keep-alives.
    #[error("no frame arrived in time in spite of keep-alives")]
    DeadPeer,
    /// This side closed the socket, because the right to log in was lost.
    #[error("the right to log in was lost")]
    LeaseLost,
    /// The platform closed with 4407: the login must be extended where it was granted.
    #[error("the login must be extended where it was granted")]
    IdentityExpired,
    /// The platform closed with 1008, which it uses for authentication.
    #[error("policy violation, which the platform uses for authentication")]
    PolicyViolation,
    /// The resume plan failed.
    #[error("the resume plan failed")]
    ResumeFailed,
    /// The resume plan made no progress for too long.
    #[error("the resume plan made no progress for too long")]
    ResumeTimedOut,
    /// The platform closed with 1011.
    #[error("a server error")]
    ServerError,
    /// The platform closed with 4401: the token is missing, expired or revoked.
    #[error("the token is missing, expired or revoked")]
    TokenRejected,
    /// The platform refused the first request.
    #[error("the first request was refused")]
    VerifyRefused,
    /// The platform did not respond to the first request in time.
    #[error("the first request was not answered in time")]
    VerifyTimedOut,
}

/// Why a session gave up. Permanent: only its owner can restart it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The threads of the connection ended one after the other.
    #[error("the connection's threads keep ending")]
    ArbitersKeepEnding,
    /// Many conversations failed together, repeatedly.
    #[error("the conversations keep failing together")]
    ConversationsKeepFailing,
    /// The platform refused the credentials, which never worked before.
    #[error("the platform refused the credentials")]
    CredentialsRefused,
    /// The connection was lost or could not be made, and its policy disables reconnecting.
    #[error("the connection was lost and reconnecting is disabled")]
    NotMaintained,
    /// Its actor panicked more often than its policy allows.
    #[error("the connection panicked too often")]
    Panicked,
}
