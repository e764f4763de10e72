//! The session of one connection as a pure state machine: inputs and the time go in, actions come out.
//!
//! The connection's actor owns the socket, the clock and the randomness. It passes every input to [`Session::handle`],
//! executes the returned [`Output`]s in order, and keeps one timer set to [`Session::next_wake`] that passes in
//! [`Input::Tick`]. Every reason for a reconnect is decided here and nowhere else.
//!
//! Logins and sockets may outlive the attempt that began them: store [`Session::epoch`] when one begins and pass its
//! outcome to [`Session::handle_of`]. Every other input goes to [`Session::handle`].

mod backoff;
mod close_codes;
mod closure;
mod evictions;
mod identity;
mod input;
mod liveness;
mod login;
mod machine;
mod millis;
mod output;
mod phase;
mod policy;
mod socket;
mod start;
mod token;
mod wait;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use close_codes::{ABANDONED, NORMAL, Verdict, judge};
pub use closure::{ClosedBy, Closure};
pub use identity::{IdentityLoss, IdentityStanding, TokenTimes};
pub use input::{Input, LoginRefusal, RefreshRefusal, SocketRefusal};
pub use machine::{Epoch, Session};
pub use millis::Millis;
pub use output::{DisconnectReason, FailureReason, Output, Outputs, Report};
pub use phase::Phase;
pub use policy::{PolicyError, SessionPolicy};
pub use start::Start;
pub use wait::{Wait, WaitReason};
