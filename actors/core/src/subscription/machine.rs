//! The state machine: the subscriptions of the present socket, and the subscriptions that callers want on each socket.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Addressee, CallerNumber, Output, Outputs, Parked, Part, SubscriptionFailure, SubscriptionKey,
    departures::Departures,
    entry::{Entry, Life, Purpose, Snapshot},
    leaving::Leaving,
    page::PageRule,
    plan::{Plan, question},
    refreshing::Refreshing,
    strangers::Strangers,
};
use crate::{
    id::{ConversationId, SubscriptionId},
    refusal::Refusal,
    session::Millis,
    time::Timestamp,
    ums::{AnswerError, ConversationQuery},
};

/// The most callers' subscriptions of one connection; beyond it a caller is refused.
pub const CALLERS: usize = 64;
/// After this many attempts, spread over at least half a minute, a refused permission to see a conversation is final.
const PERMISSION_TRIES: u32 = 8;
/// How long a page is expected after a single change that may have overtaken it.
const ALONE_FOR: Duration = Duration::from_secs(5);

/// The subscriptions of a connection. `N` is a notification as the actor keeps it. See the [module](super) for its use.
#[derive(Debug)]
pub struct Subscriptions<N> {
    pages: PageRule,
    next: u64,
    pub(super) entries: BTreeMap<SubscriptionKey, Entry>,
    pub(super) parked: Vec<Parked<N>>,
    pub(super) callers: BTreeMap<CallerNumber, ConversationQuery>,
    callers_added: u64,
    pub(super) plan: Option<Plan>,
    pub(super) refreshing: Refreshing,
    may_refresh: bool,
    strangers: Strangers,
    pub(super) leaving: Leaving,
    pub(super) departures: Departures,
}

impl<N> Default for Subscriptions<N> {
    fn default() -> Self {
        Self::with(PageRule::PLATFORM)
    }
}

impl<N> Subscriptions<N> {
    pub(super) fn with(pages: PageRule) -> Self {
        Self {
            pages,
            next: 0,
            entries: BTreeMap::new(),
            parked: Vec::new(),
            callers: BTreeMap::new(),
            callers_added: 0,
            plan: None,
            refreshing: Refreshing::default(),
            may_refresh: false,
            strangers: Strangers::default(),
            leaving: Leaving::default(),
            departures: Departures::default(),
        }
    }

    /// Returns whether a snapshot is expected, which may be large.
    #[must_use]
    pub fn awaits_snapshot(&self) -> bool {
        self.entries.values().any(|entry| entry.snapshot.is_some())
    }

