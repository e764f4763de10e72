//! What lanes guarantee, whatever fails and whenever the process ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::{Content, Go, Head, Item, Lane, Lanes, Progress, TOGETHER};
use crate::webhooks::schedule::Retries;

const CONVERSATIONS: usize = 4;

fn lane(conversation: usize) -> Lane {
    Lane::named(&format!("conversation:{conversation}"))
}

fn retries() -> Retries {
    Retries::try_from(vec![1.0, 10.0]).unwrap()
}

fn event(offset: u64) -> Item {
    Item { offset, content: Content::Event }
}

/// Fails an attempt at its due time.
fn fail(lanes: &mut Lanes, go: &Go, now: i64) -> Option<Head> {
    lanes.failed(go, now, &retries(), None, 0.5).head
}

fn begin_all(lanes: &mut Lanes, now: i64) -> Vec<Go> {
    std::iter::from_fn(|| lanes.next(now)).collect()
}

#[test]
fn a_conversations_next_event_waits_until_the_outcome_is_durable() {
    let mut lanes = Lanes::new(0);
    for offset in 1..=3 {
        assert!(!lanes.take(lane(0), offset));
    }
    lanes.take(lane(1), 4);
    let under_way = begin_all(&mut lanes, 0);
    assert_eq!(under_way.iter().map(|go| go.item.offset).collect::<Vec<_>>(), [1, 4]);
    assert!(!lanes.delivered(&lane(0), 0));
    assert_eq!(lanes.next(0), None);
    lanes.settled(&lane(0));
    assert_eq!(lanes.next(0).unwrap().item.offset, 2);
    assert_eq!(lanes.pending(), 3);
}

#[test]
fn the_next_event_of_a_conversation_waits_until_the_previous_reply_is_accepted() {
    let mut lanes = Lanes::new(0);
    for offset in 1..=2 {
        lanes.take(lane(0), offset);
    }
    let go = lanes.next(0).unwrap();
    lanes.delivered(&go.lane, 0);
    assert!(!lanes.is_idle());
    lanes.replied(&go.lane);
    assert!(lanes.is_idle(), "the reply does not count as a running attempt");
    assert_eq!((lanes.next(0), lanes.wake_at(), lanes.pending()), (None, None, 1));
    lanes.go_on(&lane(0));
    assert_eq!(lanes.next(0).unwrap().item.offset, 2);
}

#[test]
fn the_events_of_a_lane_wait_for_a_reply_of_the_previous_run_and_keep_their_failures() {
    let mut lanes = Lanes::new(0);
    let head = Head { failed: 1, tried: 1, due: 50 };
    (0..=2).for_each(|conversation| lanes.restore_reply(lane(conversation)));
    lanes.restore(lane(0), event(1), head, 0);
    lanes.restore(lane(0), event(2), Head::default(), 0);
    lanes.take(lane(1), 3);
    assert_eq!(lanes.next(100), None);
    assert!(lanes.take(lane(0), 4), "a later event of the failing lane is kept too");
    (0..=2).for_each(|conversation| lanes.go_on(&lane(conversation)));
    let go = lanes.next(100).unwrap();
    assert_eq!((go.lane, go.item.offset, go.attempt), (lane(0), 1, 2));
}

#[test]
fn a_failing_event_delays_only_its_lane_and_is_given_up_after_its_retries() {
    let mut lanes = Lanes::new(0);
    (1..=2).for_each(|offset| _ = lanes.take(lane(0), offset));
    let go = lanes.next(0).unwrap();
    let setback = lanes.failed(&go, 0, &retries(), None, 0.5);
    assert_eq!((setback.head.unwrap().due, setback.newly_kept), (1_000, vec![event(1), event(2)]));
    assert!(lanes.take(lane(0), 3), "a later event of the lane is kept too");
    assert!(!lanes.take(lane(1), 4));
    assert_eq!(lanes.progress().fresh, [4]);
    assert_eq!(lanes.next(999).unwrap().item.offset, 4);
    assert!(!lanes.delivered(&lane(1), 999));

    let go = lanes.next(1_000).unwrap();
    assert_eq!((go.item.offset, go.attempt), (1, 2));
    assert_eq!(fail(&mut lanes, &go, 1_000).unwrap().due, 11_000);
    assert_eq!(lanes.wake_at(), Some(11_000));
    let go = lanes.next(11_000).unwrap();
    let setback = lanes.failed(&go, 11_000, &retries(), None, 0.5);
    assert_eq!((setback.head, setback.was_kept), (None, true));
    assert_eq!(lanes.next(11_000), None);
    lanes.settled(&lane(0));
    let go = lanes.next(11_000).unwrap();
    assert_eq!((go.item.offset, go.attempt), (2, 1), "the next one has all of its attempts");
}

