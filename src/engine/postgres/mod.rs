//! The engine that several processes share: a Postgres database, 15 or newer.
//!
//! - *A commit is one call of one function* (`migrations/1.sql`), so one round trip and one transaction: it checks that the
//!   node was not fenced and still has its duties, writes the records, numbers the events, and notes its number. A process
//!   that is stopped or cut off in the middle holds no lock.
//! - *All commits have one order.* Each locks the one row of `log_head` from its numbering to its end, so offsets are dense
//!   and a reader never sees a hole.
//! - *A duty leaves a node in one of two ways*: the node gives it back itself, after its commits, or another node fences it. A
//!   fence waits until a commit under way has ended. The next holder therefore reads everything that was acknowledged to
//!   the last one.
//! - *No call waits for ever.* Every call has a deadline at this side and at the server's; a session that missed one is
//!   closed, and the next call opens another.

mod changes;
mod cluster;
mod connect;
mod migrate;
mod name_watch;
mod nodes;
mod open;
mod session;
mod store;
mod value;

pub use cluster::PostgresCluster;
pub use connect::UrlError;
pub use nodes::PostgresNodes;
pub use open::{OpenError, PostgresParts, check, open};
pub use store::PostgresStore;
