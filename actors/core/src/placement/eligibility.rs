//! Which nodes may get which duty.

use std::collections::BTreeMap;

use super::{
    duty_name::DutyName,
    rendezvous::{Score, Seed},
    version::NodeVersion,
    view::{Assignment, Node, View},
    weight::Weight,
};
use crate::{id::NodeId, tenure::Standing};

/// The place of a node in [`Candidates::nodes`].
pub(super) type NodeIndex = usize;
/// The place of a duty in [`Candidates::duties`].
pub(super) type DutyIndex = usize;

/// The nodes and the duties of a view, and which nodes are eligible for which duties.
pub(super) struct Candidates<'a> {
    /// The nodes whose standing is not over, by name.
    pub(super) nodes: Vec<Candidate<'a>>,
    /// The duties, by name.
    pub(super) duties: Vec<Duty<'a>>,
    /// The different sets of eligible nodes, each in order. Most duties share a few of them.
    groups: Vec<Vec<NodeIndex>>,
}

pub(super) struct Candidate<'a> {
    pub(super) name: &'a NodeId,
    pub(super) node: &'a Node,
    seed: Seed,
}

pub(super) struct Duty<'a> {
    pub(super) name: &'a DutyName,
    pub(super) assignment: &'a Assignment,
    /// The greatest weight that a node states.
    pub(super) weight: Weight,
    text: String,
    group: usize,
}

impl<'a> Candidates<'a> {
    pub(super) fn of(view: &'a View) -> Self {
        let present = view.nodes.iter().filter(|(_, node)| node.standing != Standing::Over);
        let nodes: Vec<_> = present.map(|(name, node)| Candidate { name, node, seed: Seed::of(name) }).collect();
        let (weights, eligible) = stated(&nodes, view);
        let mut places = BTreeMap::new();
        let mut groups = Vec::new();
        let mut duties = Vec::with_capacity(view.duties.len());
        for (((name, assignment), weight), nodes) in view.duties.iter().zip(weights).zip(eligible) {
            let group = *places.entry(nodes).or_insert_with_key(|nodes| {
                groups.push(nodes.clone());
                groups.len() - 1
            });
            duties.push(Duty { name, assignment, weight, text: name.to_string(), group });
        }
        Self { nodes, duties, groups }
    }

    pub(super) fn node(&self, name: &NodeId) -> Option<NodeIndex> {
        self.nodes.binary_search_by_key(&name, |candidate| candidate.name).ok()
    }

    /// The nodes that may get the duty, of any version.
    pub(super) fn eligible(&self, duty: DutyIndex) -> &[NodeIndex] {
        &self.groups[self.duties[duty].group]
    }

    pub(super) fn is_eligible(&self, node: NodeIndex, duty: DutyIndex) -> bool {
        self.eligible(duty).binary_search(&node).is_ok()
    }

    /// The nodes of the newest version among those that may get the duty.
    pub(super) fn newest(&self, duty: DutyIndex) -> impl Iterator<Item = NodeIndex> {
        let eligible = self.eligible(duty).iter().copied();
        let newest = eligible.clone().map(|node| self.version(node)).max();
        eligible.filter(move |node| Some(self.version(*node)) == newest)
    }

    /// Whether the node could do the duty if it neither drained nor were suspended.
    pub(super) fn can_do(&self, node: NodeIndex, duty: DutyIndex) -> bool {
        let Candidate { name, node, .. } = &self.nodes[node];
        node.duties.get(self.duties[duty].name).is_some_and(|settings| node.may_have(name, settings))
    }

    pub(super) fn have_one_version(&self) -> bool {
        self.nodes.windows(2).all(|pair| pair[0].node.version == pair[1].node.version)
    }

    pub(super) fn score(&self, node: NodeIndex, duty: DutyIndex) -> Score {
        self.nodes[node].seed.score(&self.duties[duty].text)
    }

    fn version(&self, node: NodeIndex) -> NodeVersion {
        self.nodes[node].node.version
    }
}

/// The weight and the eligible nodes of each duty. Both the duties and what each node knows are in order of names, so
/// one pass for each node is enough.
fn stated(nodes: &[Candidate<'_>], view: &View) -> (Vec<Weight>, Vec<Vec<NodeIndex>>) {
    let mut weights = vec![Weight::default(); view.duties.len()];
    let mut eligible = vec![Vec::new(); view.duties.len()];
    for (index, Candidate { name, node, .. }) in nodes.iter().enumerate() {
        let mut known = node.duties.iter().peekable();
        for (duty, place) in view.duties.keys().zip(0..) {
            while known.next_if(|(other, _)| *other < duty).is_some() {}
            let Some((_, settings)) = known.next_if(|(other, _)| *other == duty) else { continue };
            weights[place] = settings.weight.max(weights[place]);
            if node.takes_duties() && node.may_have(name, settings) {
                eligible[place].push(index);
            }
        }
    }
    (weights, eligible)
}