#[test]
fn retry_after_delays_the_lane_or_the_whole_webhook() {
    let mut lanes = Lanes::new(0);
    lanes.take(lane(0), 1);
    let go = lanes.next(0).unwrap();
    let after = Some(std::time::Duration::from_secs(30));
    assert_eq!(lanes.failed(&go, 0, &retries(), after, 0.5).head.unwrap().due, 30_000);
    lanes.take(lane(1), 2);
    lanes.hold(20_000);
    assert_eq!((lanes.next(19_999), lanes.wake_at()), (None, Some(20_000)));
    assert_eq!(lanes.next(20_000).unwrap().item.offset, 2);
}

#[test]
fn a_receiver_that_is_down_is_probed_by_one_attempt_which_does_not_use_up_retries() {
    let mut lanes = Lanes::new(0);
    (0..TOGETHER as u64).for_each(|n| _ = lanes.take(Lane::named(&n.to_string()), n + 1));
    let under_way = begin_all(&mut lanes, 0);
    assert_eq!(under_way.len(), TOGETHER);
    under_way.iter().for_each(|go| _ = fail(&mut lanes, go, 0));
    assert!(lanes.is_down());
    lanes.take(lane(0), 100);

    let probe = lanes.next(1_000).unwrap();
    assert_eq!(probe.item.offset, 100, "what has not failed yet tells more");
    assert_eq!((lanes.next(1_000_000), lanes.wake_at()), (None, None), "one at a time");
    fail(&mut lanes, &probe, 1_000).unwrap();
    // The second pause of the retries is 10 s.
    assert_eq!(lanes.wake_at(), Some(11_000));

    // From now on every lane is due, but the receiver is down and gets one attempt at a time.
    let probe = lanes.next(11_000).unwrap();
    let head = fail(&mut lanes, &probe, 11_000).unwrap();
    assert_eq!((head.failed, head.tried), (2, 2));
    let other = lanes.next(21_000).unwrap();
    assert_ne!(other.lane, probe.lane, "probes take turns");

    assert!(lanes.delivered(&other.lane, 21_000));
    lanes.settled(&other.lane);
    let rest = begin_all(&mut lanes, 21_000);
    assert_eq!(rest.len(), TOGETHER, "once it is back, everything may go");
}

#[test]
fn a_probe_before_its_time_does_not_count_against_the_retries() {
    let mut lanes = Lanes::new(0);
    let retries = Retries::try_from(vec![3_600.0]).unwrap();
    (0..5).for_each(|n| _ = lanes.take(lane(n), n as u64 + 1));
    for go in begin_all(&mut lanes, 0) {
        lanes.failed(&go, 0, &retries, None, 0.5);
    }
    // Each event is due in an hour, but a probe is made every minute.
    let mut now = 0;
    for _ in 0..50 {
        now = lanes.wake_at().unwrap();
        let probe = lanes.next(now).unwrap();
        assert!(lanes.failed(&probe, now, &retries, None, 0.5).head.is_some_and(|head| head.failed == 1));
    }
    assert_eq!(now, 50 * 60_000);
}

/// The receiver was away for so short a time that only a few attempts failed, and no new events arrive.
#[test]
fn any_success_wakes_waiting_lanes() {
    let mut lanes = Lanes::new(0);
    let retries = Retries::default();
    (0..2).for_each(|n| _ = lanes.take(lane(n), n as u64 + 1));
    for now in [0, 5_000] {
        for go in begin_all(&mut lanes, now) {
            lanes.failed(&go, now, &retries, None, 0.5);
        }
    }
    assert!(!lanes.is_down() && lanes.next(20_000).is_none(), "the next attempts are due in five minutes");
    lanes.take(lane(2), 3);
    let go = lanes.next(20_000).unwrap();
    lanes.delivered(&go.lane, 20_000);
    lanes.settled(&go.lane);
    assert_eq!(begin_all(&mut lanes, 20_000).len(), 2);
}