    /// Processes the response to [`Output::Subscribe`]. Call this before the next frame is read, because that frame may
    /// be the snapshot ([SB-12](crate::rules#sb-12)). Then process what [`take_parked`](Self::take_parked) returns.
    pub fn answered(
        &mut self,
        key: SubscriptionKey,
        answer: Result<SubscriptionId, AnswerError>,
        now: Millis,
    ) -> Outputs {
        match answer {
            Ok(id) => {
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.id = Some(id);
                }
                Outputs::new()
            }
            Err(refused) => self.fail(key, refused.into(), now),
        }
    }

    /// There was no response to [`Output::Subscribe`] in time.
    pub fn unanswered(&mut self, key: SubscriptionKey, now: Millis) -> Outputs {
        self.fail(key, SubscriptionFailure::TimedOut, now)
    }

    /// A notification with `changes` changes for these conversations was processed. The first notification of a
    /// subscription is a page of its snapshot. `oldest` is the earliest update time among them.
    pub fn notified(
        &mut self,
        addressee: Addressee,
        named: Vec<ConversationId>,
        changes: usize,
        oldest: impl FnOnce() -> Option<Timestamp>,
        now: Millis,
    ) -> Outputs {
        let mut outputs = Outputs::new();
        let Addressee::Subscription(key) = addressee else { return outputs };
        let Some(entry) = self.entries.get_mut(&key) else { return outputs };
        let is_page = matches!(entry.life, Life::Once { page_of: Some(_) });
        let is_full = self.pages.is_full(changes);
        let oldest = if is_full { oldest() } else { None };
        let snapshot = match entry.snapshot.take() {
            Some(mut snapshot) => {
                snapshot.seen.extend(named);
                snapshot
            }
            None if is_full => Snapshot { seen: Vec::new(), purpose: Purpose::Late, alone_since: None },
            None => return outputs,
        };
        if is_page && changes == 1 {
            let alone_since = snapshot.alone_since.or(Some(now));
            entry.snapshot = Some(Snapshot { alone_since, ..snapshot });
            return outputs;
        }
        if let Some(at) = oldest.filter(|_| self.pages.is_cut(&entry.query, changes, oldest)) {
            outputs.push(Output::SnapshotCut { at });
        }
        let next = self.pages.next_page(&entry.query, changes, oldest);
        self.page_taken(key, snapshot, next, now, &mut outputs);
        outputs
    }

    /// Time has passed: if a single change was taken for a page and no larger notification followed for long enough,
    /// the single change was the whole page.
    pub fn tick(&mut self, now: Millis) -> Outputs {
        let mut outputs = Outputs::new();
        self.departures.forget_old(now);
        let is_over = |entry: &Entry| {
            let since = entry.snapshot.as_ref().and_then(|snapshot| snapshot.alone_since);
            since.is_some_and(|since| now >= since.after(ALONE_FOR))
        };
        let over: Vec<SubscriptionKey> =
            self.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(key, _)| *key).collect();
        for key in over {
            if let Some(snapshot) = self.entries.get_mut(&key).and_then(|entry| entry.snapshot.take()) {
                self.page_taken(key, snapshot, None, now, &mut outputs);
            }
        }
        outputs
    }

    fn page_taken(
        &mut self,
        key: SubscriptionKey,
        snapshot: Snapshot,
        next: Option<ConversationQuery>,
        now: Millis,
        outputs: &mut Outputs,
    ) {
        let page_of = match self.entries.get(&key).map(|entry| &entry.life) {
            Some(Life::Once { page_of }) => {
                let page_of = *page_of;
                let ended = self.entries.remove(&key).and_then(|entry| entry.id);
                outputs.extend(ended.map(Output::Unsubscribe));
                page_of
            }
            Some(Life::Standing { .. }) | None => Some(key),
        };
        match next {
            Some(query) => {
                self.add(query, Life::Once { page_of }, Snapshot { alone_since: None, ..snapshot }, outputs);
            }
            None => self.whole(snapshot.purpose, snapshot.seen, now, outputs),
        }
    }

    /// Ends everything of the socket, because it is gone. Conversations that were about to leave stay until the next
    /// plan has checked them again.
    pub fn socket_lost(&mut self) -> Outputs {
        let mut outputs = Outputs::new();
        self.parked.clear();
        self.may_refresh = false;
        self.strangers.clear();
        self.leaving.clear();
        self.departures.clear();
        self.plan = None;
        for (_, Entry { snapshot, .. }) in std::mem::take(&mut self.entries) {
            if let Some(Snapshot { purpose, .. }) = snapshot {
                self.socket_lost_over(purpose, &mut outputs);
            }
        }
        outputs
    }

    /// Adds a caller's subscription, for now and for each later socket. `None` if there are already [`CALLERS`].
    pub fn add_caller(&mut self, query: ConversationQuery) -> Option<(CallerNumber, Outputs)> {
        if self.callers.len() >= CALLERS {
            return None;
        }
        self.callers_added += 1;
        let number = CallerNumber(self.callers_added);
        self.callers.insert(number, query.clone());
        let mut outputs = Outputs::new();
        self.subscribe(query, Life::standing(Some(number)), Purpose::Begun(number), &mut outputs);
        Some((number, outputs))
    }

    /// Ends a caller's subscription. Returns the conversations that are in no other subscription and are about to
    /// leave, and the outputs.
    pub fn remove_caller(&mut self, number: CallerNumber, now: Millis) -> (Vec<ConversationId>, Outputs) {
        self.callers.remove(&number);
        let mut outputs = Outputs::new();
        let is_caller =
            |entry: &Entry| matches!(entry.life, Life::Standing { caller: Some(caller), .. } if caller == number);
        let key = self.entries.iter().find(|(_, entry)| is_caller(entry)).map(|(key, _)| *key);
        let Some(Entry { id, life: Life::Standing { members, .. }, .. }) =
            key.and_then(|key| self.entries.remove(&key))
        else {
            return (Vec::new(), outputs);
        };
        let is_page = |entry: &Entry| matches!(entry.life, Life::Once { page_of: Some(root) } if Some(root) == key);
        let pages = self.entries.extract_if(.., |_, entry| is_page(entry)).filter_map(|(_, page)| page.id);
        outputs.extend(id.into_iter().chain(pages).map(Output::Unsubscribe));
        let left: Vec<ConversationId> = members.into_iter().filter(|id| !self.has(id)).collect();
        left.iter().for_each(|id| self.leaves(id, now));
        (left, outputs)
    }

    /// Requests the state of a conversation as soon as possible.
    pub fn refresh(&mut self, id: ConversationId) -> Outputs {
        self.refreshing.want(id);
        let mut outputs = Outputs::new();
        self.refresh_next(&mut outputs);
        outputs
    }

    /// A message named an unknown conversation. Asks whether the connection sees it, with the connection's `own` query
    /// if there is one. The number and frequency of these requests are limited. A state in the response makes the
    /// conversation known.
    pub fn stranger(&mut self, id: &ConversationId, own: Option<&ConversationQuery>, now: Millis) -> Outputs {
        let mut outputs = Outputs::new();
        if self.may_refresh && self.strangers.ask(id, now) {
            let of_own =
                |own: &ConversationQuery| ConversationQuery { conversation_id: Some(id.clone()), ..own.clone() };
            let query = own.map_or_else(|| question(id.clone()), of_own);
            self.subscribe(query, Life::QUESTION, Purpose::Stranger(id.clone()), &mut outputs);
        }
        outputs
    }

    /// Sets whether states may be requested outside the resume plan.
    pub fn ready(&mut self, may_refresh: bool) -> Outputs {
        self.may_refresh = may_refresh;
        let mut outputs = Outputs::new();
        self.refresh_next(&mut outputs);
        outputs
    }

    /// Marks a conversation as about to leave, unless a subscription contains it.
    pub fn leaves(&mut self, id: &ConversationId, now: Millis) {
        if !self.has(id) {
            self.leaving.add(id, now);
        }
    }

    /// Returns whether a conversation is about to leave.
    #[must_use]
    pub fn is_leaving(&self, id: &ConversationId) -> bool {
        self.leaving.has(id)
    }

    /// The conversations that are about to leave.
    pub fn leaving(&self) -> impl Iterator<Item = &ConversationId> {
        self.leaving.all()
    }

    /// Removes and returns the conversations that left at least `linger` ago, which must be dropped for good.
    pub fn take_left(&mut self, linger: Duration, now: Millis) -> Vec<ConversationId> {
        self.leaving.take_over(linger, now)
    }

    /// A conversation is no longer in memory.
    pub fn forget(&mut self, id: &ConversationId) {
        self.refreshing.forget(id);
        self.leaving.remove(id);
    }

    pub(super) fn subscribe(&mut self, query: ConversationQuery, life: Life, purpose: Purpose, outputs: &mut Outputs) {
        self.add(query, life, Snapshot { seen: Vec::new(), purpose, alone_since: None }, outputs);
    }

    fn add(&mut self, query: ConversationQuery, life: Life, snapshot: Snapshot, outputs: &mut Outputs) {
        self.next += 1;
        let key = SubscriptionKey(self.next);
        outputs.push(Output::Subscribe { key, query: query.clone() });
        let entry = Entry { query, id: None, life, tries: 0, is_asked: true, snapshot: Some(snapshot) };
        self.entries.insert(key, entry);
    }

    pub(super) fn key_of(&self, id: &str) -> Option<SubscriptionKey> {
        self.entries.iter().find(|(_, entry)| entry.id.as_ref().is_some_and(|own| own == id)).map(|(key, _)| *key)
    }

    fn whole(&mut self, purpose: Purpose, snapshot: Vec<ConversationId>, now: Millis, outputs: &mut Outputs) {
        match purpose {
            Purpose::Own | Purpose::Restored => self.planned(snapshot, outputs),
            Purpose::Begun(caller) => outputs.push(Output::CallerAnswered { caller, begun: Ok(snapshot) }),
            Purpose::Missing(id) => self.settled(id, now, outputs),
            Purpose::Refresh(id) => self.refreshed(&id, now, outputs),
            Purpose::Stranger(id) => self.strangers.answered(&id, now),
            Purpose::Late => {}
        }
    }

    fn fail(&mut self, key: SubscriptionKey, failure: SubscriptionFailure, now: Millis) -> Outputs {
        let mut outputs = Outputs::new();
        let Some(mut entry) = self.entries.remove(&key) else { return outputs };
        entry.tries = entry.tries.saturating_add(1);
        let Some(purpose) = entry.snapshot.as_ref().map(|snapshot| &snapshot.purpose) else { return outputs };
        let is_final = is_final((&failure).into(), entry.tries);
        match purpose {
            Purpose::Begun(caller) => outputs.push(Output::CallerAnswered { caller: *caller, begun: Err(failure) }),
            // A subscription that the platform finally refuses is not waited for.
            Purpose::Restored if is_final => self.planned(Vec::new(), &mut outputs),
            // The state of a conversation that this login may no longer see cannot be requested; it leaves without one.
            Purpose::Missing(id) if is_final => self.settled(id.clone(), now, &mut outputs),
            Purpose::Refresh(id) if is_final => self.refreshed(&id.clone(), now, &mut outputs),
            Purpose::Stranger(id) => self.strangers.answered(&id.clone(), now),
            Purpose::Late => {}
            Purpose::Own | Purpose::Restored => self.later(key, entry, Part::Standing, failure, &mut outputs),
            Purpose::Missing(_) | Purpose::Refresh(_) => {
                self.later(key, entry, Part::Question, failure, &mut outputs);
            }
        }
        outputs
    }

    fn later(
        &mut self,
        key: SubscriptionKey,
        entry: Entry,
        part: Part,
        failure: SubscriptionFailure,
        outputs: &mut Outputs,
    ) {
        let tries = entry.tries;
        self.entries.insert(key, Entry { is_asked: false, ..entry });
        outputs.push(Output::SubscribeLater { key, part, tries, failure });
    }

    /// Requests a failed subscription again, unless it is no longer wanted.
    pub fn again(&mut self, key: SubscriptionKey) -> Outputs {
        let waiting = self.entries.get_mut(&key).filter(|entry| !entry.is_asked);
        let asked = waiting.map(|entry| {
            entry.is_asked = true;
            Output::Subscribe { key, query: entry.query.clone() }
        });
        asked.into_iter().collect()
    }

    fn socket_lost_over(&mut self, purpose: Purpose, outputs: &mut Outputs) {
        match purpose {
            Purpose::Begun(caller) => {
                outputs.push(Output::CallerAnswered { caller, begun: Err(SubscriptionFailure::SocketLost) })
            }
            Purpose::Refresh(id) => {
                self.refreshing.ended(&id);
                self.refreshing.want(id);
            }
            Purpose::Own | Purpose::Restored | Purpose::Missing(_) | Purpose::Stranger(_) | Purpose::Late => {}
        }
    }

    fn refreshed(&mut self, id: &ConversationId, now: Millis, outputs: &mut Outputs) {
        self.refreshing.ended(id);
        // If the conversation left meanwhile, nothing else reports it.
        self.leaves(id, now);
        self.refresh_next(outputs);
    }

    fn refresh_next(&mut self, outputs: &mut Outputs) {
        while self.may_refresh
            && let Some(id) = self.refreshing.next()
        {
            self.subscribe(question(id.clone()), Life::QUESTION, Purpose::Refresh(id), outputs);
        }
    }
}

