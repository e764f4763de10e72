//! Persistence: the interfaces of the store and the cluster, which are implemented elsewhere, and the journal that uses
//! them.
//!
//! A [`Store`] keeps the event log and a few tables of records. It numbers events, and commits changes of both
//! atomically. The [`Journal`] is the only access to it: it gathers steps into commits and serves readers. A [`Cluster`]
//! decides which process has which duty, and which may log in as which user.

mod batch;
mod cluster;
mod copy;
#[cfg(test)]
mod faulty_store;
mod housekeeping;
mod journal;
mod key;
mod lease;
mod memory;
mod reader;
mod retention;
mod seal;
mod send_gate;
mod step;
mod store;
mod tenure;
mod validation;
mod window;

pub use cluster::{Cluster, ClusterError, LocalCluster};
pub use copy::StoreCopy;
#[cfg(test)]
pub(crate) use faulty_store::{FaultyStore, StoreFault};
pub use journal::Journal;
pub use key::RecordKey;
pub use lease::{Lease, LeaseError, LoginName};
pub use memory::MemoryStore;
pub use reader::{LogBatch, LogReader};
pub use retention::Retention;
pub use seal::RecordSeal;
pub(crate) use send_gate::SendGate;
pub(crate) use step::AfterCommit;
pub use step::{Loggable, Step};
pub use store::{
    Change, Commit, CommitError, Committed, History, NewEvent, Record, Store, StoreError, StoredEvent, Table,
};
pub use tenure::Tenure;
