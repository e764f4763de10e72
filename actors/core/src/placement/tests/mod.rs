//! A cluster without a database: views, and nodes that carry out their parts of the plan.

mod balance;
mod names;
mod numbers;
mod rules;
mod schedules;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::*;
use crate::{
    id::{NodeId, NodeLabel},
    tenure::Standing,
};

const LONG: Duration = Duration::from_secs(60);

/// The rows of the database, and what was moved.
#[derive(Debug, Clone)]
struct Cluster {
    view: View,
    /// What every node's configuration says.
    configured: BTreeMap<DutyName, DutySettings>,
    /// The duties that changed hands, with the previous and the next holder.
    moves: Vec<(DutyName, NodeId, NodeId)>,
}

fn duty(name: &str) -> DutyName {
    DutyName::from(name)
}

fn connections(count: usize) -> impl Iterator<Item = (DutyName, DutySettings)> {
    (0..count).map(|number| (duty(&format!("connection/bots-{number}")), DutySettings::default()))
}

fn weighing(weight: u16) -> DutySettings {
    DutySettings { weight: Weight::new(weight).unwrap(), ..DutySettings::default() }
}

fn labels(labels: &[&str]) -> BTreeSet<NodeLabel> {
    labels.iter().map(|label| NodeLabel::from(*label)).collect()
}

impl Cluster {
    /// A quiet cluster in which no duty was ever held.
    fn of(nodes: &[&str], duties: impl IntoIterator<Item = (DutyName, DutySettings)>) -> Self {
        let configured: BTreeMap<_, _> = duties.into_iter().collect();
        let view = View {
            nodes: BTreeMap::new(),
            duties: configured.keys().map(|duty| (duty.clone(), Assignment::Never)).collect(),
            unchanged_for: LONG,
        };
        let mut cluster = Self { view, configured, moves: Vec::new() };
        for node in nodes {
            cluster.join(node);
        }
        cluster
    }

    /// As [`Cluster::of`], after everything was placed.
    fn settled(nodes: &[&str], duties: impl IntoIterator<Item = (DutyName, DutySettings)>) -> Self {
        let mut cluster = Self::of(nodes, duties);
        cluster.settle();
        cluster
    }

    fn join(&mut self, name: &str) -> &mut Node {
        let node = Node {
            standing: Standing::Valid,
            is_draining: false,
            version: NodeVersion { major: 0, minor: 4, patch: 0 },
            capacity: Capacity::default(),
            labels: BTreeSet::new(),
            duties: Arc::new(self.configured.clone()),
        };
        self.view.nodes.insert(name.into(), node);
        self.node(name)
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.view.nodes.get_mut(name).unwrap()
    }

    fn fence(&mut self, name: &str) {
        self.node(name).standing = Standing::Over;
    }

    fn plan(&self, node: &str) -> Plan {
        plan(&self.view, &node.into())
    }

    fn holder(&self, duty: &DutyName) -> Option<&NodeId> {
        match &self.view.duties[duty] {
            Assignment::Held { by, .. } => Some(by),
            _ => None,
        }
    }

    fn held(&self, node: &str) -> BTreeSet<DutyName> {
        let held = self.view.duties.keys().filter(|duty| self.holder(duty).is_some_and(|holder| holder == node));
        held.cloned().collect()
    }

    fn load(&self, node: &str) -> u64 {
        self.held(node).iter().map(|duty| u64::from(self.configured[duty].weight.get())).sum()
    }

    /// The number of duties of each node, by name.
    fn counts(&self) -> Vec<usize> {
        self.view.nodes.keys().map(|node| self.held(node.as_str()).len()).collect()
    }

    fn hold(&mut self, name: &DutyName, by: &str) {
        let held = Assignment::Held { by: by.into(), token: FencingToken(1), next: None };
        self.view.duties.insert(name.clone(), held);
    }

    /// Requests a move, as an operator does.
    fn request(&mut self, name: &DutyName, to: &str) {
        match self.view.duties.get_mut(name).unwrap() {
            Assignment::Held { next, .. } => *next = Some(to.into()),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn names(&self) -> Vec<NodeId> {
        self.view.nodes.keys().cloned().collect()
    }

    /// Carries out the parts of all nodes, planned from the same view. Returns whether there was anything to do.
    fn carry_out(&mut self) -> bool {
        let before = self.view.clone();
        let mut is_busy = false;
        for node in self.names() {
            is_busy |= self.carry_out_part(&node, &before);
        }
        is_busy
    }

    /// Carries out the part of one node, planned from `seen`. Every update is a compare-and-set.
    fn carry_out_part(&mut self, node: &NodeId, seen: &View) -> bool {
        let plan = plan(seen, node);
        assert!(plan.hand_over.len() <= HANDING_OVER_AT_MOST);
        for name in &plan.take {
            if self.is_unchanged(name, seen) {
                self.assert_may_have(node, name, seen);
                let before = self.view.duties[name].clone();
                let token = match &before {
                    Assignment::Never => FencingToken(1),
                    Assignment::Released { token, .. } => FencingToken(token.0 + 1),
                    Assignment::Held { by, token, .. } => {
                        assert!(seen.nodes.get(by).is_none_or(|holder| holder.standing == Standing::Over));
                        self.moves.push((name.clone(), by.clone(), node.clone()));
                        FencingToken(token.0 + 1)
                    }
                };
                self.view.duties.insert(name.clone(), Assignment::Held { by: node.clone(), token, next: None });
            }
        }
        for HandOver { duty: name, to } in &plan.hand_over {
            if self.is_unchanged(name, seen) {
                let Assignment::Held { by, token, .. } = self.view.duties[name].clone() else {
                    panic!("{node} hands {name} over, which nobody has")
                };
                assert_eq!(by, *node, "{node} hands {name} over");
                if let Some(to) = to {
                    self.assert_may_have(to, name, seen);
                    self.moves.push((name.clone(), by, to.clone()));
                }
                let released = Assignment::Released { token: FencingToken(token.0 + 1), next: to.clone() };
                self.view.duties.insert(name.clone(), released);
            }
        }
        plan != Plan::default()
    }

    fn is_unchanged(&self, duty: &DutyName, seen: &View) -> bool {
        self.view.duties[duty] == seen.duties[duty]
    }

    fn assert_may_have(&self, node: &NodeId, name: &DutyName, seen: &View) {
        let described = &seen.nodes[node];
        let settings = described.duties.get(name).unwrap_or_else(|| panic!("{node} does not know {name}"));
        let fits = described.takes_duties() && described.may_have(node, settings);
        assert!(fits, "{node} may not have {name}");
    }

    /// Carries plans out until no node has anything to do. Returns the moves.
    fn settle(&mut self) -> Vec<(DutyName, NodeId, NodeId)> {
        self.moves.clear();
        let most = 2 * self.view.duties.len() + 10;
        let rounds = (0..most).take_while(|_| self.carry_out()).count();
        assert!(rounds < most, "still busy after {rounds} rounds");
        std::mem::take(&mut self.moves)
    }
}
