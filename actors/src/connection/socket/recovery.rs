//! Requests that bring the connection up to date. Each is sent when the rate limit of the login allows it, and sent
//! again if the platform refused it because there were too many (429).

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use actix::{Context, Handler, Message};
use serde_json::Value;
use tertulia_core::{
    id::{ConversationId, RingId},
    refusal::{Lane, RequestType, THROTTLED_OFTEN},
    session::Millis,
    subscription::SubscriptionKey,
    ums::Request,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Connection,
    actor::OwnRequest,
    requests::{Asked, Waiter},
};
use crate::request::RequestError;

/// A request of the recovery lane.
pub(super) struct Recovery {
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
pub(super) struct Out {
    conversation: Option<ConversationId>,
    request: Request,
    metadata: Vec<Value>,
    until: Option<Instant>,
    turn: Turn,
    /// How often it was refused because there were too many requests.
    pub(super) throttled: u32,
}

impl Out {
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
struct Turn {
    can_wait: bool,
    asked: Instant,
    number: u64,
}

/// Requests that wait to be sent. Bounded by their senders: one history per conversation, one answer per offer, and the
/// connection's own requests.
#[derive(Default)]
pub(super) struct RecoveryQueue {
    waiting: BTreeMap<RequestType, BTreeMap<Turn, Recovery>>,
    out: BTreeMap<RequestType, usize>,
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
    fn push(&mut self, recovery: Recovery) {
        self.number += 1;
        let turn = Turn { can_wait: !recovery.urgent, asked: recovery.asked, number: self.number };
        self.insert(turn, recovery);
    }

