//! Nodes with their tables in memory, on a clock that moves only when a test says so. Everything between the database and
//! the duties is real: what a beat changes, who counts as silent, who is fenced, and who takes what.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use proptest::prelude::*;
use tertulia_actors::{
    core::{
        id::NodeId,
        placement::{Acting, Assignment, DutyName, DutySettings, FencingToken, plan},
        session::Millis,
        tenure::{Beat, LeaseDuration, NodeEpoch, Standing, Tenure as Rules},
        time::Timestamp,
    },
    engine::Tenure,
};

use super::{Beaten, DutyRow, NodeAbout, NodeRow, NodeTable, NodeTableError, members::Shared, picture::Picture};

/// How far the clock moves at a time, in milliseconds.
const STEP: u64 = 100;
/// The duties of the tests.
const DUTIES: usize = 9;

fn lease() -> LeaseDuration {
    LeaseDuration::default()
}

fn leases(number: u64) -> u64 {
    number * u64::try_from(lease().get().as_millis()).unwrap()
}

fn beats(number: u64) -> u64 {
    number * u64::try_from(lease().beat_every().as_millis()).unwrap()
}

fn duties() -> impl Iterator<Item = DutyName> {
    (1..=DUTIES).map(|number| DutyName::Connection(format!("bots-{number}").as_str().into()))
}

/// The database.
#[derive(Default)]
struct Tables {
    nodes: BTreeMap<NodeId, (NodeRow, Standing)>,
    known: BTreeMap<NodeId, BTreeMap<DutyName, DutySettings>>,
    duties: BTreeMap<DutyName, (Assignment, u64)>,
    changed: u64,
    epochs: u64,
    is_away: bool,
}

impl Tables {
    fn assign(&mut self, duty: &DutyName, assignment: Assignment) {
        self.changed += 1;
        self.duties.insert(duty.clone(), (assignment, self.changed));
    }

    fn free(&mut self, duty: &DutyName) {
        if let Some((Assignment::Held { token, next, .. }, _)) = self.duties.get(duty).cloned() {
            self.assign(duty, Assignment::Released { token, next });
        }
    }

    /// Begins a tenure; `None` while a node of this name is neither fenced nor gone.
    fn join(&mut self, name: &NodeId) -> Option<NodeEpoch> {
        if self.nodes.get(name).is_some_and(|(_, standing)| *standing != Standing::Over) {
            return None;
        }
        self.epochs += 1;
        let epoch = NodeEpoch(self.epochs);
        let row = NodeRow { name: name.clone(), beat: Beat { epoch, number: 0 }, about: about(name) };
        self.nodes.insert(name.clone(), (row, Standing::Valid));
        self.known.remove(name);
        let is_held = |assignment: &Assignment| matches!(assignment, Assignment::Held { by, .. } if by == name);
        let held: Vec<DutyName> =
            self.duties.iter().filter(|(_, (held, _))| is_held(held)).map(|(duty, _)| duty.clone()).collect();
        held.iter().for_each(|duty| self.free(duty));
        Some(epoch)
    }
}

fn about(name: &NodeId) -> NodeAbout {
    NodeAbout {
        address: format!("{name}:1"),
        version: "1.0.0".to_owned(),
        since: 0,
        capacity: 1_000,
        labels: BTreeSet::new(),
        is_draining: false,
        knows: 1,
        connections: 0,
        conversations: 0,
    }
}

/// The database as one node reaches it.
struct FakeTable {
    me: NodeId,
    epoch: NodeEpoch,
    tables: Arc<Mutex<Tables>>,
    is_cut_off: Arc<AtomicBool>,
}

