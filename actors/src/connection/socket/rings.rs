//! Rings: offers of conversations, accepted or passed on ([RG-1](crate::rules#rg-1) to [RG-5](crate::rules#rg-5)).

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, MessageResult, WrapFuture};
use tertulia_core::{
    id::{ConversationId, RingId, SkillId, UserId},
    readiness::Part,
    refusal::{Case, RequestType, decide},
    ums::{ChannelType, Request, Response, RingAnswer, RingState, Rings as RingNotification, RoutingSubscription},
};
use tokio::sync::oneshot;

use super::{
    AcceptRing, AnswerRing, Connection, ConnectionError, ListRings, Rings,
    recovery_queue::{Again, RecoveryRequest},
    waiter::{OwnRequest, Waiter},
};
use crate::{
    request::{Lane, RequestError},
    subscriber::{EventData, Offer},
};

/// How long an offer without an expiry is remembered.
const DEFAULT_LIFE: Duration = Duration::from_secs(120);

impl Connection {
    /// Subscribes to rings on each new socket ([RG-5](crate::rules#rg-5)).
    pub(super) fn subscribe_rings(&mut self) {
        let Some(agent_id) = self.principal.agent_id() else { return };
        if self.settings.rings == Rings::Off {
            return;
        }
        let request = Request::SubscribeRoutingTasks(RoutingSubscription {
            channel_type: ChannelType::Messaging,
            brand_id: self.settings.account.clone(),
            agent_id: agent_id.clone(),
        });
        self.recover_own(OwnRequest::SubscribeRings, request);
    }

    pub(super) fn ring_subscribed(&mut self, response: &Response<'_>) {
        match response.subscribed() {
            Ok(_) => self.part_works(Part::Rings, RequestType::RingSubscription),
            Err(error) => self.rings_refused(&error.into()),
        }
    }

    pub(super) fn rings_refused(&mut self, failure: &RequestError) {
        self.part_refused(Part::Rings, RequestType::RingSubscription, failure, Again::Rings);
    }

    pub(super) fn take_rings(&mut self, notification: &RingNotification<'_>, ctx: &mut Context<Self>) {
        let rings = notification.changes.iter().filter_map(|change| change.result.as_ref());
        for task in rings {
            for ring in &task.rings_details {
                let life = ring.ring_expiration.map_or(DEFAULT_LIFE, Duration::from_millis);
                let conversation = ring.conv_id.as_ref().or(task.conversation_id.as_ref());
                let consumer = ring.consumer_id.as_ref().or(task.consumer_id.as_ref());
                let skill = ring.skill_id.as_ref().or(task.skill_id.as_ref());
                let offer = Offer {
                    ring_id: RingId::from(&ring.ring_id),
                    ring_state: ring.ring_state.clone(),
                    conversation_id: conversation.and_then(ConversationId::from_wire),
                    skill_id: skill.map(SkillId::from),
                    consumer_id: consumer.map(UserId::from),
                    ring_expiration_ts: ring.ring_expiration_ts,
                };
                if !self.rings.note(&offer, life) {
                    continue;
                }
                if offer.ring_state == RingState::Waiting && self.settings.rings == Rings::Accept {
                    self.accept(offer.ring_id.clone(), 0, ctx);
                }
                self.context.publish(EventData::Ring(offer));
            }
        }
    }

    /// Accepts an offer, and repeats the request until the offer expires. `tries` counts the attempts so far.
    pub(super) fn accept(&mut self, ring_id: RingId, tries: u32, ctx: &mut Context<Self>) {
        if !self.rings.is_waiting(&ring_id) {
            return;
        }
        let answered = self.answer_ring(ring_id.clone(), true, tries);
        ctx.spawn(answered.into_actor(self).map(move |outcome, connection, _| match outcome {
            Ok(()) => {
                connection.context.metrics().rings_accepted.inc();
            }
            Err(failure) => connection.not_accepted(ring_id, tries.saturating_add(1), &failure),
        }));
    }

    /// An acceptance failed: repeats it if that can help. Otherwise the platform offers the conversation again, to this
    /// connection after a reconnect or to another agent.
    fn not_accepted(&mut self, ring_id: RingId, tries: u32, failure: &RequestError) {
        if matches!(failure, RequestError::ConnectionLost | RequestError::NotConnected) {
            // The end of the socket is reported once, not by each offer that it affects.
            return;
        }
        self.context.note_error(failure);
        let (request, refusal, lasted) = (RequestType::RingAnswer, failure.refusal(), Duration::ZERO);
        let tries = refusal.tries(tries);
        let decision = decide(Case { lane: Lane::Recovery, request, refusal, tries, lasted });
        if let Some(wait) = decision.wait(tries, rand::random()) {
            self.try_again(Again::Accept(ring_id, tries), wait);
        }
    }

    /// Accepts or declines an offer. The platform has refused this `throttled` times because there were too many
    /// requests.
    pub(super) fn answer_ring(
        &mut self,
        ring_id: RingId,
        accept: bool,
        throttled: u32,
    ) -> impl Future<Output = Result<(), RequestError>> + use<> {
        let ring_state = if accept { RingState::Accepted } else { RingState::Rejected };
        let until = self.rings.until(&ring_id);
        let request = Request::AnswerRing(RingAnswer { ring_id, ring_state });
        let (reply, answer) = oneshot::channel();
        let (conversation, metadata, waiter, asked) = (None, Vec::new(), Waiter::Caller(reply), Instant::now());
        self.recover(RecoveryRequest {
            conversation,
            request,
            metadata,
            waiter,
            until,
            urgent: true,
            asked,
            throttled,
        });
        let answer = async move { answer.await.unwrap_or(Err(RequestError::ConnectionLost)) };
        async move { answer.await?.read(|response| response.outcome().map(drop)) }
    }
}

impl Handler<ListRings> for Connection {
    type Result = MessageResult<ListRings>;

    fn handle(&mut self, ListRings: ListRings, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.rings.waiting())
    }
}

impl Handler<AnswerRing> for Connection {
    type Result = ();

    fn handle(&mut self, AnswerRing { ring_id, accept, reply }: AnswerRing, ctx: &mut Self::Context) {
        let answered = self.answer_ring(ring_id, accept, 0);
        ctx.spawn(answered.into_actor(self).map(|outcome, _, _| {
            let _ = reply.send(outcome);
        }));
    }
}

impl Handler<AcceptRing> for Connection {
    type Result = ();

    fn handle(&mut self, AcceptRing { ring_id, reply }: AcceptRing, ctx: &mut Context<Self>) {
        let Some(conversation) = self.rings.conversation(&ring_id).cloned() else {
            let _ = reply.send(Err(ConnectionError::UnknownRing));
            return;
        };
        if self.arrivals.is_full() {
            let _ = reply.send(Err(RequestError::Overloaded.into()));
            return;
        }
        let answered = self.answer_ring(ring_id, true, 0);
        ctx.spawn(answered.into_actor(self).map(move |outcome, connection, _| match outcome {
            Ok(()) if connection.holds(&conversation) => {
                let _ = reply.send(Ok(conversation));
            }
            Ok(()) => connection.arrivals.wait(conversation, reply),
            Err(failure) => {
                let _ = reply.send(Err(failure.into()));
            }
        }));
    }
}
