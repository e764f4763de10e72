//! Which nodes run, which are silent, and how long the set of nodes has been the same.

use std::{collections::BTreeMap, time::Duration};

use super::{
    beat::{Beat, NodeEpoch},
    lease_duration::LeaseDuration,
    standing::Standing,
};
use crate::{id::NodeId, session::Millis};

/// The nodes as one node sees them by the answers to its own beats.
///
/// A node counts as silent after a lease without a new beat, by the watching node's clock. Time counts only between
/// answers at most [`LeaseDuration::longest_counted_gap`] apart: after a longer gap the database may have been away,
/// and nobody could renew a beat.
#[derive(Debug, Clone)]
pub struct Membership {
    lease: LeaseDuration,
    nodes: BTreeMap<NodeId, Seen>,
    last_answer: Option<Millis>,
    /// When a node was first seen to join, to join again or to be gone, most recently.
    changed: Millis,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    beat: Beat,
    /// The counted time since this beat was first seen.
    silent_for: Duration,
}

/// What another node's beats say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Observation {
    /// The node beats.
    Beating,
    /// No beat was seen for so long that the node is probably suspended. It gets no new duties.
    Late,
    /// No beat was seen for a lease. The node may be fenced.
    Silent,
}

impl Observation {
    /// Returns the standing that a node seems to have. Never [`Standing::Over`]: only a fence ends a tenure.
    #[must_use]
    pub fn standing(self) -> Standing {
        match self {
            Self::Beating => Standing::Valid,
            Self::Late | Self::Silent => Standing::Suspended,
        }
    }
}

impl Membership {
    /// Begins without any nodes: the first answer names them.
    #[must_use]
    pub fn new(lease: LeaseDuration) -> Self {
        Self { lease, nodes: BTreeMap::new(), last_answer: None, changed: Millis::default() }
    }

    /// The answer to a beat of this node arrived at `now`, with the last beats of all nodes that are neither fenced nor
    /// gone. Answers must be passed in the order in which they were given.
    pub fn answered(&mut self, now: Millis, beats: impl IntoIterator<Item = (NodeId, Beat)>) {
        let gap = self.last_answer.map_or(Duration::ZERO, |last| now.since(last));
        let counted = if gap <= self.lease.longest_counted_gap() { gap } else { Duration::ZERO };
        let before = std::mem::take(&mut self.nodes);
        let seen = |(node, beat): (NodeId, Beat)| {
            let same = before.get(&node).filter(|seen| seen.beat == beat);
            let silent_for = same.map_or(Duration::ZERO, |seen| seen.silent_for.saturating_add(counted));
            (node, Seen { beat, silent_for })
        };
        self.nodes = beats.into_iter().map(seen).collect();
        if self.last_answer.is_none() || !tenures(&before).eq(tenures(&self.nodes)) {
            self.changed = now;
        }
        self.last_answer = Some(now);
    }

    /// Returns what is known about `node`; `None` if the last answer did not name the node.
    #[must_use]
    pub fn observation(&self, node: &NodeId) -> Option<Observation> {
        self.nodes.get(node).map(|seen| self.judge(seen))
    }

    /// Returns the silent nodes, by name, each with the beat that a fence must find unchanged.
    pub fn silent(&self) -> impl Iterator<Item = (&NodeId, Beat)> {
        let silent = self.nodes.iter().filter(|(_, seen)| self.judge(seen) == Observation::Silent);
        silent.map(|(node, seen)| (node, seen.beat))
    }

    /// Returns for how long no node has joined, joined again or gone, up to the last answer.
    #[must_use]
    pub fn unchanged_for(&self) -> Duration {
        self.last_answer.map_or(Duration::ZERO, |last| last.since(self.changed))
    }

    fn judge(&self, seen: &Seen) -> Observation {
        if seen.silent_for >= self.lease.get() {
            Observation::Silent
        } else if seen.silent_for >= self.lease.suspended_after() {
            Observation::Late
        } else {
            Observation::Beating
        }
    }
}

fn tenures(nodes: &BTreeMap<NodeId, Seen>) -> impl Iterator<Item = (&NodeId, NodeEpoch)> {
    nodes.iter().map(|(node, seen)| (node, seen.beat.epoch))
}
