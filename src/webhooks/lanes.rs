//! Which event of a webhook goes next: one at a time of each conversation, many conversations at a time.
//!
//! The event log is the queue. A few events that were read are *fresh*: held here until they are delivered, and told to
//! the store only by their numbers. When one fails, it and what waits behind it in its lane are *kept*: each has a
//! record of its own, so that reading can go on, and what the other lanes hold is not delayed. How many may be kept is
//! bounded. At the bound the longest lane gives up its first event, so that one conversation which always fails costs
//! nobody else anything; but when the receiver is down, nothing is given up for room: reading waits.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use tertulia_actors::engine::StoredEvent;

use super::{
    receiver::{PROBE_WITHIN, Receiver},
    schedule::{LONGEST_PAUSE, Retries, spread},
};

/// Attempts of one webhook that are under way at a time.
pub(super) const TOGETHER: usize = 16;
/// Events that are fresh at a time.
const WINDOW: usize = 256;
/// Events that are kept at a time; when the window fails all at once, it comes on top.
const MOST_KEPT: usize = 10_000;

/// What is delivered one by one: a conversation, or what a connection tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane(Arc<str>);

const CONVERSATION: &str = "conversation:";

impl Lane {
    /// The lane of an event.
    pub(super) fn of(event: &StoredEvent, ordered: bool) -> Self {
        match &event.conversation {
            _ if !ordered => Self(format!("event:{}", event.offset).into()),
            Some(conversation) => Self(format!("{CONVERSATION}{conversation}").into()),
            None => Self(format!("connection:{}", event.connection).into()),
        }
    }

    /// The lane of what is told of the log itself.
    pub(super) fn log() -> Self {
        Self("log".into())
    }

    /// The lane of one dead letter that is delivered again.
    pub(super) fn letter(id: &str) -> Self {
        Self(format!("letter:{id}").into())
    }

    /// A lane as it was written.
    pub(super) fn named(name: &str) -> Self {
        Self(name.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The conversation whose lane it is.
    pub(super) fn conversation(&self) -> Option<&str> {
        self.0.strip_prefix(CONVERSATION)
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
    /// That events up to the offset are missing, how many where it is known.
    Gap { missed: Option<u64> },
    /// What a dead letter held; the record has it.
    Letter,
}

/// One delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) offset: u64,
    pub(super) content: Content,
}

/// How the first event of a lane has fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Failures that count against its retries.
    pub(super) failed: u32,
    /// All failures, those of probes included.
    pub(super) tried: u32,
    /// When it is tried again at the latest, in milliseconds since 1970. A failure before that does not count against
    /// its retries.
    pub(super) due: i64,
}

/// One attempt to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Go {
    pub(super) lane: Lane,
    pub(super) item: Item,
    /// Which one of this item it is, from 1.
    pub(super) attempt: u32,
    /// The receiver is down, and this looks whether it is back.
    is_probe: bool,
}

/// What became of an attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setback {
    /// How the lane's first event stands; `None` where it is given up.
    pub(super) head: Option<Head>,
    /// What has to be kept from now on, the first event included.
    pub(super) newly_kept: Vec<Item>,
    /// Whether the event that failed had been kept before.
    pub(super) was_kept: bool,
}

/// What the store has to know beside what is kept: everything up to `read` is done, but for what is `fresh`.
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
    /// Under which time it stands among those that are due, where it does.
    wakes: i64,
    /// When it last failed.
    failed_at: i64,
    /// The receiver asked not to be sent this before then.
    asked_until: i64,
    /// A success of another lane has woken this one since it failed.
    is_woken: bool,
    /// How often it was woken so and failed all the same: it may be at fault itself.
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
    /// An attempt is under way, or its outcome is not durable yet.
    Busy,
    Due,
}

impl Waiting {
    fn new(queued: Queued, phase: Phase, head: Head) -> Self {
        let (failed_at, asked_until, is_woken, in_vain) = (0, 0, false, 0);
        Self { queue: [queued].into(), phase, head, wakes: head.due, failed_at, asked_until, is_woken, in_vain }
    }

    /// Until when the successes of other lanes say nothing of this one: no time at first, and twice as long each time
    /// that it failed although others succeeded.
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
    /// Lanes without anything in them, which have read as far as `read`.
    pub(super) fn new(read: u64) -> Self {
        Self { read, ..Self::default() }
    }

    /// The log was read as far as `offset`.
    pub(super) fn read_to(&mut self, offset: u64) {
        self.read = offset;
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { read: self.read, fresh: self.fresh.iter().copied().collect() }
    }