/// Returns whether a refusal of a subscription is final.
fn is_final(refusal: Refusal, tries: u32) -> bool {
    match refusal {
        Refusal::Rejected => true,
        Refusal::NotPermitted => tries >= PERMISSION_TRIES,
        Refusal::TooMany | Refusal::Trouble | Refusal::Unanswered | Refusal::ConnectionLost => false,
    }
}

#[cfg(test)]
impl<N> Subscriptions<N> {
    /// Whether nothing is in flight, and no conversation is about to leave.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_waiting = self.awaits_snapshot() || self.plan.is_some() || !self.parked.is_empty();
        !is_waiting && self.refreshing.len() == 0 && self.leaving().next().is_none()
    }

    /// Checks that no more is stored than the known conversations and the callers' subscriptions explain.
    pub(super) fn check_bounds(&self, known: usize, callers: usize) -> Result<(), String> {
        let standing = 1 + callers;
        // One page of each, and the limited number of concurrent requests of the plan and outside it.
        let is_bounded = self.entries.len() <= 2 * standing + 64
            && self.callers.len() == callers
            && self.parked.len() <= 64
            && self.refreshing.len() <= 2 * known + 64
            && self.departures.len() <= known + 200
            && self.leaving().count() <= known + 64;
        if is_bounded { Ok(()) } else { Err(format!("too much is kept: {}", self.describe())) }
    }

    pub(super) fn describe(&self) -> String {
        let Self { entries, callers, plan, refreshing, leaving, .. } = self;
        format!("{entries:?}, {callers:?}, {plan:?}, {refreshing:?}, {leaving:?}, {} parked", self.parked.len())
    }
}
