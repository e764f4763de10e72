//! Processes records of a dialog, live or from its history, and handles missing ones ([MS-1](crate::rules#ms-1) to
//! [MS-10](crate::rules#ms-10)).

use std::sync::Arc;

use super::{
    BackFill, Conversation, ConversationEvent, Dialog, LastMessage, Message, MessageDelivery, Outcome, Reception,
    conversation::DIALOG_LIMIT,
};
use crate::{
    id::{DialogId, UserId},
    ums::{ChatState, Json, MessageAudience, MessageContent, MessageRecord, ParticipantRole},
};

impl Conversation {
    /// Processes a record, live or from the history. `batch_dialog` is the dialog named by the batch, used for records
    /// that name none; without either the dialog is MAIN.
    ///
    /// Content and receipts are delivered once, in the order of their sequences. A record below the next sequence, or
    /// already waiting, is dropped ([`Outcome::Ignored`], or [`Outcome::Contradicting`] if the newest records show that
    /// its content differs from the accepted record). A record above the next sequence waits, at most
    /// [`super::PARKED_LIMIT`] of them. A record of an unknown kind occupies its sequence without an event
    /// ([MS-2](crate::rules#ms-2)). Chat states have no sequence and are delivered at once.
    pub fn receive_record(&mut self, record: &MessageRecord<'_>, batch_dialog: Option<&str>) -> Reception {
        self.receive(record, batch_dialog, false)
    }

    /// Processes a record of a fetched history like [`Self::receive_record`], and marks a message that is not new
    /// ([`super::Arrival`]). `answered` is [`Self::answered_through`] of the same history, or `u64::MAX` if more of the
    /// history follows.
    pub fn receive_fetched(
        &mut self,
        record: &MessageRecord<'_>,
        batch_dialog: Option<&str>,
        answered: Option<u64>,
    ) -> Reception {
        let is_old = self.is_old(record, answered);
        self.receive(record, batch_dialog, is_old)
    }

    fn receive(&mut self, record: &MessageRecord<'_>, batch_dialog: Option<&str>, is_old: bool) -> Reception {
        let main = DialogId::main_of(&self.id);
        let named = record.dialog_id.as_deref().or(batch_dialog).filter(|id| !id.is_empty());
        let dialog_id = named.unwrap_or(main.as_str());
        if let MessageContent::ChatState { chat_state } = &record.event {
            return self.receive_chat_state(dialog_id, record.originator_user_id(), chat_state);
        }
        let at = self.dialog_at(dialog_id, DIALOG_LIMIT);
        let (Some(sequence), Some(dialog)) = (record.sequence, at.and_then(|at| self.dialogs.get_mut(at))) else {
            return Reception::new(Outcome::Ignored);
        };
        if !dialog.order.is_new(sequence) {
            let contradicts = dialog.order.contents().contradicts(sequence, &record.event);
            return Reception::new(if contradicts { Outcome::Contradicting } else { Outcome::Ignored });
        }
        dialog.order.contents().remember(sequence, &record.event);
        let mut reception = Reception::new(Outcome::Processed);
        let mut event = dialog.event_of(record, sequence, is_old);
        if let (Some(ConversationEvent::Message(message)), Some(consumer)) = (&mut event, &self.external_consumer_id) {
            Arc::make_mut(message).external_consumer_id = Some(consumer.clone());
        }
        dialog.order.take(sequence, event, &mut reception.events);
        dialog.note_reads(&reception.events);
        let missing = dialog.order.ask();
        reception.back_fill.extend(missing.into_iter().map(|missing| dialog.back_fill(missing)));
        self.note_last(&reception.events);
        reception
    }

    /// Returns the message in a record of a history; `None` for receipts and unknown kinds. The conversation is not
    /// changed.
    #[must_use]
    pub fn message_of(&self, record: &MessageRecord<'_>) -> Option<Arc<Message>> {
        let dialog = match record.dialog_id.as_deref() {
            Some(id) => self.dialog(&DialogId::from(id))?,
            None => self.main_dialog()?,
        };
        match dialog.event_of(record, record.sequence?, false) {
            Some(ConversationEvent::Message(message)) => Some(message),
            _ => None,
        }
    }

