//! The nodes and duties as this node last saw them.

use std::{collections::BTreeMap, time::Duration};

use tertulia_actors::core::{
    id::NodeId,
    placement::{Assignment, DutyName, View},
    tenure::{NodeEpoch, Standing},
};

use super::{DutyMove, NodeAbout};

/// Another node, as requests to it need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Its name.
    pub name: NodeId,
    /// Its tenure.
    pub epoch: NodeEpoch,
    /// The time since a new beat of it was first seen.
    pub silent_for: Duration,
    /// What it last said about itself.
    pub about: NodeAbout,
}

/// The nodes and duties as this node last saw them.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterView {
    /// This node.
    pub me: NodeId,
    /// Nodes and duties, as plans are made from.
    pub placement: View,
    /// All nodes by name, this one included.
    pub nodes: BTreeMap<NodeId, Peer>,
    /// The last duties that this node has taken, the oldest first.
    pub moves: Vec<DutyMove>,
}

/// Where a duty is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// At this node.
    Me,
    /// At another node, which did not fall silent.
    Other(NodeId),
    /// Nowhere at the moment: it moves, or its node is silent.
    Nobody,
    /// The duty does not exist.
    Unknown,
}

impl ClusterView {
    /// Returns where a duty is done. A holder that hands the duty over still has it.
    #[must_use]
    pub fn holder(&self, duty: &DutyName) -> Holder {
        match self.placement.duties.get(duty) {
            None => Holder::Unknown,
            Some(Assignment::Held { by, .. }) if *by == self.me => Holder::Me,
            Some(Assignment::Held { by, .. }) if self.stands(by) => Holder::Other(by.clone()),
            Some(Assignment::Held { .. } | Assignment::Never | Assignment::Released { .. }) => Holder::Nobody,
        }
    }

    /// Whether a duty that this node has is to go to another node, so that this one begins nothing more for it.
    #[must_use]
    pub fn is_leaving(&self, duty: &DutyName) -> bool {
        let next = match self.placement.duties.get(duty) {
            Some(Assignment::Held { by, next: Some(next), .. }) if *by == self.me => next,
            _ => return false,
        };
        *next != self.me && self.placement.nodes.contains_key(next)
    }

    /// The other nodes that did not fall silent, by name.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.nodes.values().filter(|peer| peer.name != self.me && self.stands(&peer.name))
    }

    fn stands(&self, node: &NodeId) -> bool {
        self.placement.nodes.get(node).is_some_and(|node| node.standing == Standing::Valid)
    }
}
