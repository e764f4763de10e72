//! Incoming notifications: their conversations, and which notifications are outdated.

use std::sync::Arc;

use actix::Handler;
use bytes::Bytes;
use serde::Deserialize;
use tertulia_core::{
    id::ConversationId,
    time::Timestamp,
    ums::{ChangeKind, ConversationChanges, ConversationState, Frame, Messages, Notification, ParticipantRole, Stage},
};

use tokio::sync::Semaphore;

use super::{Intake, WebhookArrived};
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
                self.metrics().notifications_unlisted.inc();
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
                self.metrics().state_notifications_malformed.inc();
                continue;
            };
            let StateHead { version, has_ended } = state_head(result.get());
            let is_gone = change.kind == ChangeKind::Delete;
            // A conversation that was never known and has already left concerns nobody.
            if is_gone && !self.roster.knows(&id) {
                continue;
            }
            self.make_sure_of_room(&id)?;
            let state = StateArrived { raw: body.slice_ref(result.get().as_bytes()), place: place.clone() };
            let tokens = Arc::clone(&self.sender.tokens);
            let child = self.child(&id);
            // The state may arrive before the response to the opening, which names the consumer.
            if child.consumer().is_none()
                && let Some(consumer) = consumer_in(result.get()).and_then(|user| tokens.consumer_of(&user))
            {
                child.speak_for(consumer);
            }
            child.take_state(state, version, has_ended || is_gone);
        }
        Ok(())
    }

    /// Passes on a state that was read, like a state sent by the platform.
    pub(super) fn take_read_state(&mut self, id: &ConversationId, state: &Bytes) {
        let Ok(text) = std::str::from_utf8(state) else { return };
        // The state belongs to a request, so it does not occupy a place among the notifications.
        let Ok(permit) = Arc::new(Semaphore::new(1)).try_acquire_owned() else { return };
        let StateHead { version, has_ended } = state_head(text);
        let state = StateArrived { raw: state.clone(), place: FramePermit::new(permit) };
        self.child(id).take_state(state, version, has_ended);
    }

    /// Passes records to their conversation, even to an unknown one, because its state follows
    /// ([MS-8](crate::rules#ms-8)).
    fn route_messages(
        &mut self,
        body: &Bytes,
        messages: &Messages<'_>,
        place: &FramePermit,
    ) -> Result<(), ConnectionError> {
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
            (None, None) => return Ok(()),
        };
        let id =
            id.ok_or_else(|| ConnectionError::MalformedNotification("its conversation's id is too long".to_owned()))?;
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
        self.metrics().frames.inc();
        self.counted.frame_arrived();
        if self.held_back {
            // The platform keeps the notification and sends it again.
            return Err(ConnectionError::Overloaded(self.settings.id.clone()));
        }
        let routed = self.route(&body, &place);
        if let Err(ConnectionError::MalformedNotification(detail)) = &routed {
            self.metrics().frames_malformed.inc();
            tracing::warn!(connection = %self.settings.id, detail, "a webhook cannot be read");
            self.roster.bury_unreadable(&body, detail);
        }
        self.fairness.take_turns(ctx);
        routed
    }
}

/// Returns the platform's id of the consumer in a state.
fn consumer_in(state: &str) -> Option<String> {
    let state: ConversationState<'_> = serde_json::from_str(state).ok()?;
    let people = state.conversation_details?.people();
    let consumer = people.into_iter().find(|person| person.role == ParticipantRole::Consumer)?;
    Some(consumer.user_id.as_str().to_owned())
}

/// The part of a state that the connection itself needs.
struct StateHead {
    version: Option<Timestamp>,
    has_ended: bool,
}

/// Parses that part. A state of another format is passed to the conversation, which rejects it.
fn state_head(state: &str) -> StateHead {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct State {
        conversation_details: Details,
    }

    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Details {
        state: Option<Stage>,
        stage: Option<Stage>,
        meta_data_last_update_ts: Option<Timestamp>,
    }

    let State { conversation_details: details } = serde_json::from_str(state).unwrap_or_default();
    let has_ended = matches!(details.stage.or(details.state), Some(Stage::Close | Stage::Locked));
    StateHead { version: details.meta_data_last_update_ts, has_ended }
}
