//! Incoming frames and the end of their socket: what each frame means for the connection, and which conversation gets
//! it.

use actix::{Context, StreamHandler};
use bytes::Bytes;
use tertulia_core::{
    id::{ConversationId, SubscriptionId},
    refusal::Refusal,
    session::{ClosedBy, Closure, Epoch, Input, Phase, judge},
    subscription::{Presence, Told},
    ums::{Change, ChangeKind, ConversationChanges, Frame, FrameFingerprint, Messages, Notification, Response},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Connection,
    actor::OwnRequest,
    link::{Incoming, SocketError},
    requests::{Asked, Waiter},
    subscriptions::Parked,
};
use crate::{
    conversation::{CameBack, FramePermit, RecordsArrived, StateArrived},
    request::{Answer, Lane},
};

/// The close code for a message that is too big (RFC 6455 §7.4.1).
const TOO_BIG: u16 = 1009;

/// An input from the socket of one attempt.
pub(super) struct OfSocket {
    pub(super) epoch: Epoch,
    pub(super) incoming: Incoming,
}

impl StreamHandler<OfSocket> for Connection {
    fn handle(&mut self, OfSocket { epoch, incoming }: OfSocket, ctx: &mut Self::Context) {
        if epoch != self.session.epoch() {
            return;
        }
        match incoming {
            Incoming::Text(bytes, place) => {
                self.frame_received();
                self.take_frame(&bytes, place, ctx);
            }
            Incoming::Alive => self.frame_received(),
            Incoming::Closed(closure, error) => self.socket_closed(closure, error, ctx),
        }
    }

    /// The end of the stream follows its `Closed`; the actor must not stop.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Connection {
    pub(super) fn socket_closed(&mut self, closure: Closure, ending: Option<SocketError>, ctx: &mut Context<Self>) {
        if matches!(ending, Some(SocketError::Oversize { .. })) {
            self.metrics().frames_oversize.inc();
        }
        self.note_closing(ending.map(|ending| ending.to_string()));
        self.suspect_commands(closure);
        self.lose_socket();
        let blames_identity = *self.session.phase() == Phase::Verifying && judge(closure).blames_token();
        self.feed(Input::SocketClosed(closure), ctx);
        if blames_identity {
            self.identity_refused(ctx);
        }
    }

