//! A dialog: its state and what a conversation's state changes in it ([DG-N1](crate::rules#dg-n1) to
//! [DG-N11](crate::rules#dg-n11)).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    ConversationEvent, HistoryStart, MessageDelivery, Participant,
    absence::{Member, Reading},
    changes::Changes,
    message_order::MessageOrder,
    page_member::PageMember,
    participants::{self, ParticipantChange, People, Queue, StatedParticipants},
};
use crate::{
    id::{ConversationId, DialogId, SkillId, UserId},
    time::Timestamp,
    ums::{
        ChannelType, ChatState, CloseReason, DeliveryStatus, Dialect, DialogState, DialogStatus, DialogType, Json,
        ParticipantRole, meaning,
    },
};

/// The most users without a known participant whose chat states are kept.
const EARLY_CHAT_STATES: usize = 16;

/// A dialog of a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialog {
    /// The dialog's id.
    pub dialog_id: DialogId,
    /// The dialog's purpose.
    pub dialog_type: Option<DialogType>,
    /// The medium.
    pub channel_type: Option<ChannelType>,
    /// Whether it is open.
    pub state: DialogStatus,
    /// When it began.
    pub start_time: Option<Timestamp>,
    /// The version of its state.
    pub update_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Who ended it.
    pub closed_by: Option<CloseReason>,
    /// The cause of its end, as text.
    pub closed_cause: Option<Box<str>>,
    /// Additional data of the dialog's kind, such as a survey's `appInstallId`.
    pub meta_data: Option<Box<RawValue>>,
    participants: Vec<Participant>,
    /// The update time of the state that set the participants.
    #[serde(rename = "participantsTold", default, skip_serializing_if = "Option::is_none")]
    participants_stated: Option<Timestamp>,
    departed_consumer: Option<Box<Participant>>,
    /// Chat states of users that no state has named yet, because notifications may overtake each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    early_chat_states: Vec<(UserId, ChatState)>,
    /// Whether a state has contained the dialog; otherwise it was assumed because of its conversation or a record.
    #[serde(rename = "isTold")]
    is_stated: bool,
    /// Whether a state has contained the dialog and the newest state does not. Its messages keep their positions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_gone: bool,
    /// The newest message read by a participant in each role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_by_consumer: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_by_assigned_agent: Option<u64>,
    pub(super) order: MessageOrder,
}

/// The parts of a state outside its dialogs that the dialogs need.
pub(super) struct Circumstances<'a> {
    pub(super) conversation: &'a ConversationId,
    pub(super) people: &'a People<'a>,
    /// Whether the state is newer than the known state by the conversation's own times.
    pub(super) is_newer: bool,
    pub(super) update_time: Option<Timestamp>,
    /// The update time of the previous state, which lacked a dialog that is new in this state.
    pub(super) previous: Option<Timestamp>,
    /// Whether the state has the participants of the previous state. It was then decoded without them.
    pub(super) are_people_unchanged: bool,
    /// The new skill, if the state changed the skill to another one.
    pub(super) new_skill: Option<&'a SkillId>,
}

impl Dialog {
    /// The MAIN dialog of every conversation, assumed open until a state arrives ([CV-I1](crate::rules#cv-i1)).
    pub(super) fn main_of(conversation: &ConversationId, order: MessageOrder) -> Self {
        Self { dialog_type: Some(DialogType::Main), ..Self::assumed(DialogId::main_of(conversation), order) }
    }

    /// A dialog that is assumed open until a state says otherwise, because something named it.
    pub(super) fn assumed(dialog_id: DialogId, order: MessageOrder) -> Self {
        Self {
            dialog_id,
            dialog_type: None,
            channel_type: None,
            state: DialogStatus::Open,
            start_time: None,
            update_time: None,
            end_time: None,
            closed_by: None,
            closed_cause: None,
            meta_data: None,
            participants: Vec::new(),
            participants_stated: None,
            departed_consumer: None,
            early_chat_states: Vec::new(),
            is_stated: false,
            is_gone: false,
            read_by_consumer: None,
            read_by_assigned_agent: None,
            order,
        }
    }

    /// The dialog with only its identity and this position in its messages.
    pub(super) fn rebuilt_at(&self, next: Option<u64>) -> Self {
        Self {
            dialog_type: self.dialog_type.clone(),
            ..Self::assumed(self.dialog_id.clone(), MessageOrder::resuming(next))
        }
    }