    /// How far the log was read.
    pub(super) fn progress_read(&self) -> u64 {
        self.read
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// What waits to be delivered.
    pub(super) fn pending(&self) -> usize {
        self.fresh.len() + self.kept
    }

    pub(super) fn is_down(&self) -> bool {
        self.receiver.is_down()
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.fresh.len() < WINDOW && self.kept < MOST_KEPT
    }

    /// Takes what was read; answers whether it is to be kept.
    pub(super) fn take(&mut self, lane: Lane, offset: u64) -> bool {
        let is_failing = self.lanes.get(&lane).is_some_and(|waiting| waiting.head.tried > 0);
        self.push(lane, Item { offset, content: Content::Event }, is_failing, Head::default());
        is_failing
    }

    /// Takes what is kept: in an earlier life, or because it is not in the log.
    pub(super) fn restore(&mut self, lane: Lane, item: Item, head: Head, now: i64) {
        // A clock that was set back does not put anything off for ever.
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
            waiting.queue.push_back(queued);
            return;
        }
        let phase = if head.tried > 0 { Phase::Due } else { Phase::Ready };
        let waiting = Waiting::new(queued, phase, head);
        self.lanes.insert(lane.clone(), waiting);
        match phase {
            Phase::Due => {
                self.due.insert((head.due, lane));
            }
            Phase::Ready | Phase::Busy => self.ready.push_back(lane),
        }
    }

    /// The next attempt, if one may be made now.
    pub(super) fn next(&mut self, now: i64) -> Option<Go> {
        if self.under_way >= TOGETHER || self.receiver.opens(self.under_way)? > now {
            return None;
        }
        let is_probe = self.receiver.is_down();
        let due = match (is_probe, self.ready.is_empty()) {
            (false, true) if self.looks(now) => self.longest_failed(),
            (false, _) => self.due.first().filter(|(at, _)| *at <= now).cloned(),
            // Of a receiver that is down, what has not failed yet tells more: the others may be at fault themselves,
            // and so take turns.
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

    /// Whether it is time to look if what failed succeeds now, before it is due.
    fn looks(&self, now: i64) -> bool {
        let is_due = self.due.first().is_some_and(|(at, _)| *at <= now);
        !is_due && self.under_way == 0 && self.receiver.look().is_some_and(|at| at <= now)
    }

    /// Of the lanes that wait for their time, the one that was tried least lately: they take turns.
    fn longest_failed(&self) -> Option<(i64, Lane)> {
        self.due.iter().min_by_key(|(_, lane)| self.lanes.get(lane).map(|it| it.failed_at)).cloned()
    }

    /// When to ask for the next attempt, unless something happens before.
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

    /// An attempt succeeded; answers whether the event had been kept. The lane goes on once this is [`Self::settled`].
    pub(super) fn delivered(&mut self, lane: &Lane, now: i64) -> bool {
        self.receiver.answered();
        self.wake(now, |waiting| waiting.asked_until <= now && now >= waiting.leaves_alone_until());
        self.pop(lane)
    }

    /// What became of the lane's first event is durable: the next one may go.
    pub(super) fn settled(&mut self, lane: &Lane) {
        self.under_way = self.under_way.saturating_sub(1);
        let Some(waiting) = self.lanes.get_mut(lane) else { return };
        if waiting.queue.is_empty() {
            self.lanes.remove(lane);
        } else {
            waiting.phase = Phase::Ready;
            self.ready.push_back(lane.clone());
        }
    }

    /// An attempt failed. It is made again after the next pause, or after `retry_after` where that is longer; or, where
    /// no retries are left, the event is given up, and the lane goes on once this is [`Self::settled`]. `random` is from
    /// 0 to 1.
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

    /// The receiver wants no attempts before then.
    pub(super) fn hold(&mut self, until: i64) {
        self.receiver.hold(until);
    }

    /// An attempt cannot be followed by another for a while: its event and those behind it are kept. Answers which
    /// were not before, and how the first one stands.
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

    /// Where more is kept than may be although the receiver is up: the first event of the longest lane, which is to be
    /// given up by [`Self::gave_up`].
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

    /// The lane's first event is given up. The lane goes on once this is [`Self::settled`].
    pub(super) fn gave_up(&mut self, lane: &Lane) {
        self.pop(lane);
    }

    /// The log has forgotten everything below `oldest`: what of the lane is there no more becomes one gap. Answers what
    /// went, and whether it had been kept, and the gap, which is to be kept.
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

    /// An attempt could not even be begun, for no fault of the receiver's: it is made again in a moment.
    pub(super) fn stumbled(&mut self, lane: &Lane) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(waiting) = self.lanes.get_mut(lane) {
            waiting.phase = Phase::Ready;
            self.ready.push_front(lane.clone());
        }
    }

    /// Everything that waits for its time is tried now, whatever the receiver seemed to be or asked for.
    pub(super) fn try_all(&mut self, now: i64) {
        self.receiver = Receiver::default();
        self.wake(now, |_| true);
    }

    /// Tries those lanes now that wait for their time.
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

    /// Takes the first event out of a lane; answers whether it had been kept.
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

/// A duration as the lanes count.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
