//! How a record of a dialog is taken, live or from its history, and what is done about the ones missing
//! ([MS-1](crate::rules#ms-1) to [MS-10](crate::rules#ms-10)).

use std::sync::Arc;

use super::{
    BackFill, Conversation, ConversationEvent, Dialog, Message, MessageDelivery, Outcome, Reception,
    conversation::DIALOG_LIMIT,
};
use crate::{
    id::{DialogId, UserId},
    ums::{ChatState, Json, MessageAudience, MessageContent, MessageRecord, ParticipantRole},
};

impl Conversation {
    /// Takes a record, live or from the history; both go the same way. `batch_dialog` is the dialog that the batch names
    /// for records that name none; without either it is MAIN.
    ///
    /// Content and receipts are told in the order of their sequences, each once: a record below the next sequence or
    /// waiting already is dropped ([`Outcome::Ignored`], or [`Outcome::Contradicting`] where the newest records show
    /// that it has other content than the one taken), one above it waits, at most [`super::PARKED_LIMIT`] of them. A
    /// record of an unknown kind takes its place silently ([MS-2](crate::rules#ms-2)). Chat states have no sequence and
    /// are told at once.
    pub fn receive_record(&mut self, record: &MessageRecord<'_>, batch_dialog: Option<&str>) -> Reception {
        self.receive(record, batch_dialog, false)
    }

    /// Takes a record of a history that was fetched, as [`Self::receive_record`] does, and marks a message that is not
    /// news ([`super::Arrival`]). `answered` is [`Self::answered_through`] of the same history; where more of it follows,
    /// `u64::MAX`.
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
        reception
    }

    /// The message that a record of a history tells; nothing for receipts and kinds that are unknown. The conversation
    /// stays as it is.
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

    /// Takes the platform's word that it has nothing more of a dialog's history newer than `newer_than` and up to and
    /// including `through`: each hole there before a record that waits becomes one [`ConversationEvent::Gap`], and the
    /// record is told (promise 2). Older holes are not spoken of.
    ///
    /// To be called once per answered [`BackFill`], after its records: with `older_than - 1`, or where that is `None`
    /// with the highest sequence of the answer. Of an answer that is one page of several, pass the highest sequence of
    /// the page, never `older_than - 1`: what the next page brings would be given up. Of an empty answer without end,
    /// pass `None`.
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
        reception
    }

    /// Takes a record of a history that cannot be read: it becomes a gap of one in its place.
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
        reception
    }

    /// What is told of a stretch of history that the platform does not give just now.
    #[must_use]
    pub fn history_awaited(&self, stretch: &BackFill) -> ConversationEvent {
        let from = stretch.newer_than.map_or(0, |newest| newest.saturating_add(1));
        let revealed = self.dialog(&stretch.dialog_id).map_or(0, |dialog| dialog.order.revealed());
        let to = stretch.older_than.unwrap_or(revealed).saturating_sub(1).max(from);
        ConversationEvent::Gap { dialog_id: stretch.dialog_id.clone(), from, to, awaited: true }
    }

    /// The sequence of the last content that the newest state tells of in a dialog, where it tells of one. It may be
    /// missing in a state, and is no proof that nothing else was said.
    #[must_use]
    pub fn last_content(&self, dialog: &DialogId) -> Option<u64> {
        self.dialog(dialog)?.order.told()
    }

    /// Notes that something is about to be published in a dialog. Of one whose records nobody has told of, all are wanted
    /// from now on: without an answer only they show whether it was published ([`crate::command::Repeat::Lookup`]).
    pub fn publishing(&mut self, dialog: &DialogId) {
        if let Some(dialog) = self.dialogs.iter_mut().find(|candidate| candidate.dialog_id == *dialog) {
            dialog.order.begin();
        }
    }

    /// All that may be missing, asked for already or not: for each dialog that goes on or is known to have a hole,
    /// everything from its next sequence on. To be asked for after a reconnect or a reload.
    #[must_use]
    pub fn holes(&self) -> Vec<BackFill> {
        let incomplete =
            self.dialogs.iter().filter(|dialog| dialog.has_messages() && (dialog.is_open() || dialog.order.has_hole()));
        incomplete.filter_map(|dialog| Some(dialog.back_fill(dialog.order.to_the_end()?))).collect()
    }

    /// Whether messages may be missing: the newest state names a message that was not received, or names none.
    #[must_use]
    pub fn misses_messages(&self) -> bool {
        let mut going_on = self.dialogs.iter().filter(|dialog| dialog.has_messages() && dialog.is_open());
        going_on.any(|dialog| dialog.order.told().is_none())
            || self.dialogs.iter().any(|dialog| dialog.has_messages() && dialog.order.has_hole())
    }
}

impl Dialog {
    /// What a record with a sequence tells; nothing for a kind that is unknown.
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

    /// Who published a record, and in which role: by the record itself, else by the participant
    /// ([MS-6](crate::rules#ms-6)).
    fn originator(&self, record: &MessageRecord<'_>) -> (Option<UserId>, Option<ParticipantRole>) {
        let id = record.originator_user_id();
        let participant = id.and_then(|id| self.participant(id));
        let user_id = participant.map(|participant| participant.user_id.clone()).or_else(|| id.map(UserId::from));
        let role = record.originator_role().or(participant.map(|participant| &participant.role));
        (user_id, role.cloned())
    }
}
