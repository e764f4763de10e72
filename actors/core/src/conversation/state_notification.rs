//! How a state notification is taken: the algorithm of CV-N1 to CV-N10.

use super::{
    BackFill, Conversation, ConversationEvent, Dialog, Outcome, Reception, StateError,
    conversation::{DIALOG_LIMIT, Hashes},
    dialog::Circumstances,
    message_order::{Missing, OPEN_END},
    state_hash,
};
use crate::{
    id::{ConversationId, UserId},
    ums::{ConversationDetails, ConversationState, Dialect, MessageRecord, Person, UnreadMessages, without_ill_typed},
};

impl Conversation {
    /// Takes the text of a whole state (`change.result`), of an UPSERT or a DELETE alike.
    ///
    /// The newest state is the truth: any order, repetition or delay of the same states ends the same. What the first
    /// state says is no difference: it is told as [`ConversationEvent::Conversation`] and the dialogs beside MAIN
    /// (CV-I2).
    ///
    /// A member whose value has not its type is left out ([`Reception::dropped`]).
    ///
    /// # Errors
    /// [`StateError`] for a text that is no state, lacks its details or is another conversation's. Nothing has changed
    /// then (CV-N3).
    pub fn receive_state(&mut self, raw: &str) -> Result<Reception, StateError> {
        let text = state_hash::of_text(raw);
        if self.is_told && (text == self.hashes.text || text == self.hashes.repeated_text) {
            return Ok(self.ignored());
        }
        match serde_json::from_str(raw) {
            Ok(state) => self.receive_read(state, raw, text),
            Err(source) => {
                let readable = without_ill_typed(raw);
                let (state, dropped) = readable
                    .as_ref()
                    .and_then(|(readable, dropped)| Some((serde_json::from_str(readable).ok()?, dropped)))
                    .ok_or_else(|| StateError::Malformed { conversation_id: self.id.clone(), source })?;
                let mut reception = self.receive_read(state, raw, text)?;
                reception.dropped = Some(Box::new(dropped.clone()));
                Ok(reception)
            }
        }
    }

    fn receive_read(&mut self, state: ConversationState<'_>, raw: &str, text: u64) -> Result<Reception, StateError> {
        let (state, details) = self.own(state)?;
        let update_time = details.meta_data_last_update_ts;
        // The hash test comes before this one (CV-N2), but a repetition of what is held is never older.
        if self.is_told && update_time.zip(self.members.update_time).is_some_and(|(told, held)| told < held) {
            return Ok(self.out_of_order());
        }
        let meaning = state_hash::of_meaning(raw);
        if self.is_told && meaning == self.hashes.meaning {
            self.hashes.repeated_text = text;
            return Ok(self.ignored());
        }
        self.hashes = Hashes { meaning, text, repeated_text: text };
        Ok(self.accept(&state, &details))
    }

