//! The nodes and their duties as one node last read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{capacity::Capacity, weight::Weight};
use super::{duty_name::DutyName, fencing_token::FencingToken, version::NodeVersion};
use crate::{
    id::{NodeId, NodeLabel},
    tenure::Standing,
};

/// The nodes and their duties as one node last read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The nodes by name. A node that is absent counts as one whose standing is over.
    pub nodes: BTreeMap<NodeId, Node>,
    /// Who has which duty. A duty that is absent is not placed.
    pub duties: BTreeMap<DutyName, Assignment>,
    /// For how long the set of nodes has been the same.
    pub unchanged_for: Duration,
}

/// A node as it describes itself, with its standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whether the node may act, as far as the reader of the view can tell.
    pub standing: Standing,
    /// Whether the node hands over all its duties and takes none, because it stops or an operator wants it so.
    pub is_draining: bool,
    /// The version of its program.
    pub version: NodeVersion,
    /// How much it takes on.
    pub capacity: Capacity,
    /// Its labels. Its name need not be among them.
    pub labels: BTreeSet<NodeLabel>,
    /// The duties it knows by its configuration. Shared, because they seldom change.
    pub duties: Arc<BTreeMap<DutyName, DutySettings>>,
}

/// What a node's configuration says about a duty. Nodes may be configured differently: each is asked for itself
/// whether it may have the duty, and the greatest weight counts everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DutySettings {
    /// How much work the duty is.
    pub weight: Weight,
    /// Only nodes with one of these labels may have the duty. Any node if empty.
    pub only: BTreeSet<NodeLabel>,
    /// Nodes with one of these labels may not have the duty.
    pub not: BTreeSet<NodeLabel>,
}

/// Who has a duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// No node ever had the duty.
    Never,
    /// The last holder gave the duty back.
    Released {
        /// The number of the last assignment.
        token: FencingToken,
        /// The node that the last holder gave the duty to, and that has not taken it yet. `None`: any node.
        next: Option<NodeId>,
    },
    /// A node has the duty, or had it when the node was fenced.
    Held {
        /// The node.
        by: NodeId,
        /// The number of the assignment.
        token: FencingToken,
        /// The node that the holder is to hand the duty over to, by a plan that it began or by an operator's request.
        next: Option<NodeId>,
    },
}

impl Node {
    /// Returns whether the node has `label`. Its `name` is one of its labels.
    #[must_use]
    pub fn has_label(&self, name: &NodeId, label: &NodeLabel) -> bool {
        name.as_str() == label.as_str() || self.labels.contains(label)
    }

    /// Returns whether the labels of the node, named `name`, fit a duty with these settings. The node may still be unable to
    /// take the duty now.
    #[must_use]
    pub fn may_have(&self, name: &NodeId, duty: &DutySettings) -> bool {
        let is_one_of = |labels: &BTreeSet<NodeLabel>| labels.iter().any(|label| self.has_label(name, label));
        (duty.only.is_empty() || is_one_of(&duty.only)) && !is_one_of(&duty.not)
    }

    /// Returns whether the node can take duties now: it is valid and does not drain.
    #[must_use]
    pub fn takes_duties(&self) -> bool {
        self.standing == Standing::Valid && !self.is_draining
    }
}
