//! Which node does which duty, where several nodes share a database. Pure: a view goes in, a plan comes out.
//!
//! A duty is work that exactly one node does at a time ([`DutyName`]). Every node computes the same [`plan`] from the
//! same [`View`] and carries out its own part of it, by compare-and-set. If the views of two nodes differ, one of their
//! updates is refused, and that node plans again with a newer view.
//!
//! # Rules
//!
//! - A node is eligible for a duty if it is valid, does not drain, knows the duty, and its labels fit. A node's name
//!   counts as one of its labels.
//! - An eligible holder keeps its duty, except for balance. A holder that is not eligible any more hands the duty over
//!   at once. A suspended holder keeps its duties until it is fenced.
//! - Free duties go to eligible nodes of the newest version among them: the heaviest duty first, each to the node with
//!   the least load for its capacity. The rendezvous score of node and duty decides ties.
//! - A node's quota is its share by capacity of the load of all nodes eligible for the duty, plus less than one duty
//!   (the heaviest that the node has). A node above its quota hands over the duties with the lowest scores, to nodes
//!   below their share. If versions differ, no node does.
//! - Duties that nobody has, and moves for balance, wait until the set of nodes was the same for [`QUIET`]. Nodes that
//!   start together then share the duties. The duties of a fenced node do not wait, nor do moves that drain a node,
//!   that an operator requested, or that leave a holder which is not eligible.
//! - At most [`HANDING_OVER_AT_MOST`] duties of a node are handed over at a time.
//!
//! An operator's move is not remembered after the move. A node that is above its quota afterwards gives another duty
//! away. To keep a duty at a node, set its labels.
//!
//! All arithmetic is in whole numbers, so that every node computes the same plan.

mod acting;
mod balance;
mod capacity;
mod duty_name;
mod eligibility;
mod fencing_token;
mod loads;
mod plan;
mod rendezvous;
#[cfg(test)]
mod tests;
mod version;
mod view;
mod weight;

pub use acting::Acting;
pub use capacity::{Capacity, CapacityError};
pub use duty_name::DutyName;
pub use fencing_token::FencingToken;
pub use plan::{HANDING_OVER_AT_MOST, HandOver, Plan, QUIET, plan};
pub use version::{NodeVersion, NodeVersionError};
pub use view::{Assignment, DutySettings, Node, View};
pub use weight::{Weight, WeightError};
