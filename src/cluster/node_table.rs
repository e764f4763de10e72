//! The interface to the tables of nodes and duties in the database.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tertulia_actors::core::{
    id::{NodeId, NodeLabel},
    placement::{Acting, Assignment, DutyName, DutySettings},
    tenure::{Beat, NodeEpoch},
};

/// What a node says about itself with every beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeAbout {
    /// How other nodes reach it, as `host:port`.
    pub address: String,
    /// The version of its program, as `major.minor.patch`.
    pub version: String,
    /// When the process joined, in milliseconds since 1970 by its own clock; only to be shown.
    pub since: i64,
    /// How much it takes on, in thousandths.
    pub capacity: u32,
    /// Its labels.
    pub labels: BTreeSet<NodeLabel>,
    /// Whether it hands over all its duties and takes none.
    pub is_draining: bool,
    /// Counts the changes of the duties that it knows; others read those again when it grows.
    pub knows: u64,
    /// Its running connections; only to be shown.
    pub connections: u64,
    /// Its conversations, in memory or asleep; only to be shown.
    pub conversations: u64,
}

/// A node that is neither fenced nor gone.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRow {
    /// Its name.
    pub name: NodeId,
    /// Its last beat.
    pub beat: Beat,
    /// What it said with this beat.
    pub about: NodeAbout,
}

/// A duty and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyRow {
    /// The duty.
    pub name: DutyName,
    /// Who has it. A holder that was fenced still counts as the holder.
    pub assignment: Assignment,
    /// Whether the duty exists no more: its connection was removed.
    pub is_removed: bool,
}

/// The answer to a beat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beaten {
    /// All nodes that are neither fenced nor gone, this one included.
    pub nodes: Vec<NodeRow>,
    /// The duties that changed after the change `seen` of the request.
    pub duties: Vec<DutyRow>,
    /// The number of the newest change of a duty.
    pub changed: u64,
}

/// Why an operation on the tables failed.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum NodeTableError {
    /// This node was fenced, or has left. It must join again.
    #[error("this node was fenced")]
    Fenced,
    /// The database did not answer, or refused. Whether the operation was made is not known; all can be repeated.
    #[error("the database could not {operation}: {reason}")]
    Unavailable {
        /// The operation.
        operation: &'static str,
        /// The reason.
        reason: String,
    },
}

/// The tables of nodes and duties, for one node that has joined. All calls block, each for a limited time. Beats have a
/// connection to the database of their own, so that nothing delays them.
pub trait NodeTable: Send + Sync + 'static {
    /// This node.
    fn me(&self) -> &NodeId;

    /// The number of this node's tenure.
    fn epoch(&self) -> NodeEpoch;

    /// Renews this node's tenure, and returns the nodes and the duties that changed after the change `seen`; all duties
    /// after 0.
    ///
    /// # Errors
    /// [`NodeTableError::Fenced`] if another node fenced this one.
    fn beat(&self, about: &NodeAbout, seen: u64) -> Result<Beaten, NodeTableError>;

    /// Ends the tenure of a silent node, if `beat` is still its last one; `false` if not. When this returns, no commit of
    /// that node is made any more.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn fence(&self, node: &NodeId, beat: Beat) -> Result<bool, NodeTableError>;

    /// Replaces the duties that this node knows. Duties new to all nodes come into being.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn know(&self, duties: &BTreeMap<DutyName, DutySettings>) -> Result<(), NodeTableError>;

    /// The duties that a node knows.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn known(&self, node: &NodeId) -> Result<BTreeMap<DutyName, DutySettings>, NodeTableError>;

    /// Takes those of `duties` that nobody has, or that a fenced node or this one had, and returns the rights to them. Each
    /// has a new token.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn take(&self, duties: &[DutyName]) -> Result<Vec<Acting>, NodeTableError>;

    /// Gives a duty back, after everything that its holder wrote is durable. Its next node stays noted. Does nothing if
    /// `acting` is not the newest right to the duty.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn give_back(&self, acting: &Acting) -> Result<(), NodeTableError>;

    /// Notes which node is to have a duty next, or that none is determined; `false` if the duty does not exist.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn destine(&self, duty: &DutyName, to: Option<&NodeId>) -> Result<bool, NodeTableError>;

    /// Notes that a duty exists no more. Knowing it again brings it back.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn remove(&self, duty: &DutyName) -> Result<(), NodeTableError>;

    /// Ends this node's tenure. Its duties are free at once.
    ///
    /// # Errors
    /// [`NodeTableError`].
    fn leave(&self) -> Result<(), NodeTableError>;
}