impl FakeTable {
    fn reach(&self) -> Result<MutexGuard<'_, Tables>, NodeTableError> {
        let tables = self.tables.lock().unwrap();
        if tables.is_away || self.is_cut_off.load(Ordering::Relaxed) {
            return Err(NodeTableError::Unavailable { operation: "answer", reason: "it is away".to_owned() });
        }
        Ok(tables)
    }

    /// The tables, for something that only a node may do that stands.
    fn stand(&self) -> Result<MutexGuard<'_, Tables>, NodeTableError> {
        let tables = self.reach()?;
        match tables.nodes.get(&self.me) {
            Some((row, Standing::Valid)) if row.beat.epoch == self.epoch => Ok(tables),
            _ => Err(NodeTableError::Fenced),
        }
    }
}

impl NodeTable for FakeTable {
    fn me(&self) -> &NodeId {
        &self.me
    }

    fn epoch(&self) -> NodeEpoch {
        self.epoch
    }

    fn beat(&self, about: &NodeAbout, seen: u64) -> Result<Beaten, NodeTableError> {
        let mut tables = self.stand()?;
        let (row, _) = tables.nodes.get_mut(&self.me).unwrap();
        (row.beat.number, row.about) = (row.beat.number + 1, about.clone());
        let stands = tables.nodes.values().filter(|(_, standing)| *standing == Standing::Valid);
        let changed = tables.duties.iter().filter(|(_, (_, changed))| *changed > seen);
        Ok(Beaten {
            nodes: stands.map(|(row, _)| row.clone()).collect(),
            duties: changed
                .map(|(name, (assignment, _))| DutyRow {
                    name: name.clone(),
                    assignment: assignment.clone(),
                    is_removed: false,
                })
                .collect(),
            changed: tables.changed,
        })
    }

    fn fence(&self, node: &NodeId, beat: Beat) -> Result<bool, NodeTableError> {
        let mut tables = self.reach()?;
        let found =
            tables.nodes.get_mut(node).filter(|(row, standing)| row.beat == beat && *standing == Standing::Valid);
        Ok(found.map(|(_, standing)| *standing = Standing::Over).is_some())
    }

    fn know(&self, duties: &BTreeMap<DutyName, DutySettings>) -> Result<(), NodeTableError> {
        let mut tables = self.stand()?;
        tables.known.insert(self.me.clone(), duties.clone());
        for duty in duties.keys() {
            if !tables.duties.contains_key(duty) {
                tables.assign(duty, Assignment::Never);
            }
        }
        Ok(())
    }

    fn known(&self, node: &NodeId) -> Result<BTreeMap<DutyName, DutySettings>, NodeTableError> {
        Ok(self.reach()?.known.get(node).cloned().unwrap_or_default())
    }

    fn take(&self, duties: &[DutyName]) -> Result<Vec<Acting>, NodeTableError> {
        let mut tables = self.stand()?;
        let mut taken = Vec::new();
        for duty in duties {
            let last = match &tables.duties[duty].0 {
                Assignment::Never => FencingToken(0),
                Assignment::Released { token, .. } => *token,
                Assignment::Held { by, token, .. } => {
                    let stands = tables.nodes.get(by).is_some_and(|(_, standing)| *standing == Standing::Valid);
                    if stands && *by != self.me {
                        continue;
                    }
                    *token
                }
            };
            let token = FencingToken(last.0 + 1);
            tables.assign(duty, Assignment::Held { by: self.me.clone(), token, next: None });
            taken.push(Acting { duty: duty.clone(), token });
        }
        Ok(taken)
    }

    fn give_back(&self, acting: &Acting) -> Result<(), NodeTableError> {
        let mut tables = self.stand()?;
        let newest = &tables.duties[&acting.duty].0;
        if matches!(newest, Assignment::Held { by, token, .. } if *by == self.me && *token == acting.token) {
            tables.free(&acting.duty);
        }
        Ok(())
    }