#[test]
fn a_failing_receiver_is_tried_within_a_minute() {
    for conversations in 1..4 {
        let mut lanes = Lanes::new(0);
        let retries = Retries::try_from(vec![5.0, 86_400.0]).unwrap();
        (0..conversations).for_each(|n| _ = lanes.take(lane(n), n as u64 + 1));
        let mut attempts = Vec::new();
        while attempts.last().is_none_or(|at| *at < 3_600_000) {
            let now = lanes.wake_at().unwrap().max(attempts.last().copied().unwrap_or_default());
            let begun = begin_all(&mut lanes, now);
            assert!(!begun.is_empty(), "a wake-up finds an attempt to make");
            for go in begun {
                assert!(lanes.failed(&go, now, &retries, None, 0.5).head.is_some(), "looking uses up no retries");
            }
            attempts.push(now);
        }
        assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] <= 60_000), "{conversations}: {attempts:?}");
        assert!(attempts.len() < 70, "{conversations}: {attempts:?}");
    }
}

/// After a restart it is unknown how long the receiver has been back.
#[test]
fn an_event_that_failed_in_the_previous_run_is_tried_within_a_minute() {
    let mut lanes = Lanes::new(9);
    let head = Head { failed: 3, tried: 3, due: 7_200_000 };
    lanes.restore(lane(0), event(5), head, 0);
    assert_eq!(lanes.wake_at(), Some(60_000));
    assert_eq!(lanes.next(59_999), None);
    assert_eq!(lanes.next(60_000).unwrap().item, event(5));
}

/// While other events succeed, an event that keeps failing must not be tried after each of their successes.
#[test]
fn a_faulty_event_is_woken_ever_more_rarely_and_never_before_its_retry_after() {
    let mut lanes = Lanes::new(0);
    let retries = Retries::try_from(vec![86_400.0]).unwrap();
    lanes.take(lane(0), 1);
    let (mut tried, mut offset) = (0, 1);
    for second in 0..3_600 {
        let now = second * 1_000;
        offset += 1;
        lanes.take(lane(1), offset);
        for go in begin_all(&mut lanes, now) {
            if go.lane == lane(0) {
                tried += 1;
                lanes.failed(&go, now, &retries, None, 0.5);
            } else {
                lanes.delivered(&go.lane, now);
                lanes.settled(&go.lane);
            }
        }
    }
    assert!((5..10).contains(&tried), "{tried} attempts in an hour");

    let mut lanes = Lanes::new(0);
    lanes.take(lane(0), 1);
    let go = lanes.next(0).unwrap();
    lanes.failed(&go, 0, &retries, Some(std::time::Duration::from_secs(600)), 0.5);
    lanes.take(lane(1), 2);
    let go = lanes.next(1_000).unwrap();
    lanes.delivered(&go.lane, 1_000);
    lanes.settled(&go.lane);
    assert_eq!(lanes.next(599_999), None, "it asked for ten minutes");
}

#[test]
fn at_the_bound_the_longest_lane_gives_up_its_first_event_unless_the_receiver_is_down() {
    let mut lanes = Lanes::new(0);
    let mut offset = 0;
    let mut next = || {
        offset += 1;
        offset
    };
    lanes.take(lane(0), next());
    lanes.take(lane(1), next());
    for go in begin_all(&mut lanes, 0) {
        fail(&mut lanes, &go, 0);
    }
    while lanes.has_room() {
        assert!(lanes.take(lane(0), next()));
    }
    assert_eq!(lanes.overflow(), Some((lane(0), event(1))));
    assert_eq!(lanes.next(0), None);
    lanes.gave_up(&lane(0));
    lanes.settled(&lane(0));
    assert!(lanes.has_room());
    assert_eq!(lanes.next(0).unwrap().item.offset, 3);

    // A receiver that is down causes no event to be given up.
    let mut lanes = Lanes::new(0);
    (0..5).for_each(|n| _ = lanes.take(lane(n), n as u64 + 1));
    for go in begin_all(&mut lanes, 0) {
        fail(&mut lanes, &go, 0);
    }
    (6..10_006).for_each(|offset| _ = lanes.take(lane(0), offset));
    assert!(lanes.is_down() && !lanes.has_room());
    assert_eq!(lanes.overflow(), None);
}

