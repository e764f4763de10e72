//! Subscriptions to conversations: executes what [`Subscriptions`] decides, and informs the waiting callers.

use std::time::Duration;

use tertulia_core::{
    id::{ConversationId, SubscriptionId},
    readiness::Part,
    refusal::{Case, RequestType, decide},
    subscription::{CallerNumber, Output, Outputs, Part as SubscriptionPart, SubscriptionFailure, SubscriptionKey},
    ums::{Request, Response, Unsubscription},
};
use tokio::sync::oneshot;

use super::{Connection, recovery_queue::Again, waiter::OwnRequest};
use crate::request::{Ask, Lane, RequestError};

impl From<SubscriptionFailure> for RequestError {
    fn from(failure: SubscriptionFailure) -> Self {
        match failure {
            SubscriptionFailure::Refused(error) => error.into(),
            SubscriptionFailure::TimedOut => Self::TimedOut,
            SubscriptionFailure::SocketLost => Self::ConnectionLost,
        }
    }
}

impl Connection {
    /// Executes the decisions about subscriptions.
    pub(super) fn carry_out_all(&mut self, outputs: Outputs) {
        for output in outputs {
            match output {
                Output::Subscribe { key, query } => {
                    let request = Request::SubscribeConversations(query);
                    self.recover_own(OwnRequest::Subscribe(key), request);
                }
                Output::SubscribeLater { key, part, tries, failure } => {
                    self.subscribe_later(key, part, tries, failure.into());
                }
                Output::Unsubscribe(subscription_id) => self.unsubscribe(subscription_id),
                Output::SnapshotCut { at } => {
                    self.context.process.metrics.snapshots_cut.inc();
                    self.context.note_error(&format_args!(
                        "as many conversations changed at {at} ms as a snapshot names; others of that time may be \
                         unknown until they change again"
                    ));
                }
                Output::SnapshotWhole(snapshot) => {
                    let mut missing = self.roster.ids().filter(|id| !snapshot.contains(*id)).cloned().collect();
                    self.step_up.keep(&mut missing);
                    self.snapshot_whole(&missing, snapshot.len());
                    let now = self.now();
                    let outputs = self.subscriptions.missing(missing, now);
                    self.carry_out_all(outputs);
                }
                Output::Settled(id) => self.settled(&id),
                Output::UpToDate { .. } => {}
                Output::CallerAnswered { caller, begun } => {
                    self.subscription_callers.begun(caller, begun.map_err(RequestError::from));
                }
            }
        }
    }

    /// A subscription was refused: it is requested again after a while. If the connection needs it to see its
    /// conversations, that part is missing meanwhile.
    fn subscribe_later(&mut self, key: SubscriptionKey, part: SubscriptionPart, tries: u32, failure: RequestError) {
        let (request, refusal) = (RequestType::Subscription, failure.refusal());
        let decision = decide(Case { lane: Lane::Recovery, request, refusal, tries, lasted: Duration::ZERO });
        let wait = decision.wait(tries, rand::random()).unwrap_or_default();
        self.try_again(Again::Subscription(key), wait);
        if part == SubscriptionPart::Standing {
            self.context.note_error(&failure);
            self.parts.refused(Part::Subscriptions, failure.to_string(), decision.goes_on);
            self.tell_lacking();
        }
    }

    /// Records a new subscription's id before the next frame is read, which may be its snapshot
    /// ([SB-12](crate::rules#sb-12)).
    pub(super) fn subscribe_answered(&mut self, key: SubscriptionKey, response: &Response<'_>) {
        let answer = response.subscribed();
        let now = self.now();
        let outputs = self.subscriptions.answered(key, answer, now);
        self.carry_out_all(outputs);
    }

    /// Requests the state of a conversation as soon as possible.
    pub(super) fn ask_state(&mut self, id: ConversationId) {
        let outputs = self.subscriptions.refresh(id);
        self.carry_out_all(outputs);
    }

    fn unsubscribe(&mut self, subscription_id: SubscriptionId) {
        // The response is not awaited: a subscription that stays open only repeats the notifications of the main one.
        let (reply, _) = oneshot::channel();
        let request = Request::UnsubscribeConversations(Unsubscription { subscription_id });
        self.ask(Ask::new(request, Lane::Recovery, reply));
    }

    /// Ends a caller's subscription.
    pub(super) fn remove_caller(&mut self, number: CallerNumber) {
        let now = self.now();
        let (left, outputs) = self.subscriptions.remove_caller(number, now);
        self.carry_out_all(outputs);
        for id in left {
            self.repeated.forget(&id);
        }
    }

    /// Loads unloaded conversations that must leave, because each writes its own record. Removes conversations that
    /// left a while ago, which stayed for late messages.
    pub(super) fn let_go(&mut self) {
        let now = self.now();
        let outputs = self.subscriptions.tick(now);
        self.carry_out_all(outputs);
        let sleeping = self.subscriptions.leaving().filter(|id| self.roster.is_asleep(id)).cloned();
        for id in sleeping.collect::<Vec<_>>() {
            self.child(&id);
        }
        for id in self.subscriptions.take_left(self.settings.linger, now) {
            self.forget_for_good(&id);
        }
    }
}
