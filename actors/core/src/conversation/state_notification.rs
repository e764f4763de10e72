//! Processes a state notification: the algorithm of [CV-N1](crate::rules#cv-n1) to [CV-N10](crate::rules#cv-n10).

use super::{
    BackFill, Conversation, ConversationEvent, Dialog, Outcome, Reception, StateError,
    absence::{Member, Reading},
    age::Age,
    changes::Changes,
    conversation::{DIALOG_LIMIT, DIALOGS_PER_STATE, Hashes},
    dialog::Circumstances,
    message_order::{Missing, OPEN_END},
    page_member::PageMember,
    participants::People,
};
use crate::{
    id::ConversationId,
    ums::{
        ConversationDetails, ConversationState, Dialect, DialogState, DroppedMembers, MessageRecord, SectionMeanings,
        SectionedState, Unchanged, meaning, without_ill_typed,
    },
};

impl Conversation {
    /// Processes the text of a complete state (`change.result`), of an UPSERT or a DELETE alike.
    ///
    /// The newest state is the truth: any order, repetition or delay of the same states has the same result. The first
    /// state is not emitted as differences, but as [`ConversationEvent::Conversation`] and the dialogs other than MAIN
    /// ([CV-I2](crate::rules#cv-i2)).
    ///
    /// A member whose value has the wrong type is ignored ([`Reception::dropped`]).
    ///
    /// # Errors
    /// [`StateError`] if the text is not a state, lacks its details or belongs to another conversation. Then nothing
    /// has changed ([CV-N3](crate::rules#cv-n3)).
    pub fn receive_state(&mut self, raw: &str) -> Result<Reception, StateError> {
        let text = meaning::of_text(raw);
        if self.repeats_text(text) {
            return Ok(self.ignored());
        }
        if let Some(state) = SectionedState::read(raw, &mut self.hashes.texts)
            && let Some(received) = self.receive_sectioned(state, text)
        {
            return received;
        }
        self.receive_whole(raw, text)
    }

    /// Processes a state like [`Self::receive_state`], decoded as a whole, to compare with it.
    ///
    /// # Errors
    /// As [`Self::receive_state`].
    #[cfg(fuzzing)]
    pub fn receive_state_as_a_whole(&mut self, raw: &str) -> Result<Reception, StateError> {
        let text = meaning::of_text(raw);
        if self.repeats_text(text) { Ok(self.ignored()) } else { self.receive_whole(raw, text) }
    }

    /// Whether a state with this hash of its text repeats the known state letter by letter.
    pub(super) fn repeats_text(&self, text: u64) -> bool {
        self.is_stated && (text == self.hashes.text || text == self.hashes.repeated_text)
    }

    /// Processes a state of which only the changed sections are decoded. `None` if it must be decoded as a whole; then
    /// nothing has changed.
    fn receive_sectioned(&mut self, sectioned: SectionedState<'_>, text: u64) -> Option<Result<Reception, StateError>> {
        let details = sectioned.details.as_ref()?;
        if self.id != *sectioned.state.conv_id {
            return None;
        }
        let age = self.age_of(&sectioned.state, details);
        if age == Age::Older {
            return None;
        }
        let (meaning, sections) = (sectioned.meaning, sectioned.meanings());
        if self.is_repeated(meaning) {
            self.hashes.repeated_text = text;
            return Some(Ok(self.ignored()));
        }
        // Of a state that is not surely newer, a dialog may be skipped because it is older (DG-N2), and a member that
        // never changes may be replaced. Then the members are not what the sections say.
        let is_newer = age == Age::Newer;
        let unchanged = if is_newer { sections.same_as(&self.hashes.sections) } else { Unchanged::default() };
        let (state, details) = sectioned.decode(unchanged)?;
        let sections = if is_newer { sections } else { SectionMeanings::default() };
        self.hashes = Hashes { meaning, text, repeated_text: text, sections, texts: self.hashes.texts };
        Some(Ok(self.accept(&state, &details, age, unchanged)))
    }

    pub(super) fn receive_whole(&mut self, raw: &str, text: u64) -> Result<Reception, StateError> {
        match serde_json::from_str(raw) {
            Ok(state) => self.receive_read(state, raw, text),
            Err(source) => {
                let readable = without_ill_typed(raw);
                let (state, dropped) = readable
                    .as_ref()
                    .and_then(|(readable, dropped)| Some((serde_json::from_str(readable).ok()?, dropped)))
                    .ok_or_else(|| StateError::Malformed { conversation_id: self.id.clone(), source })?;
                let mut reception = self.receive_read(state, raw, text)?;
                reception.dropped.get_or_insert_default().add(dropped);
                Ok(reception)
            }
        }
    }

    fn receive_read(&mut self, state: ConversationState<'_>, raw: &str, text: u64) -> Result<Reception, StateError> {
        let (state, details) = self.own(state)?;
        let age = self.age_of(&state, &details);
        // The hash test comes before this one (CV-N2), but a repetition of the known state is never older.
        if age == Age::Older {
            return Ok(self.out_of_order(&details));
        }
        let meaning = meaning::of_meaning(raw);
        if self.is_repeated(meaning) {
            self.hashes.repeated_text = text;
            return Ok(self.ignored());
        }
        let (sections, texts) = (SectionMeanings::default(), self.hashes.texts);
        self.hashes = Hashes { meaning, text, repeated_text: text, sections, texts };
        Ok(self.accept(&state, &details, age, Unchanged::default()))
    }