#[test]
fn events_that_the_log_dropped_become_one_gap_in_their_place() {
    let mut lanes = Lanes::new(0);
    (1..=4).for_each(|offset| _ = lanes.take(lane(0), offset));
    let go = lanes.next(0).unwrap();
    fail(&mut lanes, &go, 0);
    let go = lanes.next(1_000).unwrap();
    let (gone, gap) = lanes.forgotten(&go.lane, 4);
    assert_eq!(gone, [(event(1), true), (event(2), true), (event(3), true)]);
    assert_eq!(gap, Some(Item { offset: 3, content: Content::Gap { missed: Some(3) } }));
    assert_eq!((lanes.next(1_000).map(|go| go.item), lanes.pending()), (gap, 2));
    lanes.delivered(&lane(0), 1_000);
    lanes.settled(&lane(0));
    assert_eq!(lanes.next(1_000).unwrap().item, event(4));
}

#[test]
fn without_order_every_event_is_a_lane() {
    let event = |offset| tertulia_actors::engine::StoredEvent {
        offset,
        connection: "c".into(),
        conversation: Some("1".into()),
        name: "message".into(),
        json: "{}".into(),
    };
    assert_eq!(Lane::of(&event(1), true), Lane::of(&event(2), true));
    assert_ne!(Lane::of(&event(1), false), Lane::of(&event(2), false));
    assert_eq!(Lane::of(&event(1), true).conversation(), Some("1"));
}

/// A step of the model.
#[derive(Clone, Debug)]
enum Step {
    Read,
    Begin,
    Succeed(usize),
    Fail(usize),
    /// This number of writes becomes durable.
    Commit(usize),
    Wait(i64),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Read),
        8 => Just(Step::Begin),
        6 => any::<usize>().prop_map(Step::Succeed),
        4 => any::<usize>().prop_map(Step::Fail),
        6 => (1..4usize).prop_map(Step::Commit),
        2 => (1..20_000i64).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ]
}

/// A write to the store, as the worker makes it.
struct Write {
    progress: Progress,
    keep: Vec<(Lane, Item, Head)>,
    remove: Option<(Lane, u64)>,
    settles: Option<Lane>,
}

/// A webhook over a log of events, each in a conversation, with a store that loses writes that are not durable in a
/// crash.
struct Model {
    log: Vec<usize>,
    lanes: Lanes,
    durable: Progress,
    kept: BTreeMap<(Lane, u64), Head>,
    writes: Vec<Write>,
    under_way: Vec<Go>,
    now: i64,
    /// The received events by conversation.
    received: HashMap<usize, Vec<u64>>,
    given_up: BTreeSet<u64>,
    crashes: usize,
}

impl Model {
    fn new(log: Vec<usize>) -> Self {
        let durable = Lanes::new(0).progress();
        Self {
            log,
            lanes: Lanes::new(0),
            durable,
            kept: BTreeMap::new(),
            writes: Vec::new(),
            under_way: Vec::new(),
            now: 0,
            received: HashMap::new(),
            given_up: BTreeSet::new(),
            crashes: 0,
        }
    }

    fn conversation(&self, offset: u64) -> usize {
        self.log[usize::try_from(offset).unwrap() - 1]
    }

    fn write(&mut self, keep: Vec<(Lane, Item, Head)>, remove: Option<(Lane, u64)>, settles: Option<Lane>) {
        self.writes.push(Write { progress: self.lanes.progress(), keep, remove, settles });
    }

    fn read(&mut self) {
        let offset = self.lanes.progress().read + 1;
        if offset > self.log.len() as u64 || !self.lanes.has_room() {
            return;
        }
        let lane = lane(self.conversation(offset));
        self.lanes.read_to(offset);
        if self.lanes.take(lane.clone(), offset) {
            self.write(vec![(lane, event(offset), Head::default())], None, None);
        }
    }

