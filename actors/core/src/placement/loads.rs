//! How much each node has, in proportion to its capacity.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{capacity::Capacity, eligibility::NodeIndex, weight::Weight};

/// The load of each node: the weights of its duties together. Loads are compared by whole numbers only.
pub(super) struct Loads(Vec<Load>);

struct Load {
    capacity: u128,
    weight: u128,
    /// How many duties there are of each weight.
    duties: BTreeMap<Weight, usize>,
}

impl Loads {
    pub(super) fn none(capacities: impl Iterator<Item = Capacity>) -> Self {
        let none =
            |capacity: Capacity| Load { capacity: capacity.thousandths().into(), weight: 0, duties: BTreeMap::new() };
        Self(capacities.map(none).collect())
    }

    pub(super) fn add(&mut self, node: NodeIndex, weight: Weight) {
        let load = &mut self.0[node];
        load.weight += u128::from(weight.get());
        *load.duties.entry(weight).or_default() += 1;
    }

    /// Takes a duty of this weight from the node, which has one.
    pub(super) fn remove(&mut self, node: NodeIndex, weight: Weight) {
        let load = &mut self.0[node];
        load.weight -= u128::from(weight.get());
        if let Some(count) = load.duties.get_mut(&weight) {
            *count -= 1;
            if *count == 0 {
                load.duties.remove(&weight);
            }
        }
    }

    /// Compares the loads of two nodes in proportion to their capacities.
    pub(super) fn compare(&self, one: NodeIndex, other: NodeIndex) -> Ordering {
        let (one, other) = (&self.0[one], &self.0[other]);
        (one.weight * other.capacity).cmp(&(other.weight * one.capacity))
    }

    /// Whether the node has more than its share by capacity of what `nodes` have together, by at least its heaviest
    /// duty. Then another of these nodes has less than its share.
    pub(super) fn is_above_quota(&self, node: NodeIndex, nodes: &[NodeIndex]) -> bool {
        let sum = |part: fn(&Load) -> u128| nodes.iter().map(|node| part(&self.0[*node])).sum::<u128>();
        let (weight, capacity) = (sum(|load| load.weight), sum(|load| load.capacity));
        let load = &self.0[node];
        let heaviest = load.duties.last_key_value().map_or(0, |(weight, _)| u128::from(weight.get()));
        heaviest > 0 && (load.weight - heaviest) * capacity >= weight * load.capacity
    }
}
