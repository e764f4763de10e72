//! Requests of the recovery lane that wait to be sent, and what to request again later.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use serde_json::Value;
use tertulia_core::{
    id::{ConversationId, RingId},
    refusal::{RequestType, THROTTLED_OFTEN},
    session::Millis,
    subscription::SubscriptionKey,
    ums::Request,
};
use tokio_util::task::AbortOnDropHandle;

use super::waiter::{OwnRequest, Waiter};

/// A request of the recovery lane.
pub(super) struct RecoveryRequest {
    pub(super) conversation: Option<ConversationId>,
    pub(super) request: Request,
    pub(super) metadata: Vec<Value>,
    pub(super) waiter: Waiter<OwnRequest>,
    /// When the response is no longer useful, such as the response to an offer.
    pub(super) until: Option<Instant>,
    /// Whether it is sent before requests that are not urgent.
    pub(super) urgent: bool,
    /// When the wait for its response began.
    pub(super) asked: Instant,
    /// How often it was refused because there were too many requests.
    pub(super) throttled: u32,
}

/// A request of the recovery lane in flight, kept for a repetition.
pub(super) struct SentRecovery {
    conversation: Option<ConversationId>,
    request: Request,
    metadata: Vec<Value>,
    until: Option<Instant>,
    turn: Turn,
    /// How often it was refused because there were too many requests.
    pub(super) throttled: u32,
}

impl SentRecovery {
    pub(super) fn of(turn: Turn, recovery: &RecoveryRequest) -> Self {
        Self {
            conversation: recovery.conversation.clone(),
            request: recovery.request.clone(),
            metadata: recovery.metadata.clone(),
            until: recovery.until,
            turn,
            throttled: recovery.throttled,
        }
    }

    /// Whether it is repeated here when it is refused again because there were too many. If several requests of its
    /// type may wait, a request that is refused often is returned to its sender: here it would be the first of its type
    /// again and again.
    pub(super) fn is_repeated_here(&self) -> bool {
        !RequestType::from(&self.request).is_asked_by_many() || self.throttled + 1 < THROTTLED_OFTEN
    }
}

/// The position of a request among the requests of its type: urgent requests first, and within each group the oldest
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    can_wait: bool,
    asked: Instant,
    number: u64,
}

/// Requests that wait to be sent. Bounded by their senders: one history per conversation, one answer per offer, and the
/// connection's own requests.
#[derive(Default)]
pub(super) struct RecoveryQueue {
    waiting: BTreeMap<RequestType, BTreeMap<Turn, RecoveryRequest>>,
    in_flight: BTreeMap<RequestType, usize>,
    /// Conversations whose history waits.
    histories: HashMap<ConversationId, Turn>,
    /// Counts the requests.
    number: u64,
    /// What to request again, and when.
    later: Vec<(Millis, Again)>,
    /// Wakes the queue for its next request.
    alarm: Option<(Millis, AbortOnDropHandle<()>)>,
}

impl RecoveryQueue {
    pub(super) fn push(&mut self, recovery: RecoveryRequest) {
        self.number += 1;
        let turn = Turn { can_wait: !recovery.urgent, asked: recovery.asked, number: self.number };
        self.insert(turn, recovery);
    }

    /// Adds a request. If a conversation requests its history again, the new request replaces the waiting one and keeps
    /// the earlier position of both.
    fn insert(&mut self, mut turn: Turn, recovery: RecoveryRequest) {
        let request = RequestType::from(&recovery.request);
        let line = self.waiting.entry(request).or_default();
        if request == RequestType::History
            && let Some(conversation) = &recovery.conversation
        {
            if let Some(before) = self.histories.get(conversation) {
                line.remove(before);
                turn = turn.min(*before);
            }
            self.histories.insert(conversation.clone(), turn);
        }
        line.insert(turn, recovery);
    }

    /// Queues again a request that the platform refused because there were too many. If its conversation has sent the
    /// request again meanwhile, nothing is queued.
    pub(super) fn push_again(&mut self, sent: SentRecovery, waiter: Waiter<OwnRequest>) {
        let SentRecovery { conversation, request, metadata, until, turn, throttled } = sent;
        if RequestType::from(&request) == RequestType::History
            && conversation.as_ref().is_some_and(|conversation| self.histories.contains_key(conversation))
        {
            return;
        }
        let (urgent, asked, throttled) = (!turn.can_wait, turn.asked, throttled.saturating_add(1));
        self.insert(turn, RecoveryRequest { conversation, request, metadata, waiter, until, urgent, asked, throttled });
    }

    /// The types of the waiting requests.
    pub(super) fn waiting_types(&self) -> Vec<RequestType> {
        self.waiting.keys().copied().collect()
    }

    /// Whether the next request of this type is urgent; `None` if no request of this type waits.
    pub(super) fn is_next_urgent(&self, request: RequestType) -> Option<bool> {
        let (turn, _) = self.waiting.get(&request)?.first_key_value()?;
        Some(!turn.can_wait)
    }

    /// Removes and returns the next request of this type.
    pub(super) fn take_next(&mut self, request: RequestType) -> Option<(Turn, RecoveryRequest)> {
        let line = self.waiting.get_mut(&request)?;
        let (turn, recovery) = line.pop_first()?;
        if line.is_empty() {
            self.waiting.remove(&request);
        }
        if let Some(conversation) = &recovery.conversation {
            self.histories.remove(conversation);
        }
        Some((turn, recovery))
    }