    fn receive_chat_state(&mut self, dialog_id: &str, user: Option<&str>, chat_state: &ChatState) -> Reception {
        let dialog = self.dialogs.iter_mut().find(|dialog| dialog.dialog_id == *dialog_id);
        let user_id = match dialog.zip(user) {
            Some((dialog, user)) => Some(dialog.take_chat_state(user, chat_state)),
            None => user.map(UserId::from),
        };
        let dialog_id = DialogId::from(dialog_id);
        let event = ConversationEvent::ChatState { dialog_id, user_id, chat_state: chat_state.clone() };
        Reception { events: vec![event], ..Reception::new(Outcome::Processed) }
    }

    /// The platform has nothing more of a dialog's history after `newer_than` up to and including `through`: each hole
    /// there before a waiting record becomes one [`ConversationEvent::Gap`], and the record is delivered (promise 2).
    /// Earlier holes are unaffected.
    ///
    /// Call this once per completed [`BackFill`], after its records: with `older_than - 1`, or if that is `None` with
    /// the highest sequence of the response. If the response is one page of several, pass the highest sequence of the
    /// page, never `older_than - 1`, which would give up the records of the next page. For an empty response without an
    /// end, pass `None`.
    pub fn history_exhausted(&mut self, dialog: &DialogId, newer_than: Option<u64>, through: Option<u64>) -> Reception {
        let mut reception = Reception::new(Outcome::Processed);
        let Some(dialog) = self.dialogs.iter_mut().find(|candidate| candidate.dialog_id == *dialog) else {
            return reception;
        };
        let dialog_id = dialog.dialog_id.clone();
        let gap = |(from, to)| ConversationEvent::Gap { dialog_id: dialog_id.clone(), from, to, awaited: false };
        let from = newer_than.map_or(0, |newest| newest.saturating_add(1));
        let missing = dialog.order.exhausted(from, through, &mut reception.events, gap);
        dialog.note_reads(&reception.events);
        reception.back_fill.extend(missing.into_iter().map(|missing| dialog.back_fill(missing)));
        self.note_last(&reception.events);
        reception
    }

    /// Processes a history record that cannot be parsed: it becomes a gap of one message.
    pub fn receive_unreadable(&mut self, dialog: &DialogId, sequence: u64) -> Reception {
        let Some(dialog) = self.dialogs.iter_mut().find(|candidate| candidate.dialog_id == *dialog) else {
            return Reception::new(Outcome::Ignored);
        };
        if !dialog.order.is_new(sequence) {
            return Reception::new(Outcome::Ignored);
        }
        let dialog_id = dialog.dialog_id.clone();
        let gap = ConversationEvent::Gap { dialog_id, from: sequence, to: sequence, awaited: false };
        let mut reception = Reception::new(Outcome::Processed);
        dialog.order.take(sequence, Some(gap), &mut reception.events);
        self.note_last(&reception.events);
        reception
    }

    /// Returns the event for a range of history that the platform refuses at the moment.
    #[must_use]
    pub fn history_awaited(&self, stretch: &BackFill) -> ConversationEvent {
        let from = stretch.newer_than.map_or(0, |newest| newest.saturating_add(1));
        let revealed = self.dialog(&stretch.dialog_id).map_or(0, |dialog| dialog.order.revealed());
        let to = stretch.older_than.unwrap_or(revealed).saturating_sub(1).max(from);
        ConversationEvent::Gap { dialog_id: stretch.dialog_id.clone(), from, to, awaited: true }
    }

    /// Returns the sequence of the last content that the newest state names in a dialog. A state may lack it. The
    /// sequence does not prove that the dialog has no later messages.
    #[must_use]
    pub fn last_content(&self, dialog: &DialogId) -> Option<u64> {
        self.dialog(dialog)?.order.stated()
    }

    /// A message is about to be published in a dialog. If no record of the dialog is known, all are wanted from now on:
    /// if the response is lost, only the records show whether the message was published
    /// ([`crate::command::Repeat::Lookup`]).
    pub fn publishing(&mut self, dialog: &DialogId) {
        if let Some(dialog) = self.dialogs.iter_mut().find(|candidate| candidate.dialog_id == *dialog) {
            dialog.order.begin();
        }
    }

