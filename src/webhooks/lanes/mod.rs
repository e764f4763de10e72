//! The order of a webhook's deliveries: one at a time per conversation, many conversations at a time.
//!
//! The event log is the queue. A few events that were read are *fresh*: they are held in memory until they are
//! delivered, and the store has only their numbers. If an event fails, it and the events after it in its lane become
//! *kept*: each gets its own record, so that reading can continue and other lanes are not delayed. The number of kept
//! events is limited. At the limit the longest lane gives up its first event, so that a conversation that always fails
//! costs only its own events. But while the receiver is down, no event is given up for space: reading waits instead.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use tertulia_actors::engine::StoredEvent;

use super::{
    receiver::{PROBE_WITHIN, Receiver},
    schedule::{LONGEST_PAUSE, Retries, millis, spread},
};

/// The most concurrent attempts of one webhook.
pub(super) const TOGETHER: usize = 16;
/// The most fresh events.
const WINDOW: usize = 256;
/// The most kept events; if all fresh events fail at once, they are kept in addition.
const MOST_KEPT: usize = 10_000;

/// A sequence of events that are delivered one by one: a conversation, or a connection's own events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane(Arc<str>);

const CONVERSATION: &str = "conversation:";
const LETTER: &str = "letter:";

impl Lane {
    /// The lane of an event.
    pub(super) fn of(event: &StoredEvent, ordered: bool) -> Self {
        match &event.conversation {
            _ if !ordered => Self(format!("event:{}", event.offset).into()),
            Some(conversation) => Self(format!("{CONVERSATION}{conversation}").into()),
            None => Self(format!("connection:{}", event.connection).into()),
        }
    }

    /// The lane of events about the log itself, such as gaps.
    pub(super) fn log() -> Self {
        Self("log".into())
    }

    /// The lane of one dead letter that is delivered again.
    pub(super) fn letter(id: &str) -> Self {
        Self(format!("{LETTER}{id}").into())
    }

    /// A lane from its stored name.
    pub(super) fn named(name: &str) -> Self {
        Self(name.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The conversation of this lane, if it is a conversation's lane.
    pub(super) fn conversation(&self) -> Option<&str> {
        self.0.strip_prefix(CONVERSATION)
    }

    /// The dead letter of this lane, if the lane delivers a dead letter again.
    pub(super) fn replayed(&self) -> Option<&str> {
        self.0.strip_prefix(LETTER)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The event of the log at the offset.
    Event,
    /// A gap: events up to the offset are missing, and how many if known.
    Gap { missed: Option<u64> },
    /// The event of a dead letter, which is in the record.
    Letter,
}

/// One delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) offset: u64,
    pub(super) content: Content,
}

/// The failures of a lane's first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Failures that used up a retry.
    pub(super) failed: u32,
    /// All failures, including those of probes.
    pub(super) tried: u32,
    /// The latest time of the next attempt, in milliseconds since 1970. An earlier failure does not use up a retry.
    pub(super) due: i64,
}

/// An attempt to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Go {
    pub(super) lane: Lane,
    pub(super) item: Item,
    /// The number of the attempt for this item, from 1.
    pub(super) attempt: u32,
    /// Whether this attempt probes a receiver that is down.
    is_probe: bool,
}

/// The consequences of a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setback {
    /// The failures of the lane's first event; `None` if it is given up.
    pub(super) head: Option<Head>,
    /// Events that must be kept from now on, including the failed one.
    pub(super) newly_kept: Vec<Item>,
    /// Whether the failed event was already kept.
    pub(super) was_kept: bool,
}

/// The stored progress besides the kept events: everything up to `read` is done except `fresh` events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) read: u64,
    pub(super) fresh: Vec<u64>,
}

#[derive(Debug)]
struct Waiting {
    queue: VecDeque<Queued>,
    phase: Phase,
    head: Head,
    /// The time under which this lane stands among the due lanes.
    wakes: i64,
    /// When the event last failed.
    failed_at: i64,
    /// The receiver asked for no attempt of this event before this time.
    asked_until: i64,
    /// Whether a success of another lane has caused an attempt since the last failure.
    is_woken: bool,
    /// How often such an attempt failed all the same, which suggests that the event itself is at fault.
    in_vain: u32,
}

#[derive(Debug)]
struct Queued {
    item: Item,
    kept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    /// An attempt is running, or its outcome is not durable yet.
    Busy,
    Due,
    /// The receiver has replied, and the conversation has not accepted the commands of the reply yet.
    Replying,
}

impl Waiting {
    fn new(queue: VecDeque<Queued>, phase: Phase, head: Head) -> Self {
        let (failed_at, asked_until, is_woken, in_vain) = (0, 0, false, 0);
        Self { queue, phase, head, wakes: head.due, failed_at, asked_until, is_woken, in_vain }
    }

