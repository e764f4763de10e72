//! Requests that bring the connection up to date: each goes out when the pace of the login allows it, and again where the
//! platform refused it for the number of requests (429).

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use actix::{Context, Handler, Message};
use serde_json::Value;
use tertulia_core::{
    id::{ConversationId, RingId},
    refusal::{Lane, RequestType},
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
use crate::request::RequestFailure;

/// A request of the recovery lane.
pub(super) struct Recovery {
    pub(super) conversation: Option<ConversationId>,
    pub(super) request: Request,
    pub(super) metadata: Vec<Value>,
    pub(super) waiter: Waiter<OwnRequest>,
    /// After which nobody wants the answer, such as that to an offer.
    pub(super) until: Option<Instant>,
    /// Whether it is sent before requests that are not urgent.
    pub(super) urgent: bool,
}

/// A request of the recovery lane that is out, in case it is to be repeated.
pub(super) struct Out {
    conversation: Option<ConversationId>,
    request: Request,
    metadata: Vec<Value>,
    until: Option<Instant>,
    urgent: bool,
}

/// Requests of one type that wait.
#[derive(Default)]
struct Line {
    urgent: VecDeque<Recovery>,
    others: VecDeque<Recovery>,
}

impl Line {
    fn first(&self) -> Option<&Recovery> {
        self.urgent.front().or_else(|| self.others.front())
    }

    fn take_first(&mut self) -> Option<Recovery> {
        self.urgent.pop_front().or_else(|| self.others.pop_front())
    }

    fn part(&mut self, urgent: bool) -> &mut VecDeque<Recovery> {
        if urgent { &mut self.urgent } else { &mut self.others }
    }

    /// Takes out the request of a conversation, and says at which place of which part it was.
    fn take_of(&mut self, conversation: &ConversationId) -> Option<(Recovery, usize)> {
        [true, false].into_iter().find_map(|urgent| {
            let part = self.part(urgent);
            let place = part.iter().position(|waiting| waiting.conversation.as_ref() == Some(conversation))?;
            Some((part.remove(place)?, place))
        })
    }

    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.others.is_empty()
    }

    fn into_all(self) -> impl Iterator<Item = Recovery> {
        self.urgent.into_iter().chain(self.others)
    }
}

/// Requests that wait for their turn. Bounded by who asks: one history a conversation, one answer an offer, and what the
/// connection asks for itself.
#[derive(Default)]
pub(super) struct RecoveryQueue {
    waiting: BTreeMap<RequestType, Line>,
    out: BTreeMap<RequestType, usize>,
    /// Conversations whose history waits.
    histories: HashSet<ConversationId>,
    /// Wakes the queue for its next request.
    alarm: Option<(Millis, AbortOnDropHandle<()>)>,
}

impl RecoveryQueue {
    /// Takes a request in. A history that its conversation asks for again meanwhile stands for the one before, in its place
    /// unless it is more urgent now.
    fn push(&mut self, recovery: Recovery) {
        let request = RequestType::from(&recovery.request);
        let line = self.waiting.entry(request).or_default();
        if request == RequestType::History
            && let Some(conversation) = &recovery.conversation
            && !self.histories.insert(conversation.clone())
            && let Some((before, place)) = line.take_of(conversation)
            && (before.urgent || !recovery.urgent)
        {
            let urgent = before.urgent;
            return line.part(urgent).insert(place, Recovery { urgent, ..recovery });
        }
        line.part(recovery.urgent).push_back(recovery);
    }

    /// A request waits no more.
    fn left(&mut self, recovery: &Recovery) {
        if let Some(conversation) = &recovery.conversation {
            self.histories.remove(conversation);
        }
    }

    /// Has the history of a conversation read behind those that are urgent already, if it waits.
    pub(super) fn hurry(&mut self, conversation: &ConversationId) {
        let Some(histories) = self.waiting.get_mut(&RequestType::History) else { return };
        let is_it = |waiting: &Recovery| waiting.conversation.as_ref() == Some(conversation);
        let place = histories.others.iter().position(is_it);
        if let Some(waiting) = place.and_then(|place| histories.others.remove(place)) {
            histories.urgent.push_back(Recovery { urgent: true, ..waiting });
        }
    }

    /// A request of the type is out no more.
    pub(super) fn came_back(&mut self, request: RequestType) {
        if let Some(out) = self.out.get_mut(&request) {
            *out = out.saturating_sub(1);
        }
    }

    fn drain(&mut self) -> Vec<Waiter<OwnRequest>> {
        self.out.clear();
        self.histories.clear();
        self.alarm = None;
        std::mem::take(&mut self.waiting).into_values().flat_map(Line::into_all).map(|waiting| waiting.waiter).collect()
    }
}

/// What is asked again after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Identity,
    Subscription(SubscriptionKey),
    Rings,
    AgentState,
    /// An offer, which was tried so often.
    Accept(RingId, u32),
}

/// The next request of the recovery lane may have its turn.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct NextRecovery;

impl Connection {
    /// Sends a request of the recovery lane when it has its turn.
    pub(super) fn recover(&mut self, recovery: Recovery) {
        self.recovery.push(recovery);
        self.recover_next();
    }

    /// Sends one of the connection's own requests when it has its turn.
    pub(super) fn recover_own(&mut self, own: OwnRequest, request: Request) {
        let (conversation, metadata, waiter) = (None, Vec::new(), Waiter::Own(own));
        self.recover(Recovery { conversation, request, metadata, waiter, until: None, urgent: true });
    }

