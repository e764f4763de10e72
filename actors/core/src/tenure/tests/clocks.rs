//! A node and another that watches it, each with a clock of its own rate, and a database that may be away.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::id::NodeId;

/// The shortest lease, so that rounding to milliseconds matters most.
const LEASE: u64 = 5_000;

#[derive(Debug, Clone, Copy)]
struct Clock {
    rate: u64,
    offset: u64,
}

impl Clock {
    fn at(self, time: u64) -> Millis {
        Millis(self.offset + time * self.rate / 1_000)
    }

    /// How long the clock takes to advance by `duration`.
    fn time_of(self, duration: Duration) -> u64 {
        (duration.as_millis() as u64 * 1_000).div_ceil(self.rate)
    }
}

fn clock() -> impl Strategy<Value = Clock> {
    // Milliseconds of the clock in 1,000 ms: the rates of two clocks differ by less than 20 %.
    let rate = prop_oneof![Just(1_000), Just(1_199), 1_000_u64..1_200];
    (rate, 0_u64..1_000_000).prop_map(|(rate, offset)| Clock { rate, offset })
}

/// How a beat fares, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// How much later than planned the beat is sent.
    late_by: u64,
    /// From sending to the change of the row. `None`: the beat is lost.
    request: Option<u64>,
    /// From the change to the arrival of the answer. `None`: the answer is lost.
    answer: Option<u64>,
}

/// A fate of a beat while nothing is broken.
fn quick() -> impl Strategy<Value = Fate> {
    let short = || prop_oneof![5 => 0_u64..5, 1 => 0_u64..100];
    (short(), short(), short()).prop_map(|(late_by, request, answer)| Fate {
        late_by,
        request: Some(request),
        answer: Some(answer),
    })
}

/// Beats are paused, slow or lost, and their answers too.
fn any_fate() -> impl Strategy<Value = Fate> {
    let pause = prop_oneof![6 => 0_u64..100, 1 => 0..2 * LEASE];
    let delay = || prop_oneof![6 => (0_u64..100).prop_map(Some), 2 => (0..2 * LEASE).prop_map(Some), 2 => Just(None)];
    (pause, delay(), delay()).prop_map(|(late_by, request, answer)| Fate { late_by, request, answer })
}

/// A beat from its sending to the arrival of its answer.
#[derive(Debug, Clone, Copy)]
struct Flight {
    sent: Millis,
    applied: Option<u64>,
    answered: Option<u64>,
    /// The watched node's row when this beat was applied, and whether the node was fenced.
    row: Option<(Beat, bool)>,
}

/// One side's beats.
struct Sender {
    clock: Clock,
    fates: Vec<Fate>,
    next: u64,
    flights: Vec<Flight>,
}

impl Sender {
    fn new(clock: Clock, fates: Vec<Fate>, start: u64) -> Self {
        Self { clock, fates: fates.into_iter().rev().collect(), next: start, flights: Vec::new() }
    }

    /// Sends the beat that is due. After the last fate, nothing is sent any more.
    fn send(&mut self, time: u64) {
        let Some(fate) = self.fates.last().copied() else { return };
        if time < self.next + fate.late_by {
            return;
        }
        self.fates.pop();
        self.next = time + self.clock.time_of(lease(LEASE).beat_every());
        let applied = fate.request.map(|request| time + request);
        let answered = applied.zip(fate.answer).map(|(applied, answer)| applied + answer);
        self.flights.push(Flight { sent: self.clock.at(time), applied, answered, row: None });
    }

    /// When something of these beats happens.
    fn times(&self) -> impl Iterator<Item = u64> {
        let due = self.fates.last().map(|fate| self.next + fate.late_by);
        let flights = self.flights.iter().flat_map(|flight| [flight.applied, flight.answered]);
        flights.chain([due]).flatten()
    }

    /// The beats that reach the database now.
    fn reach(&mut self, time: u64) -> impl Iterator<Item = &mut Flight> {
        self.flights.iter_mut().filter(move |flight| flight.applied == Some(time))
    }

    /// The beats whose answers arrive now.
    fn arrive(&mut self, time: u64) -> Vec<Flight> {
        let arrived = self.flights.iter().copied();
        let arrived = arrived.filter(|flight| flight.answered == Some(time) && flight.row.is_some()).collect();
        self.flights.retain(|flight| flight.applied.max(flight.answered) > Some(time));
        arrived
    }
}

/// The two nodes and the row of the watched one.
struct World {
    watched: Sender,
    tenure: Tenure,
    watcher: Sender,
    membership: Membership,
    row: (Beat, bool),
    fences: Vec<(u64, Beat)>,
    /// How long the watcher takes from its judgement to its fence.
    fence_delay: u64,
    /// The answers seen by the watcher, as an order: answers that are overtaken are dropped.
    newest_seen: Option<u64>,
}

impl World {
    fn new(watched: Sender, watcher: Sender, fence_delay: u64) -> Self {
        Self {
            tenure: Tenure::joined(lease(LEASE), watched.clock.at(0)),
            membership: Membership::new(lease(LEASE)),
            row: (Beat { epoch: NodeEpoch(1), number: 0 }, false),
            fences: Vec::new(),
            newest_seen: None,
            watched,
            watcher,
            fence_delay,
        }
    }

    /// When something happens next, after `time`.
    fn next(&self, time: u64) -> Option<u64> {
        let senders = [&self.watched, &self.watcher];
        let times = senders.into_iter().flat_map(Sender::times).chain(self.fences.iter().map(|(at, _)| *at));
        times.filter(|next| *next > time).min()
    }