    fn destine(&self, duty: &DutyName, to: Option<&NodeId>) -> Result<bool, NodeTableError> {
        let mut tables = self.reach()?;
        let destined = match tables.duties[duty].0.clone() {
            Assignment::Never => return Ok(true),
            Assignment::Released { token, .. } => Assignment::Released { token, next: to.cloned() },
            Assignment::Held { by, token, .. } => Assignment::Held { by, token, next: to.cloned() },
        };
        tables.assign(duty, destined);
        Ok(true)
    }

    fn remove(&self, _: &DutyName) -> Result<(), NodeTableError> {
        Ok(())
    }

    fn leave(&self) -> Result<(), NodeTableError> {
        Ok(())
    }
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    Runs,
    /// It stands still, and may go on.
    Stopped,
    Dead,
}

/// A tenure of a node.
struct Joined {
    table: Arc<FakeTable>,
    shared: Shared,
    picture: Picture,
    rules: Rules,
    /// The duties that it does.
    does: BTreeMap<DutyName, FencingToken>,
    next_beat: u64,
}

/// A node that may have joined.
struct Node {
    name: NodeId,
    process: Process,
    is_cut_off: Arc<AtomicBool>,
    joined: Option<Joined>,
    /// The beat of a node of the same name that did not leave, and since when it is the same.
    waits_for: Option<(Beat, u64)>,
}

impl Node {
    fn acts(&self, now: u64) -> bool {
        self.process == Process::Runs && self.joined.as_ref().is_some_and(|joined| joined.rules.may_act(Millis(now)))
    }

    fn does(&self, duty: &DutyName) -> Option<FencingToken> {
        self.joined.as_ref()?.does.get(duty).copied()
    }

    fn turn(&mut self, now: u64, tables: &Arc<Mutex<Tables>>) {
        if self.process != Process::Runs {
            return;
        }
        match &mut self.joined {
            None => self.join(now, tables),
            Some(joined) if now >= joined.next_beat => {
                if joined.beat(now).is_err() {
                    // It was fenced, and begins again.
                    self.joined = None;
                }
            }
            Some(_) => {}
        }
    }

    /// Joins, unless a node of the same name has not left. That node is fenced after a lease of silence.
    fn join(&mut self, now: u64, tables: &Arc<Mutex<Tables>>) {
        let mut held = tables.lock().unwrap();
        if held.is_away || self.is_cut_off.load(Ordering::Relaxed) {
            return;
        }
        let Some(epoch) = held.join(&self.name) else {
            let (row, standing) = held.nodes.get_mut(&self.name).unwrap();
            match self.waits_for {
                Some((beat, since)) if beat == row.beat => {
                    if now >= since + leases(1) {
                        *standing = Standing::Over;
                    }
                }
                _ => self.waits_for = Some((row.beat, now)),
            }
            return;
        };
        drop(held);
        self.waits_for = None;
        let (name, is_cut_off) = (self.name.clone(), Arc::clone(&self.is_cut_off));
        let table = Arc::new(FakeTable { me: name, epoch, tables: Arc::clone(tables), is_cut_off });
        let known = duties().map(|duty| (duty, DutySettings::default())).collect();
        table.know(&known).unwrap();
        let tenure = Tenure::joined(lease(), Tenure::now());
        self.joined = Some(Joined {
            shared: Shared::new(Arc::clone(&table) as Arc<dyn NodeTable>, tenure, lease(), about(&self.name)),
            picture: Picture::new(self.name.clone(), lease()),
            table,
            rules: Rules::joined(lease(), Millis(now)),
            does: BTreeMap::new(),
            next_beat: now,
        });
    }
}

impl Joined {
    /// Beats, and carries out what follows from the answer. Fails if the node was fenced.
    fn beat(&mut self, now: u64) -> Result<(), ()> {
        self.next_beat = now + beats(1);
        match self.shared.beat_once(Millis(now), || Millis(now)) {
            Ok((at, beaten)) => {
                self.rules.answered(Millis(now));
                self.shared.add(&mut self.picture, at, Timestamp(0), beaten);
                self.carry_out(now)
            }
            Err(NodeTableError::Fenced) => Err(()),
            Err(_) => Ok(()),
        }
    }

