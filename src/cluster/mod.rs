//! This process as one node of several that share a database: who the other nodes are, who has which duty, and how
//! requests reach the node that can serve them.
//!
//! Agreement is the database's ([`NodeTable`]). What a node does by itself follows from its newest view of the nodes and
//! duties ([`ClusterView`]).

mod certificates;
mod connections;
mod duties;
mod learning;
mod members;
mod metrics;
mod moves;
mod node_table;
mod peer_calls;
pub(crate) mod peers;
mod picture;
#[cfg(test)]
mod simulation;
pub(crate) mod trust;
mod view;
mod work;

pub use certificates::TrustError;
pub(crate) use connections::{COMMANDS, ClusterConnections, STATE, TYPING};
pub(crate) use duties::{Duties, Runnable};
pub use members::Members;
pub use metrics::ClusterMetrics;
pub use moves::{DutyMove, MoveCause};
pub use node_table::{Beaten, DutyRow, NodeAbout, NodeRow, NodeTable, NodeTableError};
pub use view::{ClusterView, Holder, Peer};
pub(crate) use work::{Work, give_back, until_lost};
