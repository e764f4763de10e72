//! The inputs of a session: outcomes of its outputs, frames, closes, time, and its owner's requests.

use std::time::Duration;

use super::closure::Closure;
use super::output::FailureReason;

/// One input for [`Session::handle`](super::Session::handle).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The owner wants the connection and has the right to log in. Also revives a session that failed or was stopped.
    Start,
    /// The owner wants the connection to restart: with a new token, a new socket, and earlier refusals forgotten.
    Restart,
    /// The owner does not have the right to log in, or has lost it, because another connection holds it.
    Withheld,
    /// The platform granted a token ([`Output::LogIn`](super::Output::LogIn) succeeded).
    LoggedIn,
    /// [`Output::LogIn`](super::Output::LogIn) failed.
    LoginRefused(LoginRefusal),
    /// The websocket upgrade succeeded.
    SocketOpened,
    /// The websocket upgrade failed.
    SocketRefused(SocketRefusal),
    /// The platform responded to the first request of the socket: the session is accepted.
    Verified,
    /// The platform refused the first request of the socket.
    VerifyRefused {
        /// The platform's status, such as 401.
        code: u16,
    },
    /// The resume plan is complete. The plan itself reports gaps that could not be filled.
    Resumed,
    /// The resume plan has made progress: its time limit starts again.
    ResumeProgressed,
    /// The resume plan cannot be completed on this socket.
    ResumeFailed,
    /// Any frame arrived: a message, a ping or a pong.
    FrameReceived,
    /// The socket is gone.
    SocketClosed(Closure),
    /// [`Output::RefreshToken`](super::Output::RefreshToken) succeeded.
    TokenRefreshed,
    /// [`Output::RefreshToken`](super::Output::RefreshToken) failed.
    TokenRefreshRefused(RefreshRefusal),
    /// A service of the platform refused the token. The token may still be valid.
    ServiceRefusedToken {
        /// Whether a refresh can find out if the token is valid. If not, only another login helps.
        can_refresh: bool,
    },
    /// The socket's input cannot be processed: the owner wants a new socket, and everything from the beginning.
    Distrusted,
    /// The owner gives the connection up.
    GivenUp(FailureReason),
    /// The time of [`Session::next_wake`](super::Session::next_wake) has come. An early or late tick does no harm.
    Tick,
    /// The owner wants the connection to end.
    Stop,
}

/// Why no token was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The login service refused the credentials (status 400, 401, 403, 451). A repetition cannot help, unless the
    /// credentials worked before.
    Credentials,
    /// Too many logins (status 429).
    Throttled {
        /// The wait that the platform requested.
        retry_after: Option<Duration>,
    },
    /// A server error, a network error or no response in time.
    Unavailable,
}

/// Why the websocket upgrade failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketRefusal {
    /// The token was not accepted (status 401 or 403).
    Unauthorized,
    /// Too many connects (status 429).
    Throttled {
        /// The wait that the platform requested.
        retry_after: Option<Duration>,
    },
    /// Another status, a network error or no response in time.
    Unavailable,
}

/// Why the token was not refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshRefusal {
    /// The login session of the token is gone (status 401).
    Unauthorized,
    /// Another status, a network error or no response in time.
    Unavailable,
}
