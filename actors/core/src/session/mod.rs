//! The life of one connection as a pure state machine: what happened goes in with the time, what to do comes out.
//!
//! The connection's actor owns the socket, the clock and the randomness. It feeds every happening to
//! [`Session::handle`], carries out the returned [`Output`]s in order, and keeps one timer set to
//! [`Session::next_wake`] that feeds [`Input::Tick`]. "Why did it reconnect?" is answered here and nowhere else.
//!
//! Logins and sockets outlive the attempt they were begun for: note [`Session::epoch`] when one begins and feed its
//! outcome to [`Session::handle_of`]. Everything else goes to [`Session::handle`].

mod backoff;
mod close_codes;
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
mod token;
mod wait;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use close_codes::{ABANDONED, NORMAL, Verdict, judge};
pub use identity::{IdentityLoss, IdentityStanding, TokenTimes};
pub use input::{ClosedBy, Closure, Input, LoginRefusal, RefreshRefusal, SocketRefusal};
pub use machine::{Epoch, Session};
pub use millis::Millis;
pub use output::{DisconnectReason, FailureReason, Output, Outputs, Report};
pub use phase::Phase;
pub use policy::{PolicyError, SessionPolicy};
pub use wait::{Wait, WaitReason};
