//! Until when a node may act, and when another node counts as silent. Pure: the caller passes in the time.
//!
//! Each node sends beats to the database. An answered beat renews the node's tenure, which is its right to act. The
//! [`Tenure`] counts from the moment the beat was sent, so the node's own end is never later than the end that others
//! compute.
//!
//! With a lease of *T* ([`LeaseDuration`]) and the time since the last answered beat was sent:
//!
//! | time | [`Standing`] | the node |
//! |---|---|---|
//! | less than 2*T*/3 | `Valid` | acts |
//! | from 2*T*/3 | `Suspended` | sends nothing and takes no commands |
//! | from 5*T*/6 | `Suspended` | has closed its sockets |
//! | after another node fenced it | `Over` | drops its duties and joins again |
//!
//! An answered beat makes a suspended node valid again, however long the database was away. Only a fence is final.
//!
//! [`Membership`] is the other side: it watches the beats of all nodes and finds those to fence. It needs *T* of
//! silence by its own clock, and counts only time in which the watcher's own beats were answered at most 2*T*/5 apart.
//! So an outage of the database makes no node silent. No two clocks are compared. Between 5*T*/6 at the silent node and
//! *T* at the watcher there is room for clocks whose rates differ by less than 20 %.
//!
//! A node may be fenced only by compare-and-set on the [`Beat`] that [`Membership::silent`] returns: a beat that
//! arrives first makes the fence fail.

mod beat;
mod lease_duration;
mod membership;
mod own;
mod standing;
#[cfg(test)]
mod tests;

pub use beat::{Beat, NodeEpoch};
pub use lease_duration::{LeaseDuration, LeaseDurationError};
pub use membership::{Membership, Observation};
pub use own::Tenure;
pub use standing::Standing;
