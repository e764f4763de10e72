//! What a node knows of the others, put together from the answers to its beats. Pure: the caller passes in the time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tertulia_actors::core::{
    id::NodeId,
    placement::{Assignment, Capacity, DutyName, DutySettings, Node, NodeVersion, View},
    session::Millis,
    tenure::{Beat, LeaseDuration, Membership, NodeEpoch, Observation, Standing},
    time::Timestamp,
};

use super::{Beaten, ClusterView, DutyMove, NodeRow, Peer, moves::Moves};

/// The duties that a node knows, by its own configuration.
type Known = Arc<BTreeMap<DutyName, DutySettings>>;

/// What a node knows of the others.
pub(super) struct Picture {
    me: NodeId,
    membership: Membership,
    nodes: BTreeMap<NodeId, NodeRow>,
    /// When the last beat of each node was first seen.
    beaten: HashMap<NodeId, (Beat, Millis)>,
    /// The duties of each node's tenure, and the number of the change that they were read after.
    known: HashMap<NodeId, (NodeEpoch, u64, Known)>,
    duties: BTreeMap<DutyName, Assignment>,
    moves: Moves,
    seen: u64,
    now: Millis,
}

impl Picture {
    pub(super) fn new(me: NodeId, lease: LeaseDuration) -> Self {
        Self {
            moves: Moves::new(me.clone()),
            me,
            membership: Membership::new(lease),
            nodes: BTreeMap::new(),
            beaten: HashMap::new(),
            known: HashMap::new(),
            duties: BTreeMap::new(),
            seen: 0,
            now: Millis::default(),
        }
    }

    /// The number of the newest change of a duty that is part of the picture.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// The answer to a beat arrived at `now`, which is `wall` by the usual clock. Returns the duties that this node has taken since.
    pub(super) fn answered(&mut self, now: Millis, wall: Timestamp, beaten: Beaten) -> Vec<DutyMove> {
        self.now = now;
        self.membership.answered(now, beaten.nodes.iter().map(|row| (row.name.clone(), row.beat)));
        let before = std::mem::take(&mut self.beaten);
        for row in &beaten.nodes {
            let same = before.get(&row.name).filter(|(beat, _)| *beat == row.beat);
            self.beaten.insert(row.name.clone(), same.copied().unwrap_or((row.beat, now)));
        }
        for (node, (_, last)) in before {
            if !self.beaten.contains_key(&node) {
                self.moves.gone(node, last);
            }
        }
        self.nodes = beaten.nodes.into_iter().map(|row| (row.name.clone(), row)).collect();
        self.known.retain(|node, _| self.nodes.contains_key(node));
        let mut moves = Vec::new();
        for duty in beaten.duties {
            if duty.is_removed {
                self.duties.remove(&duty.name);
                continue;
            }
            let is_draining = |node: &NodeId| self.nodes.get(node).is_some_and(|row| row.about.is_draining);
            let before = self.duties.get(&duty.name);
            moves.extend(self.moves.assigned(&duty.name, before, &duty.assignment, (now, wall), is_draining));
            self.duties.insert(duty.name, duty.assignment);
        }
        self.moves.forget_gone(&self.duties);
        self.seen = self.seen.max(beaten.changed);
        moves
    }

    /// The nodes whose known duties must be read again.
    pub(super) fn outdated(&self) -> Vec<NodeId> {
        let is_current = |row: &NodeRow| {
            let known = self.known.get(&row.name);
            known.is_some_and(|(epoch, knows, _)| (*epoch, *knows) == (row.beat.epoch, row.about.knows))
        };
        self.nodes.values().filter(|row| !is_current(row)).map(|row| row.name.clone()).collect()
    }

    /// The duties that a node knows were read.
    pub(super) fn learned(&mut self, node: &NodeId, duties: BTreeMap<DutyName, DutySettings>) {
        if let Some(row) = self.nodes.get(node) {
            self.known.insert(node.clone(), (row.beat.epoch, row.about.knows, Arc::new(duties)));
        }
    }

    /// The silent nodes except this one, each with the beat that a fence must find unchanged.
    pub(super) fn silent(&self) -> Vec<(NodeId, Beat)> {
        let others = self.membership.silent().filter(|(node, _)| **node != self.me);
        others.map(|(node, beat)| (node.clone(), beat)).collect()
    }

    /// The picture as others read it. `standing` is this node's own, which it knows better than the database.
    pub(super) fn view(&self, standing: Standing) -> ClusterView {
        let nodes = self.nodes.values().map(|row| (row.name.clone(), self.node(row, standing))).collect();
        let placement = View { nodes, duties: self.duties.clone(), unchanged_for: self.membership.unchanged_for() };
        let peer = |row: &NodeRow| Peer {
            name: row.name.clone(),
            epoch: row.beat.epoch,
            silent_for: self.beaten.get(&row.name).map_or(Duration::ZERO, |(_, since)| self.now.since(*since)),
            about: row.about.clone(),
        };
        let nodes = self.nodes.values().map(|row| (row.name.clone(), peer(row))).collect();
        ClusterView { me: self.me.clone(), placement, nodes, moves: self.moves.recent() }
    }