    /// The time until which successes of other lanes cause no attempt of this lane. The wait starts at zero and doubles
    /// each time the event fails although other lanes succeed.
    fn leaves_alone_until(&self) -> i64 {
        const MOST_DOUBLINGS: u32 = 16;
        let Some(doublings) = self.in_vain.checked_sub(1) else { return self.failed_at };
        self.failed_at.saturating_add(millis(PROBE_WITHIN) << doublings.min(MOST_DOUBLINGS))
    }
}

/// All lanes of one webhook.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<Lane, Waiting>,
    ready: VecDeque<Lane>,
    due: BTreeSet<(i64, Lane)>,
    under_way: usize,
    fresh: BTreeSet<u64>,
    kept: usize,
    read: u64,
    receiver: Receiver,
}

impl Lanes {
    /// Empty lanes that have read up to `read`.
    pub(super) fn new(read: u64) -> Self {
        Self { read, ..Self::default() }
    }

    /// Records that the log was read up to `offset`.
    pub(super) fn read_to(&mut self, offset: u64) {
        self.read = offset;
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { read: self.read, fresh: self.fresh.iter().copied().collect() }
    }

    /// The position up to which the log was read.
    pub(super) fn progress_read(&self) -> u64 {
        self.read
    }

    /// Whether no attempt is running.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// The number of events that wait for delivery.
    pub(super) fn pending(&self) -> usize {
        self.fresh.len() + self.kept
    }

    pub(super) fn is_down(&self) -> bool {
        self.receiver.is_down()
    }

    /// Whether more events may be read.
    pub(super) fn has_room(&self) -> bool {
        self.fresh.len() < WINDOW && self.kept < MOST_KEPT
    }

    /// Adds an event that was read. Returns whether the event must be kept.
    pub(super) fn take(&mut self, lane: Lane, offset: u64) -> bool {
        let is_failing = self.lanes.get(&lane).is_some_and(|waiting| waiting.head.tried > 0);
        self.push(lane, Item { offset, content: Content::Event }, is_failing, Head::default());
        is_failing
    }

    /// Adds a kept item: from a previous run, or because the log does not contain it.
    pub(super) fn restore(&mut self, lane: Lane, item: Item, head: Head, now: i64) {
        // If the clock was set back, no wait lasts forever.
        let latest = now.saturating_add(2 * millis(LONGEST_PAUSE));
        if head.tried > 0 {
            self.receiver.doubt(now);
        }
        self.push(lane, item, true, Head { due: head.due.min(latest), ..head });
    }

    fn push(&mut self, lane: Lane, item: Item, kept: bool, head: Head) {
        if kept {
            self.kept += 1;
        } else {
            self.fresh.insert(item.offset);
        }
        let queued = Queued { item, kept };
        if let Some(waiting) = self.lanes.get_mut(&lane) {
            if waiting.queue.is_empty() {
                waiting.head = head;
            }
            waiting.queue.push_back(queued);
            return;
        }
        let phase = if head.tried > 0 { Phase::Due } else { Phase::Ready };
        let waiting = Waiting::new([queued].into(), phase, head);
        self.lanes.insert(lane.clone(), waiting);
        match phase {
            Phase::Due => {
                self.due.insert((head.due, lane));
            }
            Phase::Ready | Phase::Busy | Phase::Replying => self.ready.push_back(lane),
        }
    }

    /// Returns the next attempt, if one may be made now.
    pub(super) fn next(&mut self, now: i64) -> Option<Go> {
        if self.under_way >= TOGETHER || self.receiver.opens(self.under_way)? > now {
            return None;
        }
        let is_probe = self.receiver.is_down();
        let due = match (is_probe, self.ready.is_empty()) {
            (false, true) if self.looks(now) => self.longest_failed(),
            (false, _) => self.due.first().filter(|(at, _)| *at <= now).cloned(),
            // For a receiver that is down, an event that has not failed yet is the better probe, because failed events
            // may be at fault themselves. If all have failed, they take turns.
            (true, false) => None,
            (true, true) => self.longest_failed(),
        };
        let lane = match due {
            Some(entry) => {
                self.due.remove(&entry);
                entry.1
            }
            None => self.ready.pop_front()?,
        };
        let waiting = self.lanes.get_mut(&lane)?;
        let item = waiting.queue.front()?.item;
        waiting.phase = Phase::Busy;
        self.under_way += 1;
        Some(Go { attempt: waiting.head.tried.saturating_add(1), lane, item, is_probe })
    }

    /// Whether a failed event may be tried before it is due.
    fn looks(&self, now: i64) -> bool {
        let is_due = self.due.first().is_some_and(|(at, _)| *at <= now);
        !is_due && self.under_way == 0 && self.receiver.look().is_some_and(|at| at <= now)
    }