    fn carry_out(&mut self, now: u64) -> Result<(), ()> {
        let view = self.picture.view(self.rules.standing(Millis(now)));
        let plan = plan(&view.placement, &view.me);
        let fenced = |error| matches!(error, NodeTableError::Fenced).then_some(()).map_or(Ok(()), Err);
        for hand_over in plan.hand_over {
            if let Some(token) = self.does.remove(&hand_over.duty) {
                self.table.destine(&hand_over.duty, hand_over.to.as_ref()).map(drop).or_else(fenced)?;
                self.table.give_back(&Acting { duty: hand_over.duty, token }).or_else(fenced)?;
            }
        }
        match self.table.take(&plan.take) {
            Ok(taken) => self.does.extend(taken.into_iter().map(|acting| (acting.duty, acting.token))),
            Err(error) => fenced(error)?,
        }
        Ok(())
    }
}

/// Some nodes and their database.
struct Simulation {
    now: u64,
    tables: Arc<Mutex<Tables>>,
    nodes: Vec<Node>,
}

impl Simulation {
    /// Nodes that have joined and shared the duties.
    fn settled(nodes: usize) -> Self {
        let node = |number: usize| Node {
            name: ["a", "b", "c"][number].into(),
            process: Process::Runs,
            is_cut_off: Arc::default(),
            joined: None,
            waits_for: None,
        };
        let mut simulation = Self { now: 0, tables: Arc::default(), nodes: (0..nodes).map(node).collect() };
        simulation.pass(leases(3));
        simulation.assert_shared(nodes);
        simulation
    }

    /// Lets time pass. At no moment do two nodes do the same duty.
    fn pass(&mut self, time: u64) {
        let until = self.now + time;
        while self.now < until {
            self.now += STEP;
            for number in 0..self.nodes.len() {
                self.nodes[number].turn(self.now, &self.tables);
                self.assert_nothing_is_done_twice();
            }
        }
    }

    fn assert_nothing_is_done_twice(&self) {
        for duty in duties() {
            let does = |node: &&Node| node.acts(self.now) && node.does(&duty).is_some();
            let doers: Vec<&str> = self.nodes.iter().filter(does).map(|node| node.name.as_str()).collect();
            assert!(doers.len() <= 1, "{duty} is done by {doers:?} at {}", self.now);
        }
    }

    /// The tokens of the duties that a node does and may do.
    fn done_by(&self, number: usize) -> BTreeMap<DutyName, FencingToken> {
        let node = &self.nodes[number];
        let joined = node.joined.as_ref().filter(|_| node.acts(self.now));
        joined.map(|joined| joined.does.clone()).unwrap_or_default()
    }

    /// The number of duties that are done.
    fn done(&self) -> usize {
        (0..self.nodes.len()).map(|number| self.done_by(number).len()).sum()
    }

    /// Every duty is done, and `nodes` nodes share them.
    fn assert_shared(&self, nodes: usize) {
        let counts: Vec<usize> =
            (0..self.nodes.len()).map(|number| self.done_by(number).len()).filter(|count| *count > 0).collect();
        assert_eq!(counts.iter().sum::<usize>(), DUTIES, "{counts:?}");
        assert!(counts.len() == nodes && counts.iter().all(|count| *count <= DUTIES.div_ceil(nodes)), "{counts:?}");
    }

    fn is_away(&self, is_away: bool) {
        self.tables.lock().unwrap().is_away = is_away;
    }

    fn cut_off(&self, number: usize, is_cut_off: bool) {
        self.nodes[number].is_cut_off.store(is_cut_off, Ordering::Relaxed);
    }

    fn kill(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        (node.process, node.joined, node.waits_for) = (Process::Dead, None, None);
    }
}