    /// Records the newest of the delivered messages.
    fn note_last(&mut self, events: &[ConversationEvent]) {
        let newest = events.iter().rev().find_map(|event| match event {
            ConversationEvent::Message(message) => Some(message),
            _ => None,
        });
        let Some(message) = newest else { return };
        if self.last_message.as_ref().is_none_or(|last| last.is_followed_by(message)) {
            self.last_message = Some(Arc::new(LastMessage::of(message)));
        }
    }

    /// Records the message that a state names as the newest. That message may never be delivered.
    pub(super) fn note_named(&mut self, record: &MessageRecord<'_>) {
        if self.last_message.as_ref().is_none_or(|last| last.is_before(record))
            && let Some(message) = self.message_of(record)
        {
            self.last_message = Some(Arc::new(LastMessage::of(&message)));
        }
    }

    /// Returns everything that may be missing, requested or not: for each dialog that is open or has a known hole, the
    /// range from its next sequence on. Request it after a reconnect or a load.
    #[must_use]
    pub fn holes(&self) -> Vec<BackFill> {
        let incomplete =
            self.dialogs.iter().filter(|dialog| dialog.has_messages() && (dialog.is_open() || dialog.order.has_hole()));
        incomplete.filter_map(|dialog| Some(dialog.back_fill(dialog.order.to_the_end()?))).collect()
    }

    /// Returns whether messages may be missing: the newest state names a message that was not received, or names none.
    #[must_use]
    pub fn misses_messages(&self) -> bool {
        let mut going_on = self.dialogs.iter().filter(|dialog| dialog.has_messages() && dialog.is_open());
        going_on.any(|dialog| dialog.order.stated().is_none())
            || self.dialogs.iter().any(|dialog| dialog.has_messages() && dialog.order.has_hole())
    }
}

impl Dialog {
    /// Returns the event of a record with a sequence; `None` for an unknown kind.
    fn event_of(&self, record: &MessageRecord<'_>, sequence: u64, back_filled: bool) -> Option<ConversationEvent> {
        let (originator_id, role) = self.originator(record);
        let (content_type, body, quick_replies) = match &record.event {
            MessageContent::Content { content_type, message, quick_replies } => {
                (Some(content_type.clone()), message, quick_replies)
            }
            MessageContent::Rich { content, quick_replies } => (None, content, quick_replies),
            MessageContent::AcceptStatus { status, sequences } => {
                return Some(ConversationEvent::MessageDelivery(MessageDelivery {
                    dialog_id: self.dialog_id.clone(),
                    sequence,
                    originator_id,
                    role,
                    status: status.clone(),
                    sequences: sequences.clone(),
                    time: record.server_timestamp,
                }));
            }
            MessageContent::ChatState { .. } | MessageContent::Unlisted { .. } => return None,
        };
        Some(ConversationEvent::Message(Arc::new(Message {
            dialog_id: self.dialog_id.clone(),
            sequence,
            originator_id,
            role,
            message_audience: record.message_audience.clone().unwrap_or(MessageAudience::Unknown),
            content_type,
            body: body.to_raw(),
            metadata: record.metadata.as_ref().filter(|metadata| !metadata.is_null()).map(Json::to_raw),
            quick_replies: quick_replies.as_ref().map(Json::to_raw),
            time: record.server_timestamp,
            back_filled,
            external_consumer_id: None,
        })))
    }

    /// Returns the publisher of a record and the role: from the record itself, otherwise from the participant
    /// ([MS-6](crate::rules#ms-6)).
    fn originator(&self, record: &MessageRecord<'_>) -> (Option<UserId>, Option<ParticipantRole>) {
        let id = record.originator_user_id();
        let participant = id.and_then(|id| self.participant(id));
        let user_id = participant.map(|participant| participant.user_id.clone()).or_else(|| id.map(UserId::from));
        let role = record.originator_role().or(participant.map(|participant| &participant.role));
        (user_id, role.cloned())
    }
}