    /// The waiting lane whose last attempt is the oldest, so that lanes take turns.
    fn longest_failed(&self) -> Option<(i64, Lane)> {
        self.due.iter().min_by_key(|(_, lane)| self.lanes.get(lane).map(|it| it.failed_at)).cloned()
    }

    /// When to call `next` again, unless something happens before.
    pub(super) fn wake_at(&self) -> Option<i64> {
        if self.under_way >= TOGETHER {
            return None;
        }
        let opens = self.receiver.opens(self.under_way)?;
        let first = match (self.ready.is_empty(), self.due.first()) {
            (false, _) => i64::MIN,
            (true, Some(_)) if self.receiver.is_down() => i64::MIN,
            (true, Some((at, _))) if self.under_way == 0 => self.receiver.look().map_or(*at, |look| look.min(*at)),
            (true, Some((at, _))) => *at,
            (true, None) => return None,
        };
        Some(opens.max(first))
    }

    /// Records a success. Returns whether the event was kept. The lane continues after [`Self::settled`].
    pub(super) fn delivered(&mut self, lane: &Lane, now: i64) -> bool {
        self.receiver.answered();
        self.wake(now, |waiting| waiting.asked_until <= now && now >= waiting.leaves_alone_until());
        self.pop(lane)
    }

    /// Records that the outcome of the lane's first event is durable, so the lane may continue.
    pub(super) fn settled(&mut self, lane: &Lane) {
        self.under_way = self.under_way.saturating_sub(1);
        self.go_on(lane);
    }

