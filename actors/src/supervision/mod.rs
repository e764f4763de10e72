//! What actix leaves out: restarts after a panic with intensity and back-off, death notices, hard queue bounds, fair
//! turns, placement over arbiters, and an eye on arbiters that stand still.
//!
//! Stop signals travel outside the mailbox as a [`tokio_util::sync::CancellationToken`].

mod arbiters;
mod depth;
mod exit;
mod fairness;
mod guard;
#[cfg(test)]
mod probe;
mod restart;
mod watchdog;

pub use arbiters::{ArbiterPool, Placement, PoolError, PoolOptions, Stopped};
pub use depth::{Depth, DepthPermit};
pub use exit::{ChildExit, ExitReason, OnExit};
pub use fairness::Fairness;
pub use guard::{GuardOptions, start_guarded, start_guarded_in};
pub use restart::{Intensity, RestartPolicy};
pub use watchdog::{Watchdog, WatchdogOptions};