    /// Adds a request. If a conversation requests its history again, the new request replaces the waiting one and keeps
    /// the earlier position of both.
    fn insert(&mut self, mut turn: Turn, recovery: Recovery) {
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

    fn take_first(&mut self, request: RequestType) -> Option<(Turn, Recovery)> {
        let (turn, recovery) = self.waiting.get_mut(&request)?.pop_first()?;
        if let Some(conversation) = &recovery.conversation {
            self.histories.remove(conversation);
        }
        Some((turn, recovery))
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
        if let Some(out) = self.out.get_mut(&request) {
            *out = out.saturating_sub(1);
        }
    }

    fn drain(&mut self) -> Vec<Waiter<OwnRequest>> {
        self.out.clear();
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

/// The next request of the recovery lane may be sent.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct NextRecovery;

impl Connection {
    /// Queues a request of the recovery lane.
    pub(super) fn recover(&mut self, recovery: Recovery) {
        self.recovery.push(recovery);
        self.recover_next();
    }

    /// Queues one of the connection's own requests.
    pub(super) fn recover_own(&mut self, own: OwnRequest, request: Request) {
        let (conversation, metadata, waiter, asked) = (None, Vec::new(), Waiter::Own(own), Instant::now());
        let throttled = 0;
        self.recover(Recovery { conversation, request, metadata, waiter, until: None, urgent: true, asked, throttled });
    }

    /// The platform refused a request because there were too many: queues it again.
    pub(super) fn recover_again(&mut self, out: Out, waiter: Waiter<OwnRequest>) {
        let Out { conversation, request, metadata, until, turn, throttled } = out;
        if RequestType::from(&request) == RequestType::History
            && conversation.as_ref().is_some_and(|conversation| self.recovery.histories.contains_key(conversation))
        {
            // The conversation has sent its request again meanwhile.
            return;
        }
        let (urgent, asked, throttled) = (!turn.can_wait, turn.asked, throttled.saturating_add(1));
        self.recovery
            .insert(turn, Recovery { conversation, request, metadata, waiter, until, urgent, asked, throttled });
    }

    /// Sends the requests that may be sent now, and sets the alarm for the next one.
    pub(super) fn recover_next(&mut self) {
        if !self.session.phase().is_open() {
            return self.fail_recovery();
        }
        let mut next: Option<Millis> = None;
        let kinds: Vec<RequestType> = self.recovery.waiting.keys().copied().collect();
        for kind in kinds {
            while let Some((turn, recovery)) = self.take_next(kind, &mut next) {
                self.send_recovery(kind, turn, recovery);
            }
        }
        self.recovery.waiting.retain(|_, waiting| !waiting.is_empty());
        self.set_recovery_alarm(next);
    }

    fn take_next(&mut self, kind: RequestType, next: &mut Option<Millis>) -> Option<(Turn, Recovery)> {
        let now = self.now();
        loop {
            let (turn, first) = self.recovery.waiting.get(&kind)?.first_key_value()?;
            if first.until.is_some_and(|until| until <= Instant::now()) {
                let (_, expired) = self.recovery.take_first(kind)?;
                self.give_up(expired.waiter, RequestError::TimedOut);
                continue;
            }
            let out = self.recovery.out.get(&kind).copied().unwrap_or_default();
            if self.requests.is_full() || self.pace.is_full(kind, !turn.can_wait, out) {
                // The next response makes room.
                return None;
            }
            let at = self.pace.next(Lane::Recovery, kind, now);
            if at > now {
                *next = Some(next.map_or(at, |next| next.min(at)));
                return None;
            }
            return self.recovery.take_first(kind);
        }
    }

    fn send_recovery(&mut self, kind: RequestType, turn: Turn, recovery: Recovery) {
        let Recovery { conversation, request, metadata, waiter, until, throttled, .. } = recovery;
        let now = self.now();
        let out = self.recovery.out.entry(kind).or_default();
        self.pace.sent(Lane::Recovery, kind, *out, now);
        *out += 1;
        let out = Out { conversation, request: request.clone(), metadata: metadata.clone(), until, turn, throttled };
        let within = self.settings.request_timeout;
        let asked = Asked { waiter, lane: Lane::Recovery, request: kind, again: Some(Box::new(out)) };
        let id = self.requests.add(asked, Instant::now(), within);
        if let Err(failure) = self.write(&id, request, Vec::new(), metadata)
            && let Some(asked) = self.requests.take(id.as_str())
        {
            self.recovery.came_back(kind);
            self.give_up(asked.waiter, failure);
        }
    }

    fn set_recovery_alarm(&mut self, next: Option<Millis>) {
        let Some(at) = next else {
            self.recovery.alarm = None;
            return;
        };
        if self.recovery.alarm.as_ref().is_some_and(|(set, _)| *set <= at) {
            return;
        }
        let (me, wait) = (self.me.clone(), at.since(self.now()));
        let task = actix_rt::spawn(async move {
            tokio::time::sleep(wait).await;
            me.do_send(NextRecovery);
        });
        self.recovery.alarm = Some((at, AbortOnDropHandle::new(task)));
    }

    /// The socket is gone: the waiting requests were not sent.
    pub(super) fn fail_recovery(&mut self) {
        self.recovery.later.clear();
        for waiter in self.recovery.drain() {
            if let Waiter::Caller(reply) = waiter {
                let _ = reply.send(Err(RequestError::NotConnected));
            }
        }
    }

    /// Requests again after `wait`, on this socket.
    pub(super) fn try_again(&mut self, again: Again, wait: Duration) {
        let at = self.now().after(wait);
        self.recovery.later.push((at, again));
    }

    /// Requests again what is due.
    pub(super) fn try_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        let due: Vec<Again> =
            self.recovery.later.extract_if(.., |(at, _)| *at <= now).map(|(_, again)| again).collect();
        for again in due {
            match again {
                Again::Identity => self.learn_identity(ctx),
                Again::Subscription(key) => {
                    let outputs = self.subscribed.state.again(key);
                    self.carry_out_all(outputs);
                }
                Again::Rings => self.subscribe_rings(),
                Again::AgentState => self.set_agent_state(ctx),
                Again::Accept(ring, tries) => self.accept(ring, tries, ctx),
            }
        }
        self.recover_next();
    }
}

impl Handler<NextRecovery> for Connection {
    type Result = ();

    fn handle(&mut self, _: NextRecovery, _: &mut Self::Context) {
        self.recovery.alarm = None;
        self.recover_next();
    }
}

#[cfg(test)]
mod tests {
    use tertulia_core::ums::MessageQuery;
    use tokio::sync::oneshot;

    use super::*;

    /// A history that is wanted since this many seconds after the first.
    fn history(conversation: &str, urgent: bool, seconds: u64, first: Instant) -> Recovery {
        let request = Request::QueryMessages(MessageQuery {
            dialog_id: conversation.into(),
            newer_than_sequence: None,
            older_than_sequence: None,
            max_quantity: None,
        });
        let (conversation, waiter) = (Some(conversation.into()), Waiter::Caller(oneshot::channel().0));
        let asked = first + Duration::from_secs(seconds);
        Recovery { conversation, request, metadata: Vec::new(), waiter, until: None, urgent, asked, throttled: 0 }
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
        let taken = std::iter::from_fn(|| queue.take_first(RequestType::History));
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