#[test]
fn the_duties_of_a_killed_node_are_done_again_within_a_lease_and_three_beats() {
    let mut simulation = Simulation::settled(3);
    let kept = [simulation.done_by(1), simulation.done_by(2)];
    simulation.kill(0);
    simulation.pass(leases(1) + beats(3));
    simulation.assert_shared(2);
    for (number, kept) in [1, 2].into_iter().zip(kept) {
        let now = simulation.done_by(number);
        assert!(kept.iter().all(|(duty, token)| now.get(duty) == Some(token)), "a duty of a living node has moved");
    }
}

#[test]
fn a_database_that_is_away_suspends_all_nodes_and_costs_none_of_them_a_duty() {
    let mut simulation = Simulation::settled(3);
    let before = [0, 1, 2].map(|number| simulation.done_by(number));
    simulation.is_away(true);
    simulation.pass(leases(1));
    assert_eq!(simulation.done(), 0, "a node acts without a tenure");
    simulation.pass(leases(4));
    simulation.is_away(false);
    simulation.pass(beats(1));
    assert_eq!([0, 1, 2].map(|number| simulation.done_by(number)), before);
    simulation.pass(leases(2));
    assert_eq!([0, 1, 2].map(|number| simulation.done_by(number)), before);
}

#[test]
fn a_node_that_is_cut_off_stops_before_others_take_its_duties_and_joins_again_later() {
    let mut simulation = Simulation::settled(3);
    simulation.cut_off(0, true);
    simulation.pass(leases(1) + beats(3));
    simulation.assert_shared(2);
    assert!(simulation.done_by(0).is_empty());
    simulation.cut_off(0, false);
    simulation.pass(leases(2));
    simulation.assert_shared(3);
}

#[test]
fn a_node_that_stood_still_for_longer_than_a_lease_does_nothing_when_it_goes_on() {
    let mut simulation = Simulation::settled(3);
    simulation.nodes[0].process = Process::Stopped;
    simulation.pass(leases(2));
    simulation.assert_shared(2);
    simulation.nodes[0].process = Process::Runs;
    assert!(!simulation.nodes[0].acts(simulation.now));
    simulation.pass(leases(2));
    simulation.assert_shared(3);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Kill(usize),
    Start(usize),
    Stop(usize),
    GoOn(usize),
    CutOff(usize, bool),
    Away(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..3_usize).prop_map(Event::Kill),
        (0..3_usize).prop_map(Event::Start),
        (0..3_usize).prop_map(Event::Stop),
        (0..3_usize).prop_map(Event::GoOn),
        (0..3_usize, any::<bool>()).prop_map(|(number, is_cut_off)| Event::CutOff(number, is_cut_off)),
        any::<bool>().prop_map(Event::Away),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_no_duty_is_done_twice_and_all_are_done_in_the_end(
        events in prop::collection::vec((0..leases(2), event()), 0..12),
    ) {
        let mut simulation = Simulation::settled(3);
        for (after, event) in events {
            simulation.pass(after);
            match event {
                Event::Kill(number) => simulation.kill(number),
                Event::Start(number) if simulation.nodes[number].process == Process::Dead => {
                    simulation.nodes[number].process = Process::Runs;
                }
                Event::Stop(number) if simulation.nodes[number].process == Process::Runs => {
                    simulation.nodes[number].process = Process::Stopped;
                }
                Event::GoOn(number) if simulation.nodes[number].process == Process::Stopped => {
                    simulation.nodes[number].process = Process::Runs;
                }
                Event::CutOff(number, is_cut_off) => simulation.cut_off(number, is_cut_off),
                Event::Away(is_away) => simulation.is_away(is_away),
                Event::Start(_) | Event::Stop(_) | Event::GoOn(_) => {}
            }
        }
        simulation.is_away(false);
        for number in 0..3 {
            simulation.cut_off(number, false);
            simulation.nodes[number].process = Process::Runs;
        }
        simulation.pass(leases(5));
        simulation.assert_shared(3);
    }
}