    fn begin(&mut self) {
        if let Some(go) = self.lanes.next(self.now) {
            assert!(self.under_way.iter().all(|other| other.lane != go.lane), "two of one conversation at a time");
            self.under_way.push(go);
            assert!(self.under_way.len() <= TOGETHER);
        }
    }

    fn succeed(&mut self, which: usize) {
        if self.under_way.is_empty() {
            return;
        }
        let go = self.under_way.remove(which % self.under_way.len());
        let (offset, conversation) = (go.item.offset, self.conversation(go.item.offset));
        self.received.entry(conversation).or_default().push(offset);
        let remove = self.lanes.delivered(&go.lane, self.now).then(|| (go.lane.clone(), offset));
        self.write(Vec::new(), remove, Some(go.lane));
    }

    fn fail(&mut self, which: usize) {
        if self.under_way.is_empty() {
            return;
        }
        let go = self.under_way.remove(which % self.under_way.len());
        let setback = self.lanes.failed(&go, self.now, &retries(), None, 0.5);
        match setback.head {
            Some(head) => {
                let newly = setback.newly_kept.iter().map(|item| (go.lane.clone(), *item, Head::default()));
                let mut keep: Vec<_> = newly.collect();
                keep.push((go.lane, go.item, head));
                self.write(keep, None, None);
            }
            None => {
                self.given_up.insert(go.item.offset);
                let remove = setback.was_kept.then(|| (go.lane.clone(), go.item.offset));
                self.write(Vec::new(), remove, Some(go.lane));
            }
        }
    }

    fn commit(&mut self, count: usize) {
        for Write { progress, keep, remove, settles } in self.writes.drain(..count.min(self.writes.len())) {
            self.durable = progress;
            self.kept.extend(keep.into_iter().map(|(lane, item, head)| ((lane, item.offset), head)));
            if let Some(gone) = remove {
                self.kept.remove(&gone);
            }
            if let Some(lane) = settles {
                self.lanes.settled(&lane);
            }
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.writes.clear();
        self.under_way.clear();
        self.lanes = Lanes::new(self.durable.read);
        for ((lane, offset), head) in &self.kept {
            self.lanes.restore(lane.clone(), event(*offset), *head, self.now);
        }
        for offset in self.durable.fresh.clone() {
            self.lanes.take(lane(self.conversation(offset)), offset);
        }
    }

    fn make(&mut self, step: &Step) {
        match step {
            Step::Read => self.read(),
            Step::Begin => self.begin(),
            Step::Succeed(which) => self.succeed(*which),
            Step::Fail(which) => self.fail(*which),
            Step::Commit(count) => self.commit(*count),
            Step::Wait(millis) => self.now += millis,
            Step::Crash => self.crash(),
        }
    }

    /// From now on every attempt succeeds, until no event is left.
    fn finish(&mut self) {
        while self.lanes.progress().read < self.log.len() as u64 || self.lanes.pending() > 0 || !self.writes.is_empty()
        {
            self.read();
            self.commit(usize::MAX);
            self.begin();
            self.succeed(0);
            self.now += 60_000;
        }
        assert!(self.lanes.is_idle() && self.kept.is_empty() && self.durable.fresh.is_empty());
    }
}

proptest! {
    /// Every event is delivered or given up. The events of a conversation arrive in order; a crash repeats at most one
    /// of them, in its place.
    #[test]
    fn failures_and_crashes_lose_and_reorder_nothing(
        log in proptest::collection::vec(0..CONVERSATIONS, 1..60),
        steps in proptest::collection::vec(step(), 0..400),
    ) {
        let mut model = Model::new(log);
        steps.iter().for_each(|step| model.make(step));
        model.finish();
        let mut seen = model.given_up.clone();
        for offsets in model.received.values() {
            prop_assert!(offsets.is_sorted(), "{offsets:?}");
            let distinct: BTreeSet<u64> = offsets.iter().copied().collect();
            prop_assert!(offsets.len() - distinct.len() <= model.crashes, "{offsets:?}");
            seen.extend(distinct);
        }
        prop_assert_eq!(seen, (1..=model.log.len() as u64).collect::<BTreeSet<_>>());
    }
}