    pub(super) fn take_frame(&mut self, frame: &Bytes, permit: OwnedSemaphorePermit, ctx: &mut Context<Self>) {
        let place = FramePermit::new(permit);
        self.metrics().frames.inc();
        self.counted.frame_arrived();
        self.process.notifications.offer(&self.settings.id, frame);
        let fingerprint = FrameFingerprint::of(frame);
        if let Some((id, state)) = self.repeated.state(fingerprint, frame) {
            let (id, raw) = (id.clone(), frame.slice_ref(state));
            self.subscribed.state.repeated(&id);
            self.child(&id).pass_state(StateArrived { raw, place });
            return;
        }
        let decoded = match std::str::from_utf8(frame) {
            Ok(text) => Frame::decode(text).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let limit = self.process.platform.settings().max_frame_bytes;
        match decoded {
            Ok(Frame::Response(response)) => self.take_response(frame, &response, ctx),
            Ok(Frame::Notification(Notification::Conversations(changes)))
                if self.subscribed.state.awaits_snapshot() =>
            {
                self.take_changes(frame, &changes, place);
            }
            _ if frame.len() > limit => self.refuse_oversize(limit, ctx),
            Ok(Frame::Notification(notification)) => match notification {
                Notification::Conversations(changes) => {
                    self.note_repeatable(fingerprint, frame, &changes);
                    self.take_changes(frame, &changes, place);
                }
                Notification::Messages(messages) => self.take_messages(frame, &messages, place),
                Notification::Rings(rings) => self.take_rings(&rings, ctx),
                Notification::AgentStates(_) => {}
                Notification::Unlisted { kind, .. } => {
                    self.metrics().notifications_unlisted.inc();
                    tracing::debug!(connection = %self.settings.id, %kind, "notification of an unlisted type");
                }
            },
            Err(error) => {
                self.metrics().frames_malformed.inc();
                self.note_error(&error);
                self.roster.bury_unreadable(frame, &error);
            }
        }
    }

    fn refuse_oversize(&mut self, limit: usize, ctx: &mut Context<Self>) {
        self.link.close(TOO_BIG);
        let closure = Closure { by: ClosedBy::Us, code: Some(TOO_BIG) };
        self.socket_closed(closure, Some(SocketError::Oversize { limit }), ctx);
    }

    fn take_response(&mut self, frame: &Bytes, response: &Response<'_>, ctx: &mut Context<Self>) {
        if response.code.is_refusal() {
            self.metrics().requests_refused.inc();
        }
        let is_too_many = Refusal::of_code(response.code.0) == Some(Refusal::TooMany);
        if is_too_many {
            self.status.send_modify(|status| status.throttled += 1);
        }
        let Some(Asked { waiter, lane, request, again }) =
            response.request_id.as_ref().and_then(|id| self.requests.take(id))
        else {
            self.metrics().responses_late.inc();
            return;
        };
        let now = self.now();
        if is_too_many {
            let before = again.as_ref().map_or(0, |out| out.throttled);
            self.pace.refused(lane, request, before, now, rand::random());
        } else {
            self.pace.granted(lane, request, now);
        }
        if lane == Lane::Recovery {
            self.recovery.came_back(request);
            match again {
                Some(out) if is_too_many && out.is_repeated_here() => {
                    self.recover_again(*out, waiter);
                    return self.recover_next();
                }
                _ => self.resume_progressed(),
            }
        }
        match waiter {
            Waiter::Caller(reply) => {
                let _ = reply.send(Ok(Answer::new(frame.clone())));
            }
            Waiter::Command(reply) => {
                let _ = reply.send(Ok(Answer::new(frame.clone())));
                self.command_ended();
            }
            Waiter::Own(OwnRequest::KeepAlive) => {}
            Waiter::Own(OwnRequest::Verify) => self.verified(response, ctx),
            Waiter::Own(OwnRequest::Subscribe(key)) => {
                self.subscribe_answered(key, response);
                self.take_parked();
            }
            Waiter::Own(OwnRequest::SubscribeRings) => self.ring_subscribed(response),
        }
        if lane == Lane::Recovery {
            self.recover_next();
        }
    }

    fn take_changes(&mut self, frame: &Bytes, changes: &ConversationChanges<'_>, place: FramePermit) {
        let told = self.told(changes);
        let place = match &changes.subscription_id {
            Some(id) if told == Told::Stranger => {
                let subscription_id = SubscriptionId::from(id);
                let notification = (frame.clone(), place);
                match self.subscribed.state.park(Parked { subscription_id, notification }) {
                    Ok(()) => return,
                    Err(Parked { notification: (_, place), .. }) => place,
                }
            }
            _ => place,
        };
        let now = self.now();
        let mut named = Vec::with_capacity(changes.changes.len());
        for change in &changes.changes {
            let id = change.conversation_id().as_ref().and_then(ConversationId::from_wire);
            let (Some(id), Some(result)) = (id, change.result) else {
                self.metrics().state_notifications_malformed.inc();
                continue;
            };
            let (is_known, was_leaving) = (self.roster.knows(&id), self.subscribed.state.is_leaving(&id));
            let updated = || change.last_updated();
            let Some(presence) = self.subscribed.state.change(told, &id, &change.kind, is_known, updated, now) else {
                continue;
            };
            if change.kind == ChangeKind::Delete {
                self.repeated.forget(&id);
            }
            let state = StateArrived { raw: frame.slice_ref(result.get().as_bytes()), place: place.clone() };
            let identity = self.identity.clone();
            let child = self.child(&id);
            if was_leaving && presence == Presence::Held {
                child.tell(CameBack { to: identity });
            }
            child.pass_state(state);
            if presence == Presence::Held {
                self.arrivals.arrived(&id);
            }
            named.push(id);
        }
        let oldest = || changes.changes.iter().filter_map(Change::last_updated).min();
        let outputs = self.subscribed.state.notified(told, named, changes.changes.len(), oldest, now);
        self.carry_out_all(outputs);
    }

    fn told(&self, changes: &ConversationChanges<'_>) -> Told {
        self.subscribed.state.told(changes.subscription_id.as_ref().map(|id| id.as_str()))
    }

    /// Processes the notifications that arrived before the responses to their subscriptions, including snapshots.
    fn take_parked(&mut self) {
        for Parked { notification: (frame, place), .. } in self.subscribed.state.take_parked() {
            let Ok(text) = std::str::from_utf8(&frame) else { continue };
            if let Ok(Frame::Notification(Notification::Conversations(changes))) = Frame::decode(text) {
                self.take_changes(&frame, &changes, place);
            }
        }
    }

    /// Remembers a change of one conversation, so that its repetition need not be decoded. Repetitions are the most
    /// common notifications.
    fn note_repeatable(&mut self, fingerprint: FrameFingerprint, frame: &Bytes, changes: &ConversationChanges<'_>) {
        let [change] = &changes.changes[..] else { return };
        let told = self.told(changes);
        // The response to a request for one state does not say whether the conversation belongs to this connection;
        // neither does its repetition.
        if !matches!(told, Told::Subscription(_)) || self.subscribed.state.is_question(told) {
            return;
        }
        if let (ChangeKind::Upsert, Some(id), Some(state)) = (&change.kind, change.conversation_id(), change.result) {
            self.repeated.note(fingerprint, frame, &ConversationId::from(&id), state.get().as_bytes());
        }
    }

    /// Passes records to their conversation. If the conversation is unknown, its state is requested first: if the
    /// connection may see it, its history contains the records ([MS-8](crate::rules#ms-8)).
    fn take_messages(&mut self, frame: &Bytes, messages: &Messages<'_>, place: FramePermit) {
        let first = messages.records.first();
        let conversation = first.and_then(|record| record.conversation_id.as_ref());
        let dialog = first.and_then(|record| record.dialog_id.as_ref());
        let (conversation, dialog) =
            (conversation.or(messages.conversation_id.as_ref()), dialog.or(messages.dialog_id.as_ref()));
        let id = match (conversation, dialog) {
            (Some(id), _) => ConversationId::from_wire(id),
            (None, Some(dialog)) => match self.roster.conversation_of(dialog.as_str()) {
                Some(id) => Some(id.clone()),
                None => ConversationId::from_wire(dialog),
            },
            // An empty batch without names only marks the beginning of a subscription.
            (None, None) => return,
        };
        let Some(id) = id else {
            self.metrics().frames_malformed.inc();
            return;
        };
        if !self.roster.knows(&id) {
            return self.hear_stranger(&id);
        }
        let records = RecordsArrived { frame: frame.clone(), place };
        self.child(&id).pass_records(records);
    }

    fn hear_stranger(&mut self, id: &ConversationId) {
        self.metrics().messages_of_strangers.inc();
        let (own, now) = (self.own_query(), self.now());
        let outputs = self.subscribed.state.stranger(id, own.as_ref(), now);
        self.carry_out_all(outputs);
    }
}