    /// Records that the reply to the lane's first event is durable. The lane continues after [`Self::go_on`]. Until
    /// then it does not count as a running attempt.
    pub(super) fn replied(&mut self, lane: &Lane) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(waiting) = self.lanes.get_mut(lane) {
            waiting.phase = Phase::Replying;
        }
    }

    /// Adds a lane with a reply from a previous run. The commands of the reply must be accepted before the events of
    /// the lane are delivered. Call this before the events are added.
    pub(super) fn restore_reply(&mut self, lane: Lane) {
        self.lanes.entry(lane).or_insert_with(|| Waiting::new(VecDeque::new(), Phase::Replying, Head::default()));
    }

    /// Lets the lane continue with its next event.
    pub(super) fn go_on(&mut self, lane: &Lane) {
        let Some(waiting) = self.lanes.get_mut(lane) else { return };
        if waiting.queue.is_empty() {
            self.lanes.remove(lane);
        } else if waiting.head.tried > 0 {
            (waiting.phase, waiting.wakes) = (Phase::Due, waiting.head.due);
            self.due.insert((waiting.wakes, lane.clone()));
        } else {
            waiting.phase = Phase::Ready;
            self.ready.push_back(lane.clone());
        }
    }

    /// Records a failure. The next attempt follows after the next pause, or after `retry_after` if that is longer. If
    /// no retries are left, the event is given up, and the lane continues after [`Self::settled`]. `random` is from 0
    /// to 1.
    pub(super) fn failed(
        &mut self,
        go: &Go,
        now: i64,
        retries: &Retries,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Setback {
        self.receiver.failed(go.attempt == 1, go.is_probe, now, retries, retry_after);
        let mut setback = Setback { head: None, newly_kept: Vec::new(), was_kept: false };
        let Some(waiting) = self.lanes.get_mut(&go.lane) else { return setback };
        let head = &mut waiting.head;
        let mut due = now.saturating_add(millis(retry_after.unwrap_or_default()));
        if head.due <= now {
            let Some(pause) = retries.pause(head.failed.saturating_add(1)) else {
                setback.was_kept = self.pop(&go.lane);
                return setback;
            };
            head.failed = head.failed.saturating_add(1);
            due = due.max(now.saturating_add(millis(spread(pause, random))));
        }
        head.tried = head.tried.saturating_add(1);
        head.due = head.due.max(due);
        (waiting.failed_at, waiting.asked_until) = (now, now.saturating_add(millis(retry_after.unwrap_or_default())));
        if std::mem::take(&mut waiting.is_woken) {
            waiting.in_vain = waiting.in_vain.saturating_add(1);
        }
        (setback.head, setback.was_kept) = (Some(*head), waiting.queue.front().is_some_and(|queued| queued.kept));
        setback.newly_kept = self.put_off(&go.lane);
        setback
    }

    /// Records that the receiver wants no attempts before `until`.
    pub(super) fn hold(&mut self, until: i64) {
        self.receiver.hold(until);
    }

    /// Keeps the event of an attempt and the events after it, because no attempt will follow for a while. Returns the
    /// newly kept events and the failures of the first event.
    pub(super) fn park(&mut self, go: &Go, now: i64) -> (Option<Head>, Vec<Item>) {
        let Some(waiting) = self.lanes.get_mut(&go.lane) else { return (None, Vec::new()) };
        waiting.head.tried = waiting.head.tried.saturating_add(1);
        waiting.head.due = now;
        let head = waiting.head;
        (Some(head), self.put_off(&go.lane))
    }

    fn put_off(&mut self, lane: &Lane) -> Vec<Item> {
        self.under_way = self.under_way.saturating_sub(1);
        let Some(waiting) = self.lanes.get_mut(lane) else { return Vec::new() };
        (waiting.phase, waiting.wakes) = (Phase::Due, waiting.head.due);
        self.due.insert((waiting.wakes, lane.clone()));
        let mut newly_kept = Vec::new();
        for queued in waiting.queue.iter_mut().filter(|queued| !queued.kept) {
            queued.kept = true;
            newly_kept.push(queued.item);
        }
        self.kept += newly_kept.len();
        for item in &newly_kept {
            self.fresh.remove(&item.offset);
        }
        newly_kept
    }

    /// If too many events are kept although the receiver is up: the first event of the longest lane, to be given up
    /// with [`Self::gave_up`].
    pub(super) fn overflow(&mut self) -> Option<(Lane, Item)> {
        if self.kept < MOST_KEPT || self.receiver.is_down() || self.under_way >= TOGETHER {
            return None;
        }
        let waiting = self.lanes.iter_mut().filter(|(_, waiting)| waiting.phase == Phase::Due);
        let (lane, waiting) = waiting.max_by_key(|(_, waiting)| waiting.queue.len())?;
        let (lane, item) = (lane.clone(), waiting.queue.front()?.item);
        waiting.phase = Phase::Busy;
        self.due.remove(&(waiting.wakes, lane.clone()));
        self.under_way += 1;
        Some((lane, item))
    }

    /// Gives up the lane's first event. The lane continues after [`Self::settled`].
    pub(super) fn gave_up(&mut self, lane: &Lane) {
        self.pop(lane);
    }

    /// Replaces the lane's events that the log no longer has (those before `oldest`) with one gap. Returns the removed
    /// events with whether each was kept, and the gap, which must be kept.
    pub(super) fn forgotten(&mut self, lane: &Lane, oldest: u64) -> (Vec<(Item, bool)>, Option<Item>) {
        self.under_way = self.under_way.saturating_sub(1);
        let Some(waiting) = self.lanes.get_mut(lane) else { return (Vec::new(), None) };
        let mut gone = Vec::new();
        let is_gone = |queued: &mut Queued| queued.item.content == Content::Event && queued.item.offset < oldest;
        while let Some(Queued { item, kept }) = waiting.queue.pop_front_if(is_gone) {
            if kept {
                self.kept -= 1;
            } else {
                self.fresh.remove(&item.offset);
            }
            gone.push((item, kept));
        }
        let missed = Some(gone.len() as u64);
        let gap = gone.last().map(|(last, _)| Item { offset: last.offset, content: Content::Gap { missed } });
        if let Some(item) = gap {
            waiting.queue.push_front(Queued { item, kept: true });
            self.kept += 1;
        }
        (waiting.head, waiting.phase) = (Head::default(), Phase::Ready);
        self.ready.push_back(lane.clone());
        (gone, gap)
    }

    /// Records that an attempt could not begin, through no fault of the receiver; it is repeated shortly.
    pub(super) fn stumbled(&mut self, lane: &Lane) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(waiting) = self.lanes.get_mut(lane) {
            waiting.phase = Phase::Ready;
            self.ready.push_front(lane.clone());
        }
    }

    /// Makes all waiting events due now, whatever the receiver's state or wishes.
    pub(super) fn try_all(&mut self, now: i64) {
        self.receiver = Receiver::default();
        self.wake(now, |_| true);
    }

    /// Makes the selected waiting lanes due now.
    fn wake(&mut self, now: i64, which: impl Fn(&Waiting) -> bool) {
        let mut woken = Vec::new();
        for (at, lane) in &self.due {
            let Some(waiting) = self.lanes.get_mut(lane) else { continue };
            if *at > now && which(waiting) {
                (waiting.wakes, waiting.is_woken) = (now, true);
                woken.push((*at, lane.clone()));
            }
        }
        for entry in woken {
            self.due.remove(&entry);
            self.due.insert((now, entry.1));
        }
    }

    /// Removes the first event of a lane. Returns whether it was kept.
    fn pop(&mut self, lane: &Lane) -> bool {
        let Some(waiting) = self.lanes.get_mut(lane) else { return false };
        (waiting.head, waiting.is_woken, waiting.in_vain) = (Head::default(), false, 0);
        let Some(Queued { item, kept }) = waiting.queue.pop_front() else { return false };
        if kept {
            self.kept -= 1;
        } else {
            self.fresh.remove(&item.offset);
        }
        kept
    }
}

#[cfg(test)]
mod tests;
