//! Where each duty goes: free duties to the least loaded nodes, and excess duties away from nodes above their quota.

use std::cmp::Reverse;

use super::{
    eligibility::{Candidates, DutyIndex, NodeIndex},
    loads::Loads,
};

/// The node of each duty while a plan is made.
pub(super) struct Places<'a> {
    candidates: &'a Candidates<'a>,
    loads: Loads,
    places: Vec<Option<NodeIndex>>,
    /// The duties that may move for balance.
    movable: Vec<DutyIndex>,
}

impl<'a> Places<'a> {
    pub(super) fn new(candidates: &'a Candidates<'a>) -> Self {
        Self {
            candidates,
            loads: Loads::none(candidates.nodes.iter().map(|candidate| candidate.node.capacity)),
            places: vec![None; candidates.duties.len()],
            movable: Vec::new(),
        }
    }

    pub(super) fn of(&self, duty: DutyIndex) -> Option<NodeIndex> {
        self.places[duty]
    }

    /// Leaves the duty at a node, whatever the balance.
    pub(super) fn fix(&mut self, duty: DutyIndex, node: NodeIndex) {
        self.loads.add(node, self.candidates.duties[duty].weight);
        self.places[duty] = Some(node);
    }

    /// Leaves the duty at a node that is eligible for it, unless the balance requires a move.
    pub(super) fn keep(&mut self, duty: DutyIndex, node: NodeIndex) {
        self.fix(duty, node);
        self.movable.push(duty);
    }

    /// Places the duties that need a node, the heaviest first. A duty for which no node is eligible has no place.
    pub(super) fn place(&mut self, mut free: Vec<DutyIndex>) {
        free.sort_by_key(|duty| (Reverse(self.candidates.duties[*duty].weight), *duty));
        for duty in free {
            if let Some(node) = self.least_loaded(duty, self.candidates.newest(duty)) {
                self.keep(duty, node);
            }
        }
    }

    /// Moves duties away from nodes above their quota. Ends when no duty of such a node may move.
    ///
    /// This ends: after each move, the giver still has more for its capacity than the receiver had before it. So the
    /// sum of weight × (load without the duty at the time it was added) / capacity falls with each move.
    pub(super) fn balance(&mut self) {
        while self.move_excess() {}
    }

    /// Whether a duty moved.
    fn move_excess(&mut self) -> bool {
        let mut held = vec![Vec::new(); self.candidates.nodes.len()];
        for duty in self.movable.iter().copied() {
            if let Some(node) = self.places[duty].filter(|node| self.is_excess(duty, *node)) {
                held[node].push(duty);
            }
        }
        let mut has_moved = false;
        for (node, mut excess) in held.into_iter().enumerate() {
            excess.sort_by_cached_key(|duty| (self.candidates.score(node, *duty), *duty));
            for duty in excess {
                // The nodes that share the quota, of whatever version: one of them has less than its share.
                let eligible = self.candidates.eligible(duty).iter().copied();
                let receiver = self.is_excess(duty, node).then(|| self.least_loaded(duty, eligible));
                if let Some(receiver) = receiver.flatten() {
                    self.loads.remove(node, self.candidates.duties[duty].weight);
                    self.fix(duty, receiver);
                    has_moved = true;
                }
            }
        }
        has_moved
    }

    fn is_excess(&self, duty: DutyIndex, node: NodeIndex) -> bool {
        self.loads.is_above_quota(node, self.candidates.eligible(duty))
    }

    /// The one of `nodes` with the least load for its capacity. Ties go to the highest score.
    fn least_loaded(&self, duty: DutyIndex, nodes: impl Iterator<Item = NodeIndex>) -> Option<NodeIndex> {
        let score = |node: NodeIndex| Reverse(self.candidates.score(node, duty));
        let compare = |one: &NodeIndex, other: &NodeIndex| {
            self.loads.compare(*one, *other).then_with(|| score(*one).cmp(&score(*other)))
        };
        nodes.min_by(compare)
    }
}
