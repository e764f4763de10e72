//! Where a process keeps what must outlive it (architecture §5): the ports, whose implementations are elsewhere.
//!
//! A [`Store`] keeps the event log and a few tables of records, and commits changes of both at once. [`Leases`] say
//! which process may log in as which user.

mod key;
mod lease;
mod store;

pub use key::RecordKey;
pub use lease::{FencingToken, Lease, LeaseError, Leases, LoginName};
pub use store::{Change, History, Record, Store, StoreError, StoredEvent, Table};
