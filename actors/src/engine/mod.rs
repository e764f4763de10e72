//! Where a process keeps what must outlive it: the ports, whose implementations are elsewhere, and the one way to them.
//!
//! A [`Store`] keeps the event log and a few tables of records, and commits changes of both at once. The [`Journal`]
//! stands before it: it numbers events, gathers steps into commits and serves readers. [`Leases`] say which process may
//! log in as which user.

mod copy;
mod housekeeping;
mod journal;
mod key;
mod lease;
mod memory;
mod reader;
mod store;
mod validation;
mod window;

pub use copy::StoreCopy;
pub use housekeeping::keep_house;
pub use journal::{AfterCommit, Journal, Loggable, Retention, Step};
pub use key::RecordKey;
pub(crate) use lease::ProcessLeases;
pub use lease::{FencingToken, Lease, LeaseError, Leases, LoginName};
pub use memory::MemoryStore;
pub use reader::{LogBatch, LogReader};
pub use store::{Change, History, Record, Store, StoreError, StorePart, StoredEvent, Table};
pub use validation::LONGEST_KEY;