    fn node(&self, row: &NodeRow, own: Standing) -> Node {
        let seen = self.membership.observation(&row.name).map_or(Standing::Suspended, Observation::standing);
        Node {
            standing: if row.name == self.me { own } else { seen },
            is_draining: row.about.is_draining,
            version: row.about.version.parse().unwrap_or(NodeVersion { major: 0, minor: 0, patch: 0 }),
            capacity: Capacity::new(f64::from(row.about.capacity) / 1_000.0).unwrap_or_default(),
            labels: row.about.labels.clone(),
            duties: self.known.get(&row.name).map(|(_, _, known)| Arc::clone(known)).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::core::placement::FencingToken;

    use super::{super::DutyRow, *};

    fn row(name: &str, number: u64, knows: u64) -> NodeRow {
        let about = crate::cluster::NodeAbout {
            address: format!("{name}:1"),
            version: "1.2.3".to_owned(),
            since: 0,
            capacity: 2_000,
            labels: ["eu".into()].into(),
            is_draining: false,
            knows,
            connections: 0,
            conversations: 0,
        };
        NodeRow { name: name.into(), beat: Beat { epoch: NodeEpoch(1), number }, about }
    }

    fn duty(name: &str, assignment: Assignment, is_removed: bool) -> DutyRow {
        DutyRow { name: DutyName::Connection(name.into()), assignment, is_removed }
    }

    fn held(by: &str) -> Assignment {
        Assignment::Held { by: by.into(), token: FencingToken(1), next: None }
    }

    fn picture() -> Picture {
        Picture::new("a".into(), LeaseDuration::default())
    }

    fn at(seconds: u64) -> Millis {
        Millis(1_000 * seconds)
    }

    #[test]
    fn a_node_without_beats_is_silent_after_a_lease_and_this_one_never_is() {
        let mut picture = picture();
        // With the same beats again and again, and answers that come as often as they should.
        let mut seconds = 0;
        while picture.silent().is_empty() {
            let beats = Beaten { nodes: vec![row("a", 1, 0), row("b", 7, 0)], ..Beaten::default() };
            picture.answered(at(seconds), Timestamp(0), beats);
            seconds += 1;
        }
        assert_eq!(Duration::from_secs(seconds - 1), LeaseDuration::default().get());
        assert_eq!(picture.silent(), [("b".into(), Beat { epoch: NodeEpoch(1), number: 7 })]);
        let view = picture.view(Standing::Valid);
        assert_eq!(view.placement.nodes["a"].standing, Standing::Valid);
        assert_eq!(view.placement.nodes["b"].standing, Standing::Suspended);
        assert_eq!(view.nodes["b"].silent_for, LeaseDuration::default().get());
        assert_eq!(view.peers().count(), 0);
    }

    #[test]
    fn changes_of_duties_add_up_and_removed_ones_are_gone() {
        let mut picture = picture();
        let duties = vec![duty("one", held("a"), false), duty("two", held("a"), false)];
        picture.answered(at(0), Timestamp(0), Beaten { nodes: vec![row("a", 1, 0)], duties, changed: 5 });
        let duties = vec![duty("one", Assignment::Never, false), duty("two", held("a"), true)];
        picture.answered(at(1), Timestamp(0), Beaten { nodes: vec![row("a", 2, 0)], duties, changed: 9 });
        // An answer without changes takes nothing away.
        picture.answered(at(2), Timestamp(0), Beaten { nodes: vec![row("a", 3, 0)], changed: 9, ..Beaten::default() });
        assert_eq!(picture.seen(), 9);
        let duties = picture.view(Standing::Valid).placement.duties;
        assert_eq!(duties.into_iter().collect::<Vec<_>>(), [("connection/one".into(), Assignment::Never)]);
    }

    #[test]
    fn what_a_node_can_do_is_read_again_when_it_says_so_or_joins_again() {
        let mut picture = picture();
        let names = |picture: &Picture| picture.outdated().iter().map(ToString::to_string).collect::<Vec<_>>();
        let beats = |rows: [NodeRow; 2]| Beaten { nodes: rows.into(), ..Beaten::default() };
        picture.answered(at(0), Timestamp(0), beats([row("a", 1, 1), row("b", 1, 1)]));
        assert_eq!(names(&picture), ["a", "b"]);
        for node in ["a", "b"] {
            picture.learned(&node.into(), [(DutyName::Bulk, DutySettings::default())].into());
        }
        picture.answered(at(1), Timestamp(0), beats([row("a", 2, 1), row("b", 2, 2)]));
        assert_eq!(names(&picture), ["b"]);
        let again = NodeRow { beat: Beat { epoch: NodeEpoch(2), number: 0 }, ..row("a", 0, 1) };
        picture.answered(at(2), Timestamp(0), beats([again, row("b", 3, 2)]));
        assert_eq!(names(&picture), ["a", "b"]);
        // A plan is made from what was read last.
        let node = &picture.view(Standing::Valid).placement.nodes["b"];
        assert!(node.duties.contains_key(&DutyName::Bulk) && node.labels.contains("eu"));
        assert_eq!(node.capacity, Capacity::new(2.0).unwrap());
    }
}
