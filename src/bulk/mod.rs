//! Bulk work: one operation on every conversation that a filter means, at a pace that the platform bears.
//!
//! A job is matched first, and what matched is written down; then each item is carried out as a durable command under a
//! key of the job's own, so that it has its effect once whenever the process ends. A job outlives the process and goes
//! on by itself, unless it was paused.
//!
//! [`Bulk`] owns the jobs and runs them. What it decides is decided by plain values: which connection acts
//! (`acting`), what an answer means (`outcome`), how fast to go (`pace`), whether to go on (`passes`), what may
//! become of a job (`job`).

mod acting;
mod carrying;
mod filter;
mod housekeeping;
mod job;
mod jobs;
mod live;
mod matching;
mod metrics;
mod operation;
mod outcome;
mod pace;
mod passes;
mod records;
mod running;

pub use filter::{Filter, LISTED_AT_MOST};
pub use job::{AskedAs, End, Failure, Job, JobId, Phase, Rate, State};
pub use jobs::{Bulk, BulkError, DryRun, Order};
pub use live::{Counts, Progress};
pub use operation::Operation;
pub use outcome::Outcome;
pub use records::{Item, Settled};