    fn age_of(&self, state: &ConversationState<'_>, details: &ConversationDetails<'_>) -> Age {
        if self.is_stated { self.age(details.meta_data_last_update_ts, state.last_update_time) } else { Age::Newer }
    }

    fn is_repeated(&self, meaning: u64) -> bool {
        self.is_stated && meaning == self.hashes.meaning
    }

    /// Returns the state and its details, if it belongs to this conversation.
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

    /// An older state emits no events of changes. Members that no newer state had are still taken from the older state,
    /// so that the result does not depend on the order of arrival ([CV-N7](crate::rules#cv-n7)). The update event
    /// reports these members.
    fn out_of_order(&mut self, details: &ConversationDetails<'_>) -> Reception {
        self.counters.out_of_order += 1;
        let event = ConversationEvent::NotificationOutOfOrder { dialog_id: None };
        let mut reception = Reception { events: vec![event], ..Reception::new(Outcome::OutOfOrder) };
        let (choice, mut changes) = (self.choice(), Changes::default());
        self.hashes.sections = SectionMeanings::default();
        reception.is_changed = self.members.receive_origin(details, false, &mut self.earliest_stated, &mut changes);
        if let Some(time) = details.meta_data_last_update_ts {
            let roster = details.roster();
            let people = People::new(roster.as_deref(), self.dialect);
            for dialog in &mut self.dialogs {
                let is_main = dialog.dialog_id.is_main_of(&self.id);
                let stated = details.dialogs.iter().find(|stated| dialog.dialog_id == *stated.dialog_id);
                reception.is_changed |= dialog.receive_late(stated, &people, time, is_main, &mut changes);
            }
        }
        reception.events.extend(self.update(changes, &choice, &[]));
        reception
    }

    /// Applies an accepted state, in the order of [CV-N6](crate::rules#cv-n6).
    fn accept(
        &mut self,
        state: &ConversationState<'_>,
        details: &ConversationDetails<'_>,
        age: Age,
        unchanged: Unchanged,
    ) -> Reception {
        self.counters.processed += 1;
        let mut reception = Reception::new(Outcome::Processed);
        let mut reading = Reading::new(self.flavour());
        let previous = self.members.update_time.filter(|_| self.is_stated);
        if age == Age::NewerThanAbsurd {
            self.disbelieved = previous;
            reception.disbelieved = previous;
        }
        let (held_skill, choice) = (self.members.skill_id.clone(), self.choice());
        let events = &mut reception.events;
        self.members.receive(state, details, unchanged, &mut self.earliest_stated, &mut reading, events);
        reading.take(Member::LastUpdateTime, &mut self.last_update_time, state.last_update_time);
        if let Some(unshown) = &mut self.unshown_note {
            unshown.told(self.members.note.as_deref(), self.members.update_time);
        }
        // An unset skill is not the target of a transfer.
        let mut new_skill = self.members.skill_id.clone().filter(|skill| held_skill.as_ref() != Some(skill));
        if !self.is_stated {
            new_skill = None;
            reception.events.clear();
        }
        let roster = details.roster();
        let people = People::new(roster.as_deref(), self.dialect);
        let id = self.id.clone();
        let circumstances = Circumstances {
            conversation: &id,
            people: &people,
            is_newer: matches!(age, Age::Newer | Age::NewerThanAbsurd),
            update_time: details.meta_data_last_update_ts,
            previous,
            are_people_unchanged: unchanged.people,
            new_skill: new_skill.as_ref(),
        };
        self.receive_dialogs(details, &circumstances, &mut reading, &mut reception);
        self.tell_step_up_once(&mut reception.events);
        let is_first = !std::mem::replace(&mut self.is_stated, true);
        if !unchanged.last_content {
            self.dialogs.iter_mut().for_each(|dialog| dialog.order.unstate());
        }
        self.note_arrival();
        if is_first {
            reception.events.insert(0, ConversationEvent::Conversation(self.page(PageMember::ALL)));
        } else {
            reading.changes.note(PageMember::NotificationCount);
            reception.events.extend(self.update(reading.changes, &choice, &reception.events));
        }
        if unchanged.last_content {
            self.ask_for_missing(&mut reception);
        } else if let Some(record) = &state.last_content_event_notification {
            self.note_named(record);
            let is_heard = self.hear_of(record, &mut reception);
            let is_of_known_dialog =
                record.dialog_id.as_ref().is_none_or(|id| self.dialogs.iter().any(|dialog| dialog.dialog_id == **id));
            if !(is_heard && is_of_known_dialog) {
                // The same record may mean more after the next state.
                self.hashes.sections.last_content = 0;
            }
        }
        reception.unset = reading.unset;
        reception
    }

