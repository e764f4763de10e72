//! Incoming frames and the end of their socket: what each frame means for the connection, and which conversation gets
//! it.

use actix::{Context, StreamHandler};
use bytes::Bytes;
use tertulia_core::{
    id::{ConversationId, SubscriptionId},
    refusal::Refusal,
    session::{ClosedBy, Closure, Epoch, Input, Phase, judge},
    subscription::{Addressee, Parked, Presence},
    ums::{
        Change, ChangeKind, ConversationChanges, Frame, FrameFingerprint, Notification, RecordsAddress, Response,
        StateFrame,
    },
};

use super::{
    Connection,
    link::{Incoming, SocketError},
    request_table::SentRequest,
    roster::IdTooLong,
    waiter::{OwnRequest, Waiter},
};
use crate::{
    conversation::{CameBack, FramePermit, RecordsArrived, StateArrived},
    frame_window::FramePlace,
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
            Incoming::Text(bytes, permit) => {
                self.frame_received();
                self.take_frame(&bytes, permit, ctx);
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
            self.context.metrics().frames_oversize.inc();
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

    pub(super) fn take_frame(&mut self, frame: &Bytes, place: FramePlace, ctx: &mut Context<Self>) {
        let place = FramePermit::new(place);
        self.context.metrics().frames.inc();
        self.context.counted.frame_arrived();
        self.context.process.notifications.offer(&self.settings.id, frame);
        let fingerprint = FrameFingerprint::of(frame);
        if let Some((id, state)) = self.repeated.state(fingerprint, frame) {
            let (id, raw) = (id.clone(), frame.slice_ref(state));
            self.subscriptions.repeated(&id);
            let presumed_in = Some(frame.clone());
            self.child(&id).pass_state(StateArrived { raw, presumed_in, place });
            return;
        }
        match std::str::from_utf8(frame) {
            Ok(text) if frame.len() <= self.context.process.platform.settings().max_frame_bytes => {
                if let Some(changes) = self.usual_state(text) {
                    return self.take_changes(frame, &changes, place, Some(fingerprint));
                }
                if let Some(id) = self.usual_records(text) {
                    return self.child(&id).pass_records(RecordsArrived { frame: frame.clone(), place });
                }
            }
            _ => {}
        }
        self.decode_frame(frame, place, Some(fingerprint), ctx);
    }

    /// The change of a usual frame, if it changes only a conversation that reads frames. Its state is not read here.
    fn usual_state<'f>(&self, text: &'f str) -> Option<ConversationChanges<'f>> {
        let StateFrame { subscription_id, conversation_id, state } = StateFrame::read(text)?;
        let addressee = self.subscriptions.addressee(Some(subscription_id.as_str()));
        let is_standing = matches!(addressee, Addressee::Subscription(_)) && !self.subscriptions.is_question(addressee);
        let is_held = |id: ConversationId| {
            let Self { roster, subscriptions, .. } = self;
            roster.has_reader(&id) && subscriptions.has(&id) && !subscriptions.is_leaving(&id)
        };
        let is_held = || ConversationId::from_wire(&conversation_id).is_some_and(is_held);
        let is_presumed = self.presumes && is_standing && !self.subscriptions.awaits_snapshot() && is_held();
        is_presumed.then(|| ConversationChanges {
            subscription_id: Some(subscription_id),
            changes: vec![Change { kind: ChangeKind::Upsert, result: Some(state) }],
        })
    }

    /// The conversation of a usual frame of records, if the conversation reads frames. Its records are not decoded here.
    fn usual_records(&self, text: &str) -> Option<ConversationId> {
        let id = self.roster.conversation_of_records(&RecordsAddress::read(text)?).ok()??;
        self.roster.has_reader(&id).then_some(id)
    }

    /// Decodes a frame and passes on what is in it. The fingerprint is missing if the frame must not be remembered.
    pub(super) fn decode_frame(
        &mut self,
        frame: &Bytes,
        place: FramePermit,
        fingerprint: Option<FrameFingerprint>,
        ctx: &mut Context<Self>,
    ) {
        let decoded = match std::str::from_utf8(frame) {
            Ok(text) => Frame::decode(text).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let limit = self.context.process.platform.settings().max_frame_bytes;
        match decoded {
            Ok(Frame::Response(response)) => self.take_response(frame, &response, ctx),
            Ok(Frame::Notification(Notification::Conversations(changes))) if self.subscriptions.awaits_snapshot() => {
                self.take_changes(frame, &changes, place, None);
            }
            _ if frame.len() > limit => self.refuse_oversize(limit, ctx),
            Ok(Frame::Notification(notification)) => match notification {
                Notification::Conversations(changes) => {
                    self.take_changes(frame, &changes, place, fingerprint);
                }
                Notification::Messages(messages) => {
                    self.take_records(frame, &RecordsAddress::of(&messages), place);
                }
                Notification::Rings(rings) => self.take_rings(&rings, ctx),
                Notification::AgentStates(_) => {}
                Notification::Unlisted { kind, .. } => {
                    self.context.metrics().notifications_unlisted.inc();
                    tracing::debug!(connection = %self.settings.id, %kind, "notification of an unlisted type");
                }
            },
            Err(error) => {
                self.context.metrics().frames_malformed.inc();
                self.context.note_error(&error);
                self.roster.dead_letter_unreadable(frame, &error);
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
            self.context.metrics().requests_refused.inc();
        }
        let is_too_many = Refusal::of_code(response.code.0) == Some(Refusal::TooMany);
        if is_too_many {
            self.context.status.count_throttled();
        }
        let Some(SentRequest { waiter, lane, request, again }) =
            response.request_id.as_ref().and_then(|id| self.requests.take(id))
        else {
            self.context.metrics().responses_late.inc();
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
                    self.recovery.push_again(*out, waiter);
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

    /// Passes changes to their conversations. A frame with a `fingerprint` is remembered if it has one state of one
    /// conversation, so that its repetition need not be decoded. Repetitions are the most common notifications.
    fn take_changes(
        &mut self,
        frame: &Bytes,
        changes: &ConversationChanges<'_>,
        place: FramePermit,
        fingerprint: Option<FrameFingerprint>,
    ) {
        let addressee = self.addressee(changes);
        let place = match &changes.subscription_id {
            Some(id) if addressee == Addressee::Stranger => {
                let subscription_id = SubscriptionId::from(id);
                let notification = (frame.clone(), place);
                match self.subscriptions.park(Parked { subscription_id, notification }) {
                    Ok(()) => return,
                    Err(Parked { notification: (_, place), .. }) => place,
                }
            }
            _ => place,
        };
        // The response to a request for one state does not say whether the conversation belongs to this connection;
        // neither does its repetition.
        let is_ordinary = matches!(addressee, Addressee::Subscription(_)) && !self.subscriptions.is_question(addressee);
        let fingerprint = fingerprint.filter(|_| is_ordinary && changes.changes.len() == 1);
        let now = self.now();
        let mut named = Vec::with_capacity(changes.changes.len());
        for change in &changes.changes {
            let id = change.conversation_id().as_ref().and_then(ConversationId::from_wire);
            let (Some(id), Some(result)) = (id, change.result) else {
                self.context.metrics().state_notifications_malformed.inc();
                continue;
            };
            let (is_known, was_leaving) = (self.roster.knows(&id), self.subscriptions.is_leaving(&id));
            let updated = || change.last_updated();
            let Some(presence) = self.subscriptions.change(addressee, &id, &change.kind, is_known, updated, now) else {
                continue;
            };
            match (&change.kind, fingerprint) {
                (ChangeKind::Delete, _) => self.repeated.forget(&id),
                (ChangeKind::Upsert, Some(fingerprint)) => {
                    self.repeated.note(fingerprint, frame, &id, result.get().as_bytes());
                }
                _ => {}
            }
            let raw = frame.slice_ref(result.get().as_bytes());
            let presumed_in = result.is_presumed().then(|| frame.clone());
            let state = StateArrived { raw, presumed_in, place: place.clone() };
            let identity = self.principal.identity().cloned();
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
        let outputs = self.subscriptions.notified(addressee, named, changes.changes.len(), oldest, now);
        self.carry_out_all(outputs);
    }

    fn addressee(&self, changes: &ConversationChanges<'_>) -> Addressee {
        self.subscriptions.addressee(changes.subscription_id.as_ref().map(|id| id.as_str()))
    }

    /// Processes the notifications that arrived before the responses to their subscriptions, including snapshots.
    fn take_parked(&mut self) {
        for Parked { notification: (frame, place), .. } in self.subscriptions.take_parked() {
            let Ok(text) = std::str::from_utf8(&frame) else { continue };
            if let Ok(Frame::Notification(Notification::Conversations(changes))) = Frame::decode(text) {
                self.take_changes(&frame, &changes, place, None);
            }
        }
    }

    /// Passes records to their conversation. If the conversation is unknown, its state is requested first: if the
    /// connection may see it, its history contains the records ([MS-8](crate::rules#ms-8)).
    fn take_records(&mut self, frame: &Bytes, address: &RecordsAddress<'_>, place: FramePermit) {
        let id = match self.roster.conversation_of_records(address) {
            Ok(Some(id)) => id,
            Ok(None) => return,
            Err(IdTooLong) => {
                self.context.metrics().frames_malformed.inc();
                return;
            }
        };
        if !self.roster.knows(&id) {
            return self.hear_stranger(&id);
        }
        let records = RecordsArrived { frame: frame.clone(), place };
        self.child(&id).pass_records(records);
    }

    fn hear_stranger(&mut self, id: &ConversationId) {
        self.context.metrics().messages_of_strangers.inc();
        let (own, now) = (self.own_query(), self.now());
        let outputs = self.subscriptions.stranger(id, own.as_ref(), now);
        self.carry_out_all(outputs);
    }
}