    /// The platform refused a request for the number of requests: it goes first when the pace allows it.
    pub(super) fn recover_again(&mut self, out: Out, waiter: Waiter<OwnRequest>) {
        let Out { conversation, request, metadata, until, urgent } = out;
        let kind = RequestType::from(&request);
        if kind == RequestType::History
            && let Some(conversation) = &conversation
            && !self.recovery.histories.insert(conversation.clone())
        {
            // The conversation asked again meanwhile.
            return;
        }
        let again = Recovery { conversation, request, metadata, waiter, until, urgent };
        self.recovery.waiting.entry(kind).or_default().part(urgent).push_front(again);
    }

    /// Sends what may be sent now, and sets the alarm for what may be sent next.
    pub(super) fn recover_next(&mut self) {
        if !self.session.phase().is_open() {
            return self.fail_recovery();
        }
        let mut next: Option<Millis> = None;
        let kinds: Vec<RequestType> = self.recovery.waiting.keys().copied().collect();
        for kind in kinds {
            while let Some(recovery) = self.take_next(kind, &mut next) {
                self.send_recovery(kind, recovery);
            }
        }
        self.recovery.waiting.retain(|_, waiting| !waiting.is_empty());
        self.set_recovery_alarm(next);
    }

    fn take_next(&mut self, kind: RequestType, next: &mut Option<Millis>) -> Option<Recovery> {
        let now = self.now();
        loop {
            let waiting = self.recovery.waiting.get_mut(&kind)?;
            let first = waiting.first()?;
            if first.until.is_some_and(|until| until <= Instant::now()) {
                let expired = waiting.take_first()?;
                self.recovery.left(&expired);
                self.give_up(expired.waiter, RequestFailure::TimedOut);
                continue;
            }
            let out = self.recovery.out.get(&kind).copied().unwrap_or_default();
            if self.requests.is_full() || self.pace.is_full(kind, first.urgent, out) {
                // The next answer makes room.
                return None;
            }
            let at = self.pace.next(Lane::Recovery, kind, now);
            if at > now {
                *next = Some(next.map_or(at, |next| next.min(at)));
                return None;
            }
            let next = waiting.take_first()?;
            self.recovery.left(&next);
            return Some(next);
        }
    }

    fn send_recovery(&mut self, kind: RequestType, recovery: Recovery) {
        let Recovery { conversation, request, metadata, waiter, until, urgent } = recovery;
        let now = self.now();
        let out = self.recovery.out.entry(kind).or_default();
        self.pace.sent(Lane::Recovery, kind, *out, now);
        *out += 1;
        let out = Out { conversation, request: request.clone(), metadata: metadata.clone(), until, urgent };
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
        let Some(me) = self.me.clone() else { return };
        let wait = at.since(self.now());
        let task = actix_rt::spawn(async move {
            tokio::time::sleep(wait).await;
            me.do_send(NextRecovery);
        });
        self.recovery.alarm = Some((at, AbortOnDropHandle::new(task)));
    }

    /// The socket is gone: what waits was not sent.
    pub(super) fn fail_recovery(&mut self) {
        self.tries.clear();
        for waiter in self.recovery.drain() {
            if let Waiter::Caller(reply) = waiter {
                let _ = reply.send(Err(RequestFailure::NotConnected));
            }
        }
    }

    /// Asks again after `wait`, on this socket.
    pub(super) fn try_again(&mut self, again: Again, wait: Duration) {
        let at = self.now().after(wait);
        self.tries.push((at, again));
    }

    /// Asks again for what is due.
    pub(super) fn try_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        let due: Vec<Again> = self.tries.extract_if(.., |(at, _)| *at <= now).map(|(_, again)| again).collect();
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

    fn history(conversation: &str, urgent: bool) -> Recovery {
        let request = Request::QueryMessages(MessageQuery {
            dialog_id: conversation.into(),
            newer_than_sequence: None,
            older_than_sequence: None,
            max_quantity: None,
        });
        let waiter = Waiter::Caller(oneshot::channel().0);
        Recovery { conversation: Some(conversation.into()), request, metadata: Vec::new(), waiter, until: None, urgent }
    }

    fn order(queue: &mut RecoveryQueue) -> Vec<String> {
        let line = queue.waiting.get_mut(&RequestType::History);
        let taken = line.into_iter().flat_map(|line| std::iter::from_fn(|| line.take_first()));
        taken.filter_map(|recovery| Some(recovery.conversation?.to_string())).collect()
    }

    #[test]
    fn urgent_histories_go_first_each_kind_in_the_order_in_which_they_were_asked_for() {
        let mut queue = RecoveryQueue::default();
        for (conversation, urgent) in [("a", false), ("b", true), ("c", false), ("d", true)] {
            queue.push(history(conversation, urgent));
        }
        assert_eq!(order(&mut queue), ["b", "d", "a", "c"]);
    }

    #[test]
    fn a_history_that_is_asked_for_again_keeps_its_place_unless_it_became_urgent() {
        let mut queue = RecoveryQueue::default();
        for (conversation, urgent) in [("a", true), ("b", false), ("c", true), ("d", false)] {
            queue.push(history(conversation, urgent));
        }
        queue.push(history("a", false));
        queue.push(history("d", true));
        assert_eq!(order(&mut queue), ["a", "c", "d", "b"]);
    }

    #[test]
    fn a_history_for_which_a_command_waits_is_urgent_and_goes_before_no_other_urgent_one() {
        let mut queue = RecoveryQueue::default();
        for (conversation, urgent) in [("a", true), ("b", true), ("c", false), ("d", false)] {
            queue.push(history(conversation, urgent));
        }
        queue.hurry(&"d".into());
        queue.hurry(&"b".into());
        assert_eq!(order(&mut queue), ["a", "b", "d", "c"]);
    }
}