    fn receive_dialogs(
        &mut self,
        details: &ConversationDetails<'_>,
        circumstances: &Circumstances<'_>,
        reading: &mut Reading,
        reception: &mut Reception,
    ) {
        let id = circumstances.conversation;
        let is_main = |stated: &DialogState<'_>| id.as_str() == stated.dialog_id.as_str();
        // Old states have no dialogs. MAIN is then open as long as the conversation is.
        let main = (!details.dialogs.iter().any(is_main)).then(|| details.as_main(id.as_str().into()));
        let stated = || {
            let listed = details.dialogs.iter().enumerate();
            let taken = listed.filter(|(at, stated)| *at < DIALOGS_PER_STATE || is_main(stated));
            taken.map(|(_, stated)| stated).chain(&main)
        };
        for stated in stated() {
            let Some(at) = self.dialog_at(&stated.dialog_id, usize::MAX) else { continue };
            let Some(dialog) = self.dialogs.get_mut(at) else { continue };
            let is_first_sight = !dialog.is_stated();
            dialog.receive(stated, circumstances, reading, &mut reception.events);
            if is_first_sight
                && dialog.wants_history(self.dialect)
                && let Some(missing) = dialog.order.ask_to_the_end()
            {
                reception.back_fill.push(dialog.back_fill(missing));
            }
        }
        let beyond = details.dialogs.len().saturating_sub(DIALOGS_PER_STATE);
        if beyond > 0 {
            let paths = vec![format!("conversationDetails.dialogs[{DIALOGS_PER_STATE}..]")];
            reception.dropped = Some(Box::new(DroppedMembers { count: beyond as u64, paths }));
        }
        let is_stated = |dialog: &Dialog| stated().any(|stated| dialog.dialog_id == *stated.dialog_id);
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.is_stated()) {
            if !is_stated(dialog) && reading.absent(Member::Dialog, !dialog.is_gone()) {
                dialog.end_unstated(circumstances.update_time, &mut reading.changes, &mut reception.events);
            }
        }
        if self.dialogs.len() > DIALOG_LIMIT {
            let changes = &mut reading.changes;
            self.dialogs.retain(|dialog| {
                let stays = dialog.dialog_id.is_main_of(id) || is_stated(dialog);
                changes.note_if(!stays && !dialog.is_gone(), PageMember::Dialogs);
                stays
            });
        }
    }

    /// Emits a consumer's step-up once, although every dialog shows it, perhaps in different states
    /// ([CV-E3](crate::rules#cv-e3)). If MAIN shows it, it is emitted for MAIN.
    fn tell_step_up_once(&mut self, events: &mut Vec<ConversationEvent>) {
        let step_up = |event: &ConversationEvent| match event {
            ConversationEvent::ConsumerStepUp { dialog_id, participant, .. } => {
                Some((dialog_id.clone(), participant.user_id.clone()))
            }
            _ => None,
        };
        let stated = || events.iter().filter_map(step_up);
        let Some((chosen, user_id)) =
            stated().find(|(dialog_id, _)| dialog_id.is_main_of(&self.id)).or_else(|| stated().next())
        else {
            return;
        };
        let is_known = self.stepped_up_to.as_ref() == Some(&user_id);
        events.retain(|event| step_up(event).is_none_or(|(dialog_id, _)| !is_known && dialog_id == chosen));
        self.stepped_up_to = Some(user_id);
    }

    /// Notes the newest content ([CV-N6.16](crate::rules#cv-n6)). It shows what is missing but is not delivered itself,
    /// because the full record has more members: audience, metadata ([MS-5](crate::rules#ms-5)). A consumer socket
    /// always receives the record separately. Returns `false` if MAIN is closed and its delivery has not begun, so that
    /// the record was not noted.
    fn hear_of(&mut self, record: &MessageRecord<'_>, reception: &mut Reception) -> bool {
        let (Some(sequence), Some(dialog_id), Dialect::Brand) = (record.sequence, &record.dialog_id, self.dialect)
        else {
            return true;
        };
        let id = &self.id;
        let main =
            self.dialogs.iter_mut().find(|dialog| dialog.dialog_id.is_main_of(id) && dialog.dialog_id == **dialog_id);
        let Some(main) = main else { return true };
        if !main.is_open() && main.order.next().is_none() {
            return false;
        }
        main.order.reveal(sequence);
        self.ask_for_missing(reception);
        true
    }

    /// Requests what MAIN is known to miss, if the state names its newest content.
    fn ask_for_missing(&mut self, reception: &mut Reception) {
        let id = &self.id;
        let main = self.dialogs.iter_mut().find(|dialog| dialog.dialog_id.is_main_of(id));
        let Some(main) = main.filter(|main| main.order.stated().is_some()) else { return };
        for missing in main.order.ask() {
            reception.back_fill.push(main.back_fill(missing));
        }
    }
}

impl Dialog {
    /// The request for a missing range.
    pub(super) fn back_fill(&self, Missing { start, end }: Missing) -> BackFill {
        BackFill {
            dialog_id: self.dialog_id.clone(),
            newer_than: start.checked_sub(1),
            older_than: (end != OPEN_END).then_some(end),
        }
    }
}
