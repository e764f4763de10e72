//! Bulk jobs: one operation on every conversation that a filter selects, at a rate that the platform accepts.
//!
//! A job first finds the matching conversations and stores them as items. Then it processes each item as a durable
//! command under a key of the job, so that the command has its effect once, whenever the process ends. After a restart
//! a job continues by itself, unless it was paused.
//!
//! [`Bulk`] has the duty to run jobs (`duty`), and `jobs` are those of the present holder. They act through a port
//! (`connections`), because a connection may run on another node. The decisions are made by plain values: which connection acts (`acting`), what
//! an outcome means (`outcome`), the speed (`pace`), whether to retry (`passes`), and the states of a job (`job`).

mod accounts;
mod acting;
mod carrying;
mod connections;
mod counts;
mod duty;
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

pub(crate) use connections::{ConnectionState, Connections, DurableCommand, Outcome, PATIENCE, Typing};
pub use counts::Counts;
pub use duty::Bulk;
pub use filter::{Filter, LISTED_AT_MOST};
pub use job::{AskedAs, End, Job, JobFailure, JobId, Phase, Rate, State};
pub use jobs::{BulkError, DryRun, Order};
pub use live::Progress;
pub use operation::Operation;
pub use outcome::ItemOutcome;
pub use records::{Item, Settled};