    /// The state and its details, if it is this conversation's.
    fn own<'s>(
        &self,
        mut state: ConversationState<'s>,
    ) -> Result<(ConversationState<'s>, ConversationDetails<'s>), StateError> {
        let conversation_id = || self.id.clone();
        if self.id != *state.conv_id {
            let found = ConversationId::from(&state.conv_id);
            return Err(StateError::Foreign { conversation_id: conversation_id(), found });
        }
        match state.conversation_details.take() {
            Some(details) => Ok((state, details)),
            None => Err(StateError::NoDetails { conversation_id: conversation_id() }),
        }
    }

    fn ignored(&mut self) -> Reception {
        self.counters.ignored += 1;
        Reception { events: vec![ConversationEvent::NotificationIgnored {}], ..Reception::new(Outcome::Ignored) }
    }

    fn out_of_order(&mut self) -> Reception {
        self.counters.out_of_order += 1;
        let event = ConversationEvent::NotificationOutOfOrder { dialog_id: None };
        Reception { events: vec![event], ..Reception::new(Outcome::OutOfOrder) }
    }

    /// Applies an accepted state, in the order of CV-N6.
    fn accept(&mut self, state: &ConversationState<'_>, details: &ConversationDetails<'_>) -> Reception {
        self.counters.processed += 1;
        let mut reception = Reception::new(Outcome::Processed);
        let held = self.members.update_time;
        let is_newer = details.meta_data_last_update_ts.zip(held).is_some_and(|(told, held)| told > held);
        let is_first = !self.is_told;
        let mut is_skill_changed = self.members.receive(state, details, &mut reception.events);
        if let Some(unshown) = &mut self.unshown_note {
            unshown.told(self.members.note.as_deref());
        }
        if is_first {
            is_skill_changed = false;
            reception.events.clear();
            reception.events.push(ConversationEvent::Conversation {});
        }
        self.receive_dialogs(details, is_newer, is_skill_changed, &mut reception);
        self.is_told = true;
        if let Some(unread) = state.number_of_unread_messages.said() {
            self.members.number_of_unread_messages = unread.map(|unread| self.unread(unread));
        }
        if let Some(record) = &state.last_content_event_notification {
            self.hear_of(record, &mut reception);
        }
        reception
    }

    fn receive_dialogs(
        &mut self,
        details: &ConversationDetails<'_>,
        is_newer: bool,
        is_skill_changed: bool,
        reception: &mut Reception,
    ) {
        let people: Vec<Person<'_>> = details.people();
        let skill_id = is_skill_changed.then(|| self.members.skill_id.clone());
        let circumstances =
            Circumstances { dialect: self.dialect, people: &people, is_newer, skill_change: skill_id.as_ref() };
        for told in &details.dialogs {
            let Some(at) = self.dialog_at(&told.dialog_id, usize::MAX) else { continue };
            let Some(dialog) = self.dialogs.get_mut(at) else { continue };
            let is_first_sight = !dialog.is_told();
            dialog.receive(told, &circumstances, &mut reception.events);
            if is_first_sight
                && dialog.wants_history(self.dialect)
                && let Some(missing) = dialog.order.ask_to_the_end()
            {
                reception.back_fill.push(dialog.back_fill(missing));
            }
        }
        if self.dialogs.len() > DIALOG_LIMIT {
            let id = &self.id;
            let is_told = |dialog: &Dialog| details.dialogs.iter().any(|told| dialog.dialog_id == *told.dialog_id);
            self.dialogs.retain(|dialog| dialog.dialog_id.is_main_of(id) || is_told(dialog));
        }
    }

    /// The unread counts by user id, although the platform counts agents by agent id (CV-M10). Who takes part no more
    /// stays under the id that was sent.
    fn unread(&self, told: &UnreadMessages<'_>) -> Vec<(UserId, u64)> {
        let user_id = |id: &str| {
            let participant = self.dialogs.iter().find_map(|dialog| dialog.participant(id));
            participant.map_or_else(|| id.into(), |participant| participant.user_id.clone())
        };
        told.0.iter().map(|(id, count)| (user_id(id), *count)).collect()
    }

    /// Hears of the newest content (CV-N6.16). It is used to notice what is missing but not delivered, because the full
    /// record tells more: audience, metadata (MS-5). A consumer socket always gets the record by itself.
    fn hear_of(&mut self, record: &MessageRecord<'_>, reception: &mut Reception) {
        let (Some(sequence), Some(dialog_id), Dialect::Brand) = (record.sequence, &record.dialog_id, self.dialect)
        else {
            return;
        };
        let main = self.dialogs.iter_mut().find(|dialog| dialog.is_main() && dialog.dialog_id == **dialog_id);
        let Some(main) = main.filter(|main| main.is_open() || main.order.next().is_some()) else { return };
        main.order.reveal(sequence);
        for missing in main.order.ask() {
            reception.back_fill.push(main.back_fill(missing));
        }
    }
}

impl Dialog {
    /// The request for what is missing.
    pub(super) fn back_fill(&self, Missing { start, end }: Missing) -> BackFill {
        BackFill {
            dialog_id: self.dialog_id.clone(),
            newer_than: start.checked_sub(1),
            older_than: (end != OPEN_END).then_some(end),
        }
    }
}
