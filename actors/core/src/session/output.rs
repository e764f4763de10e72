//! What a session asks its actor to do, and what it reports to whoever watches.

use serde::Serialize;
use smallvec::SmallVec;
use thiserror::Error;

use super::input::Closure;
use super::millis::Millis;
use super::wait::WaitReason;

/// The answers to one input, to be carried out in order.
pub type Outputs = SmallVec<[Output; 3]>;

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Ask for the right to log in again; answer [`Start`](super::Input::Start) or
    /// [`Withheld`](super::Input::Withheld).
    Claim,
    /// Obtain a token for the same identity from its origin; answer [`LoggedIn`](super::Input::LoggedIn) or
    /// [`LoginRefused`](super::Input::LoginRefused). May come while a healthy socket is open: the token is then for the
    /// next connect and the socket stays. Never create another identity instead ([CA-3](crate::rules#ca-3)).
    LogIn,
    /// Extend the life of the token in use.
    RefreshToken,
    /// Open a websocket with the token in use.
    OpenSocket,
    /// Send the first request of the socket (brand: own profile; consumer: `InitConnection`).
    Verify,
    /// Carry out the resume plan.
    Resume {
        /// Attempts since the connection was last stable, this one included.
        attempt: u32,
        /// This session was never ready before: nothing can be missing.
        first: bool,
    },
    /// Send a `GetClock` request.
    SendKeepAlive,
    /// Close the socket, or abandon it while it still opens. Its later outcome is not needed.
    CloseSocket {
        /// The code to close with.
        code: u16,
    },
    /// Tell whoever watches.
    Report(Report),
}

/// One step of the connection's life, for events, logs and the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A token or a socket is being obtained.
    Connecting,
    /// The platform accepted the socket.
    Connected,
    /// A socket that had opened is gone, and why.
    Disconnected(Closure, DisconnectReason),
    /// Nothing happens until then.
    Waiting {
        /// When the next attempt begins.
        until: Millis,
        /// Failed attempts since the connection was last stable.
        attempt: u32,
        /// What it waits for.
        reason: WaitReason,
    },
    /// The resume plan has begun.
    Resuming,
    /// The connection is ready for commands.
    Resumed,
    /// The session has given up and waits for its owner.
    Failed(FailureReason),
    /// The session ended as its owner wished.
    Stopped,
}

/// Why a socket that had opened is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectReason {
    /// The platform closed with 4410: it could not read what we sent.
    #[error("the platform could not read a frame")]
    BadContent,
    /// The platform closed with a code that asks for nothing but a new attempt.
    #[error("the platform asks for a new connection")]
    ClosedByPlatform,
    /// Our own side closed the socket.
    #[error("closed by this side")]
    ClosedByUs,
    /// The link broke, or the close had no code.
    #[error("the link broke")]
    ConnectionLost,
    /// We gave it up, because what it brought could not be worked with.
    #[error("its frames could not be processed")]
    Distrusted,
    /// No frame arrived in time although keep-alives were sent.
    #[error("no frame arrived in time in spite of keep-alives")]
    DeadPeer,
    /// We closed it, because the right to log in was lost.
    #[error("the right to log in was lost")]
    LeaseLost,
    /// The platform closed with 4407: the identity must be extended at its origin.
    #[error("the login must be extended where it was granted")]
    IdentityExpired,
    /// The platform closed with 1008, which it uses for authentication.
    #[error("policy violation, which the platform uses for authentication")]
    PolicyViolation,
    /// The resume plan could not be finished.
    #[error("the resume plan failed")]
    ResumeFailed,
    /// The resume plan stood still for too long.
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
    /// The platform did not answer the first request in time.
    #[error("the first request was not answered in time")]
    VerifyTimedOut,
}

/// Why a session gave up. Permanent: only its owner can begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The threads it was run on ended, one after the other.
    #[error("the connection's threads keep ending")]
    ArbitersKeepEnding,
    /// Many conversations failed together, again and again.
    #[error("the conversations keep failing together")]
    ConversationsKeepFailing,
    /// The platform refused the credentials, which never worked before.
    #[error("the platform refused the credentials")]
    CredentialsRefused,
    /// It was lost or could not be made, and its policy is not to try again.
    #[error("the connection was lost and reconnecting is disabled")]
    NotMaintained,
    /// Its actor panicked more often than is allowed.
    #[error("the connection panicked too often")]
    Panicked,
}