    /// Whether the watched node may send something or has a socket open. Only an answer to it can make this true.
    fn acts(&self, time: u64) -> bool {
        let now = self.watched.clock.at(time);
        self.tenure.may_act(now) || self.tenure.may_keep_sockets(now)
    }

    /// Runs until nothing happens any more, and calls `check` after whatever happens.
    fn run(
        &mut self,
        is_database_away: impl Fn(u64) -> bool,
        check: impl Fn(&Self, u64) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let mut time = Some(0);
        while let Some(now) = time {
            self.happens(now, is_database_away(now));
            check(self, now)?;
            time = self.next(now);
        }
        Ok(())
    }

    /// Does what is due at `time`.
    fn happens(&mut self, time: u64, is_database_away: bool) {
        self.watched.send(time);
        self.watcher.send(time);
        if !is_database_away {
            for flight in self.watched.reach(time) {
                if !self.row.1 {
                    self.row.0.number += 1;
                }
                flight.row = Some(self.row);
            }
            for flight in self.watcher.reach(time) {
                flight.row = Some(self.row);
            }
        }
        for flight in self.watched.arrive(time) {
            match flight.row {
                Some((_, true)) => self.tenure.fenced(),
                _ => self.tenure.answered(flight.sent),
            }
        }
        for flight in self.watcher.arrive(time) {
            if let Some((beat, false)) = flight.row.filter(|_| flight.applied > self.newest_seen) {
                self.newest_seen = flight.applied;
                self.membership.answered(self.watcher.clock.at(time), [(NodeId::from("watched"), beat)]);
                self.fences.extend(self.membership.silent().map(|(_, beat)| (time + self.fence_delay, beat)));
            }
        }
        if !is_database_away && self.fences.iter().any(|(at, beat)| *at == time && *beat == self.row.0) {
            self.row.1 = true;
        }
    }
}

/// Whether the database is away at `time`: away and there for the given times in turn, beginning there.
fn is_away(outages: &[(u64, u64)], time: u64) -> bool {
    let mut start = 0;
    outages.iter().any(|(there, away)| {
        let begins = start + there;
        start = begins + away;
        (begins..start).contains(&time)
    })
}

proptest! {
    /// The watched node stops being answered at any moment, because its fates end.
    #[test]
    fn a_node_has_stopped_acting_and_closed_its_sockets_before_another_can_take_its_duties(
        clocks in (clock(), clock()),
        watched in vec(any_fate(), 0..15),
        watcher in vec(quick(), 150),
        start in 0_u64..1_000,
        fence_delay in 0_u64..50,
    ) {
        let watched = Sender::new(clocks.0, watched, 0);
        let mut world = World::new(watched, Sender::new(clocks.1, watcher, start), fence_delay);
        world.run(|_| false, |world, time| {
            prop_assert!(!(world.row.1 && world.acts(time)), "both may act at {time}");
            Ok(())
        })?;
        prop_assert!(world.row.1, "the dead node was not fenced");
    }

    /// The watcher is paused, its beats are slow or lost, and it acts late on what it judged.
    #[test]
    fn a_watcher_that_is_itself_held_up_takes_nothing_from_a_node_that_acts(
        clocks in (clock(), clock()),
        fates in (vec(any_fate(), 0..40), vec(prop_oneof![4 => quick(), 1 => any_fate()], 10..100)),
        start in 0_u64..1_000,
        fence_delay in 0..2 * LEASE,
    ) {
        let watched = Sender::new(clocks.0, fates.0, 0);
        let mut world = World::new(watched, Sender::new(clocks.1, fates.1, start), fence_delay);
        world.run(|_| false, |world, time| {
            prop_assert!(!(world.row.1 && world.acts(time)), "both may act at {time}");
            Ok(())
        })?;
    }

    #[test]
    fn an_outage_of_the_database_makes_no_node_silent(
        clocks in (clock(), clock()),
        fates in (vec(quick(), 80), vec(quick(), 50)),
        start in 0_u64..1_000,
        outages in vec((LEASE / 2..3 * LEASE, 1..4 * LEASE), 0..4),
    ) {
        let watched = Sender::new(clocks.0, fates.0, 0);
        let mut world = World::new(watched, Sender::new(clocks.1, fates.1, start), 0);
        world.run(|time| is_away(&outages, time), |world, time| {
            prop_assert_eq!(world.membership.silent().count(), 0, "silent at {}", time);
            Ok(())
        })?;
        prop_assert!(!world.row.1);
    }
}

#[test]
fn a_dead_node_is_fenced_within_the_lease_and_three_beats() {
    let clock = Clock { rate: 1_000, offset: 0 };
    let quick = Fate { late_by: 0, request: Some(1), answer: Some(1) };
    let mut world = World::new(Sender::new(clock, vec![quick; 3], 0), Sender::new(clock, vec![quick; 30], 500), 0);
    let fenced = (0..30_000).find(|time| {
        world.happens(*time, false);
        world.row.1
    });
    let last_beat = 2 * LEASE / 5;
    assert!(
        fenced.is_some_and(|fenced| (last_beat + LEASE..=last_beat + LEASE * 8 / 5).contains(&fenced)),
        "{fenced:?}"
    );
}

/// The room for different rates is used up at 20 %.
#[test]
fn the_assumed_difference_of_rates_is_the_greatest_that_is_safe() {
    let lease = LeaseDuration::default();
    let at_watcher = |rate: f64| lease.sockets_close_after().mul_f64(rate);
    assert!(at_watcher(1.199) < lease.get() && at_watcher(1.201) > lease.get());
}
