//! What actix lacks: restarts after a panic with intensity and back-off, exit reports, hard queue bounds, fair
//! scheduling, placement over arbiters, and the detection of blocked arbiters.
//!
//! Stop signals do not use the mailbox but a [`tokio_util::sync::CancellationToken`].

mod arbiters;
mod depth;
mod exit;
mod failure;
mod fairness;
mod guard;
#[cfg(test)]
mod probe;
mod restart;
mod settings;
mod systemic;
mod watchdog;

pub use arbiters::{ArbiterPool, Placement, PoolError, PoolOptions, Stopped};
pub use depth::{Depth, DepthPermit};
pub use exit::{ChildExit, ExitReason, Named, Parent};
pub use failure::{Failure, failure};
pub use fairness::Fairness;
pub use guard::{GuardOptions, start_guarded, start_guarded_in};
pub use restart::{Intensity, RestartPolicy};
pub use settings::SupervisionSettings;
pub use systemic::{Systemic, SystemicPolicy, Verdict};
pub use watchdog::{Watch, Watchdog, WatchdogOptions};
