//! Incoming notifications: their conversations, and which notifications are outdated.

use actix::Handler;
use bytes::Bytes;
use tertulia_core::{
    id::ConversationId,
    ums::{ChangeKind, ConversationChanges, Frame, Messages, Notification, RecordsAddress},
};

use super::{Intake, WebhookArrived, state_head::StateHead};
use crate::{
    connection::ConnectionError,
    conversation::{FramePermit, RecordsArrived, StateArrived},
};

impl Intake {
    fn route(&mut self, body: &Bytes, place: &FramePermit) -> Result<(), ConnectionError> {
        let malformed = |error: &dyn std::fmt::Display| ConnectionError::MalformedNotification(error.to_string());
        let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
        match Frame::decode(text).map_err(|error| malformed(&error))? {
            Frame::Notification(Notification::Conversations(changes)) => self.route_changes(body, &changes, place),
            Frame::Notification(Notification::Messages(messages)) => self.route_messages(body, &messages, place),
            Frame::Notification(Notification::Unlisted { kind, .. }) => {
                self.context.metrics().notifications_unlisted.inc();
                tracing::debug!(connection = %self.settings.id, %kind, "notification of an unlisted type");
                Ok(())
            }
            Frame::Notification(Notification::Rings(_) | Notification::AgentStates(_)) | Frame::Response(_) => {
                Err(malformed(&"neither a conversation change nor messages"))
            }
        }
    }

    fn route_changes(
        &mut self,
        body: &Bytes,
        changes: &ConversationChanges<'_>,
        place: &FramePermit,
    ) -> Result<(), ConnectionError> {
        for change in &changes.changes {
            let id = change.conversation_id().as_ref().and_then(ConversationId::from_wire);
            let (Some(id), Some(result)) = (id, change.result) else {
                self.context.metrics().state_notifications_malformed.inc();
                continue;
            };
            let is_gone = change.kind == ChangeKind::Delete;
            // A conversation that was never known and has already left concerns nobody.
            if is_gone && !self.roster.knows(&id) {
                continue;
            }
            self.make_sure_of_room(&id)?;
            let head = StateHead::read(result.get());
            let state =
                StateArrived { raw: body.slice_ref(result.get().as_bytes()), presumed_in: None, place: place.clone() };
            self.take_state(&id, state, &head, is_gone);
        }
        Ok(())
    }

    /// Passes on a state that was read, like a state sent by the platform.
    pub(super) fn take_read_state(&mut self, id: &ConversationId, state: &Bytes) {
        let Ok(text) = std::str::from_utf8(state) else { return };
        // The state belongs to a request, so it does not occupy a place among the notifications.
        let arrived = StateArrived { raw: state.clone(), presumed_in: None, place: FramePermit::without_place() };
        self.take_state(id, arrived, &StateHead::read(text), false);
    }

    /// Passes records to their conversation, even to an unknown one, because its state follows
    /// ([MS-8](crate::rules#ms-8)).
    fn route_messages(
        &mut self,
        body: &Bytes,
        messages: &Messages<'_>,
        place: &FramePermit,
    ) -> Result<(), ConnectionError> {
        let id = match self.roster.conversation_of_records(&RecordsAddress::of(messages)) {
            Ok(Some(id)) => id,
            Ok(None) => return Ok(()),
            Err(error) => return Err(ConnectionError::MalformedNotification(error.to_string())),
        };
        self.make_sure_of_room(&id)?;
        let records = RecordsArrived { frame: body.clone(), place: place.clone() };
        self.child(&id).pass_records(records);
        Ok(())
    }

    fn make_sure_of_room(&self, id: &ConversationId) -> Result<(), ConnectionError> {
        if self.has_room_for(id) { Ok(()) } else { Err(ConnectionError::Overloaded(self.settings.id.clone())) }
    }
}

impl Handler<WebhookArrived> for Intake {
    type Result = Result<(), ConnectionError>;

    fn handle(&mut self, WebhookArrived { body, place }: WebhookArrived, ctx: &mut Self::Context) -> Self::Result {
        self.context.metrics().frames.inc();
        self.context.counted.frame_arrived();
        if self.hold_back.is_on() {
            // The platform keeps the notification and sends it again.
            return Err(ConnectionError::Overloaded(self.settings.id.clone()));
        }
        let routed = self.route(&body, &place);
        if let Err(ConnectionError::MalformedNotification(detail)) = &routed {
            self.context.metrics().frames_malformed.inc();
            tracing::warn!(connection = %self.settings.id, detail, "a webhook cannot be read");
            self.roster.dead_letter_unreadable(&body, detail);
        }
        self.fairness.take_turns(ctx);
        routed
    }
}