    /// The participants, including suggested ones.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// The participant with this user id or agent id.
    #[must_use]
    pub fn participant(&self, id: &str) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.is(id))
    }

    /// Sets a user's chat state. For an unknown user it is kept until a state names the user. Returns the user's id.
    pub(super) fn take_chat_state(&mut self, user: &str, chat_state: &ChatState) -> UserId {
        if let Some(participant) = self.participants.iter_mut().find(|participant| participant.is(user)) {
            participant.chat_state = chat_state.clone();
            return participant.user_id.clone();
        }
        let user = UserId::from(user);
        self.early_chat_states.retain(|(early, _)| *early != user);
        if self.early_chat_states.len() >= EARLY_CHAT_STATES {
            self.early_chat_states.remove(0);
        }
        self.early_chat_states.push((user.clone(), chat_state.clone()));
        user
    }

    fn take_early_chat_states(&mut self) {
        let participants = &mut self.participants;
        self.early_chat_states.retain(|(user, chat_state)| {
            let known = participants.iter_mut().find(|participant| participant.is(user.as_str()));
            known.map(|participant| participant.chat_state = chat_state.clone()).is_none()
        });
    }

    /// Returns whether a consumer has read the message: this or a later one, by a receipt of a participant who was the
    /// consumer then. Receipts before the first delivered record are unknown.
    #[must_use]
    pub fn has_consumer_read(&self, sequence: u64) -> bool {
        self.read_by_consumer.is_some_and(|newest| sequence <= newest)
    }

    /// Returns the same for the agent assigned at the time.
    #[must_use]
    pub fn has_assigned_agent_read(&self, sequence: u64) -> bool {
        self.read_by_assigned_agent.is_some_and(|newest| sequence <= newest)
    }

    /// The newest message read by the consumer, and the newest read by the assigned agent.
    pub(super) fn newest_read(&self) -> (Option<u64>, Option<u64>) {
        (self.read_by_consumer, self.read_by_assigned_agent)
    }

    /// Records what was read, from delivered receipts.
    pub(super) fn note_reads(&mut self, stated: &[ConversationEvent]) {
        for event in stated {
            let ConversationEvent::MessageDelivery(MessageDelivery { role, status, sequences, .. }) = event else {
                continue;
            };
            let newest = match (role, status) {
                (Some(ParticipantRole::Consumer), DeliveryStatus::Read) => &mut self.read_by_consumer,
                (Some(ParticipantRole::AssignedAgent), DeliveryStatus::Read) => &mut self.read_by_assigned_agent,
                _ => continue,
            };
            *newest = (*newest).max(sequences.iter().copied().max());
        }
    }

    /// The assigned agent; a merely suggested agent counts if nobody else is assigned ([CV-M2](crate::rules#cv-m2)).
    #[must_use]
    pub fn assigned_agent(&self) -> Option<&Participant> {
        participants::assigned_agent(&self.participants)
    }

    /// The consumer ([CV-M4](crate::rules#cv-m4)).
    #[must_use]
    pub fn consumer(&self) -> Option<&Participant> {
        participants::consumer(&self.participants)
    }

    /// Returns whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == DialogStatus::Open
    }

    /// Whether it has messages; a co-browse session has none ([CV-P2](crate::rules#cv-p2)).
    #[must_use]
    pub fn has_messages(&self) -> bool {
        self.channel_type != Some(ChannelType::Cobrowse)
    }

    /// The sequence of the record to deliver next; every lower one was delivered or given up. Unknown before the first
    /// record under [`HistoryStart::FirstSeen`].
    #[must_use]
    pub fn next_sequence(&self) -> Option<u64> {
        self.order.next()
    }

    pub(super) fn is_stated(&self) -> bool {
        self.is_stated
    }

    /// Whether a state has contained it and the newest state does not.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Whether its history is fetched when a state first contains it, provided that the start of the delivery is known.
    /// On a consumer socket closed dialogs are skipped ([SB-14](crate::rules#sb-14)).
    pub(super) fn wants_history(&self, dialect: Dialect) -> bool {
        self.has_messages() && (self.is_open() || dialect == Dialect::Brand)
    }

    /// Applies a state's part about this dialog ([DG-N1](crate::rules#dg-n1) to [DG-N10](crate::rules#dg-n10)). The
    /// first time no differences are emitted but only the dialog itself, unless it is MAIN
    /// ([CV-I2](crate::rules#cv-i2)).
    pub(super) fn receive(
        &mut self,
        stated: &DialogState<'_>,
        circumstances: &Circumstances<'_>,
        reading: &mut Reading,
        events: &mut Vec<ConversationEvent>,
    ) {
        if self.is_older(stated, circumstances) {
            events.push(ConversationEvent::NotificationOutOfOrder { dialog_id: Some(self.dialog_id.clone()) });
            return;
        }
        let is_main = self.dialog_id.is_main_of(circumstances.conversation);
        let was_open = self.is_open();
        let is_new = !self.is_stated || std::mem::take(&mut self.is_gone);
        reading.changes.note_if(is_new, PageMember::Dialogs);
        if !self.is_stated {
            self.participants_stated = circumstances.previous;
        }
        self.take_members(stated, is_main, was_open, reading);
        let list = list_of(stated, circumstances.people, is_main);
        if list.is_some() || circumstances.are_people_unchanged {
            self.participants_stated = circumstances.update_time.or(self.participants_stated);
        }
        let settled = list.and_then(|list| participants::settled(&self.participants, &list));
        if !self.is_stated {
            self.is_stated = true;
            self.replace_participants(settled.unwrap_or_default(), &mut reading.changes);
            self.take_early_chat_states();
            if !is_main {
                events.push(self.appeared());
            }
            return;
        }
        match (was_open, self.is_open()) {
            (true, false) => events.push(self.closed(settled.as_ref().unwrap_or(&self.participants))),
            // The platform reopened it: the newer state is the truth (DG-N3, promise 3).
            (false, true) => events.push(self.appeared()),
            _ => {}
        }
        self.tell_participants(settled, circumstances.new_skill, is_main, &mut reading.changes, events);
        self.take_early_chat_states();
    }

    /// Applies the participants of a state that is older than the known state, if no newer state had participants.
    /// `stated` is the older state's part about this dialog. Returns whether that changed anything.
    pub(super) fn receive_late(
        &mut self,
        stated: Option<&DialogState<'_>>,
        people: &People<'_>,
        time: Timestamp,
        is_main: bool,
        changes: &mut Changes,
    ) -> bool {
        if !self.is_stated || self.participants_stated.is_some_and(|stated| stated >= time) {
            return false;
        }
        let list = match stated {
            Some(stated) => list_of(stated, people, is_main),
            None if is_main => people.in_main(),
            // The dialog did not exist at that time.
            None => Some(StatedParticipants::new()),
        };
        let Some(list) = list else { return false };
        self.participants_stated = Some(time);
        let Some(settled) = participants::settled(&self.participants, &list) else { return false };
        self.replace_participants(settled, changes);
        self.take_early_chat_states();
        true
    }

    /// The newest state no longer contains this dialog ([CV-N7](crate::rules#cv-n7)): it ends, and its messages are
    /// kept. Its participants then date from this state, so a late older state does not bring them back.
    pub(super) fn end_unstated(
        &mut self,
        time: Option<Timestamp>,
        changes: &mut Changes,
        events: &mut Vec<ConversationEvent>,
    ) {
        let is_new = !std::mem::replace(&mut self.is_gone, true);
        changes.note_if(is_new, PageMember::Dialogs);
        self.participants_stated = time.or(self.participants_stated);
        if self.is_open() {
            self.state = DialogStatus::Close;
            events.push(self.closed(&self.participants));
        }
        self.replace_participants(Vec::new(), changes);
    }

    fn replace_participants(&mut self, participants: Vec<Participant>, changes: &mut Changes) {
        if !(self.participants.is_empty() && participants.is_empty()) {
            let before = std::mem::replace(&mut self.participants, participants);
            changes.note_participants(&self.dialog_id, before);
        }
    }

    /// Closes the dialog without a state of the platform. Emits no event for a dialog that no state has contained.
    pub(super) fn end_here(&mut self, at: Timestamp, changes: &mut Changes, events: &mut Vec<ConversationEvent>) {
        if !self.is_open() {
            return;
        }
        changes.note(PageMember::Dialogs);
        (self.state, self.end_time) = (DialogStatus::Close, Some(at));
        if self.is_stated {
            events.push(self.closed(&self.participants));
        }
    }

    /// Returns whether the state is older than the known dialog ([DG-N2](crate::rules#dg-n2)). If the conversation's
    /// update times show that the state is newer, they decide, so that the result does not depend on the order of
    /// arrival (promise 3).
    fn is_older(&self, stated: &DialogState<'_>, circumstances: &Circumstances<'_>) -> bool {
        let is_older =
            stated.meta_data_last_update_ts.zip(self.update_time).is_some_and(|(stated, held)| stated < held);
        is_older && !circumstances.is_newer
    }

    /// Takes the members of a state. Records the changes that the events of a closed or new dialog do not report.
    fn take_members(&mut self, stated: &DialogState<'_>, is_main: bool, was_open: bool, reading: &mut Reading) {
        let kind = stated.dialog_type.clone().or_else(|| is_main.then_some(DialogType::Main));
        let mut is_new = reading.take(Member::DialogType, &mut self.dialog_type, kind);
        is_new |= reading.take(Member::DialogChannelType, &mut self.channel_type, stated.channel_type.clone());
        let start_time = stated.creation_ts.and_then(Timestamp::when_set);
        is_new |= reading.take(Member::DialogStartTime, &mut self.start_time, start_time);
        reading.take(Member::DialogUpdateTime, &mut self.update_time, stated.meta_data_last_update_ts);
        is_new |= self.take_meta_data(stated, reading);
        match &stated.state {
            Some(state) if *state == self.state => {}
            Some(state) => {
                is_new |= !was_open && *state != DialogStatus::Open;
                self.state = state.clone();
            }
            // Assumed open until a state says otherwise, as before the first state (CV-I1).
            None if reading.absent(Member::DialogState, self.is_stated) => self.state = DialogStatus::Open,
            None => {}
        }
        is_new |= self.take_end(stated, was_open, reading);
        reading.changes.note_if(is_new, PageMember::Dialogs);
    }

    fn take_meta_data(&mut self, stated: &DialogState<'_>, reading: &mut Reading) -> bool {
        let meta_data = stated.meta_data.as_ref().filter(|stated| !stated.is_null());
        if meta_data.map(Json::get) == self.meta_data() {
            return false;
        }
        if meta_data.is_none() && !reading.absent(Member::DialogMetaData, self.meta_data.is_some()) {
            return false;
        }
        let is_different = !meaning::is_same(meta_data.map(Json::get), self.meta_data());
        self.meta_data = meta_data.map(Json::to_raw);
        is_different
    }

    /// Takes the end time, the closing user and the cause of the close. Returns whether a value changed that no event
    /// reports: the event of a dialog that closes reports the user and the cause.
    fn take_end(&mut self, stated: &DialogState<'_>, was_open: bool, reading: &mut Reading) -> bool {
        if self.is_open() {
            let had_end = self.end_time.is_some() || self.closed_by.is_some() || self.closed_cause.is_some();
            (self.end_time, self.closed_by, self.closed_cause) = (None, None, None);
            return had_end;
        }
        let end_time = stated.end_ts.and_then(Timestamp::when_set);
        let is_new = reading.take(Member::DialogEndTime, &mut self.end_time, end_time);
        let mut is_explained = reading.take(Member::DialogClosedBy, &mut self.closed_by, stated.closed_by.clone());
        match stated.closed_cause.as_ref().map(|cause| cause.non_empty().map(Box::from)) {
            Some(cause) => {
                is_explained |= self.closed_cause != cause;
                self.closed_cause = cause;
            }
            None => is_explained |= reading.take(Member::DialogClosedCause, &mut self.closed_cause, None),
        }
        is_new || (is_explained && !was_open)
    }

    fn meta_data(&self) -> Option<&str> {
        self.meta_data.as_deref().map(RawValue::get)
    }

    /// Only MAIN waits in a queue: a conversation does not return to a queue from a survey or a call.
    fn tell_participants(
        &mut self,
        settled: Option<Vec<Participant>>,
        new_skill: Option<&SkillId>,
        is_main: bool,
        changes: &mut Changes,
        events: &mut Vec<ConversationEvent>,
    ) {
        let after = settled.as_ref().unwrap_or(&self.participants);
        let queue = Queue::after(is_main && self.is_open(), &self.participants, after, new_skill);
        if let Some(settled) = settled {
            let change = ParticipantChange::new(&self.dialog_id, &self.participants, &settled);
            change.tell(queue == Queue::Back, &mut self.departed_consumer, events);
            self.replace_participants(settled, changes);
        }
        if let Queue::Transferred(skill_id) = queue {
            let (dialog_id, skill_id) = (self.dialog_id.clone(), skill_id.clone());
            events.push(ConversationEvent::TransferSkill { dialog_id, skill_id });
        }
    }

    fn appeared(&self) -> ConversationEvent {
        ConversationEvent::Dialog {
            dialog_id: self.dialog_id.clone(),
            dialog_type: self.dialog_type.clone(),
            channel_type: self.channel_type.clone(),
            state: self.state.clone(),
        }
    }

    fn closed(&self, participants: &[Participant]) -> ConversationEvent {
        ConversationEvent::DialogClose {
            dialog_id: self.dialog_id.clone(),
            state: self.state.clone(),
            meta_data_last_update_ts: self.update_time,
            participants_details: participants.to_vec(),
            closed_by: self.closed_by.clone(),
            closed_cause: self.closed_cause.as_deref().map(str::to_owned),
        }
    }
}

/// Returns the participants in a state's part about a dialog; `None` if it has none. An empty list means that the
/// dialog has no participants.
fn list_of<'s>(stated: &'s DialogState<'_>, people: &'s People<'_>, is_main: bool) -> Option<StatedParticipants<'s>> {
    match &stated.participants_details {
        Some(details) => Some(people.stated(details)),
        None if is_main => people.in_main(),
        None => None,
    }
}

/// The start of the delivery in a dialog from which nothing has been delivered.
pub(super) fn order_of(history: HistoryStart, is_conversation_stated: bool) -> MessageOrder {
    MessageOrder::starting(if is_conversation_stated { HistoryStart::Beginning } else { history })
}
