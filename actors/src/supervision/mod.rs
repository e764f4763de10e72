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

pub(crate) use arbiters::{ArbiterPool, Placement, PoolError, PoolOptions};
pub(crate) use depth::{Depth, DepthPermit};
pub(crate) use exit::{ChildExit, ExitReason, Parent};
pub(crate) use failure::{ActorPanic, failure};
pub(crate) use fairness::Fairness;
pub(crate) use guard::{GuardOptions, start_guarded, start_guarded_in};
pub(crate) use restart::Intensity;
pub use restart::RestartPolicy;
pub use settings::SupervisionSettings;
pub use systemic::SystemicPolicy;
pub(crate) use systemic::{Systemic, Verdict};