    /// Removes and returns the next request of this type if its response is no longer useful.
    pub(super) fn take_expired(&mut self, request: RequestType, now: Instant) -> Option<RecoveryRequest> {
        let (_, next) = self.waiting.get(&request)?.first_key_value()?;
        let is_expired = next.until.is_some_and(|until| until <= now);
        if is_expired { self.take_next(request).map(|(_, expired)| expired) } else { None }
    }

    /// How many requests of this type are in flight.
    pub(super) fn in_flight(&self, request: RequestType) -> usize {
        self.in_flight.get(&request).copied().unwrap_or_default()
    }

    /// A request of this type was sent.
    pub(super) fn sent(&mut self, request: RequestType) {
        *self.in_flight.entry(request).or_default() += 1;
    }

    /// Makes the history of a conversation urgent, if it waits.
    pub(super) fn hurry(&mut self, conversation: &ConversationId) {
        let (Some(histories), Some(turn)) =
            (self.waiting.get_mut(&RequestType::History), self.histories.get_mut(conversation))
        else {
            return;
        };
        if let Some(waiting) = histories.remove(turn) {
            turn.can_wait = false;
            histories.insert(*turn, waiting);
        }
    }

    /// A request of this type is no longer in flight.
    pub(super) fn came_back(&mut self, request: RequestType) {
        if let Some(in_flight) = self.in_flight.get_mut(&request) {
            *in_flight = in_flight.saturating_sub(1);
        }
    }

    /// Plans to request something again at `at`.
    pub(super) fn plan(&mut self, at: Millis, again: Again) {
        self.later.push((at, again));
    }

    /// Removes and returns what is due to be requested again.
    pub(super) fn take_due(&mut self, now: Millis) -> Vec<Again> {
        self.later.extract_if(.., |(at, _)| *at <= now).map(|(_, again)| again).collect()
    }

    /// Whether an alarm is set that rings at `at` or earlier.
    pub(super) fn is_alarm_set_for(&self, at: Millis) -> bool {
        self.alarm.as_ref().is_some_and(|(set, _)| *set <= at)
    }

    /// Sets the alarm, which rings when `task` ends.
    pub(super) fn set_alarm(&mut self, at: Millis, task: AbortOnDropHandle<()>) {
        self.alarm = Some((at, task));
    }

    pub(super) fn drop_alarm(&mut self) {
        self.alarm = None;
    }

    /// The socket is gone: removes everything, and returns who waits for requests that were not sent.
    pub(super) fn drain(&mut self) -> Vec<Waiter<OwnRequest>> {
        self.later.clear();
        self.in_flight.clear();
        self.histories.clear();
        self.alarm = None;
        std::mem::take(&mut self.waiting).into_values().flatten().map(|(_, waiting)| waiting.waiter).collect()
    }
}

/// What to request again after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Identity,
    Subscription(SubscriptionKey),
    Rings,
    AgentState,
    /// An offer, and how often it was tried.
    Accept(RingId, u32),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tertulia_core::ums::MessageQuery;
    use tokio::sync::oneshot;

    use super::*;

    /// A history that is wanted since this many seconds after the first.
    fn history(conversation: &str, urgent: bool, seconds: u64, first: Instant) -> RecoveryRequest {
        let request = Request::QueryMessages(MessageQuery {
            dialog_id: conversation.into(),
            newer_than_sequence: None,
            older_than_sequence: None,
            max_quantity: None,
        });
        let (conversation, waiter) = (Some(conversation.into()), Waiter::Caller(oneshot::channel().0));
        let asked = first + Duration::from_secs(seconds);
        RecoveryRequest {
            conversation,
            request,
            metadata: Vec::new(),
            waiter,
            until: None,
            urgent,
            asked,
            throttled: 0,
        }
    }

    /// A queue with a request for each of these histories.
    fn queue(histories: &[(&str, bool, u64)]) -> RecoveryQueue {
        let (mut queue, first) = (RecoveryQueue::default(), Instant::now());
        for (conversation, urgent, seconds) in histories {
            queue.push(history(conversation, *urgent, *seconds, first));
        }
        queue
    }

    fn order(queue: &mut RecoveryQueue) -> String {
        let taken = std::iter::from_fn(|| queue.take_next(RequestType::History));
        taken.filter_map(|(_, recovery)| Some(recovery.conversation?.to_string())).collect()
    }

    #[test]
    fn urgent_histories_go_first_and_of_each_kind_what_is_wanted_for_longest() {
        let mut queue =
            queue(&[("a", false, 1), ("b", true, 3), ("c", false, 0), ("d", true, 2), ("e", true, 2), ("f", false, 1)]);
        assert_eq!(order(&mut queue), "debcaf");
    }

    #[test]
    fn a_history_that_is_asked_for_again_has_the_earlier_turn_of_both() {
        let all = [("a", true, 0), ("b", false, 1), ("c", true, 2), ("d", false, 3)];
        let mut queue = queue(&[&all[..], &[("a", false, 9), ("c", true, 9), ("d", true, 3)]].concat());
        assert_eq!(order(&mut queue), "acdb");
        assert_eq!(order(&mut queue), "");
    }

    #[test]
    fn a_history_for_which_a_command_waits_becomes_urgent() {
        let mut queue = queue(&[("a", true, 1), ("b", true, 2), ("c", false, 0), ("d", false, 3)]);
        for conversation in ["d", "b", "e"] {
            queue.hurry(&conversation.into());
        }
        assert_eq!(order(&mut queue), "abdc");
    }
}
