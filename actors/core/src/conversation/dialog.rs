//! A dialog: its state and what a conversation's state changes in it (§1.10 of the reference).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    ConversationEvent, HistoryStart, MessageDelivery, Participant,
    message_order::MessageOrder,
    participants::{self, ParticipantChange, QueueCircumstances},
};
use crate::{
    id::{ConversationId, DialogId, SkillId, UserId},
    time::Timestamp,
    ums::{
        ChannelType, ChatState, CloseReason, DeliveryStatus, Dialect, DialogState, DialogStatus, DialogType, Json,
        ParticipantRole, Person,
    },
};

/// How many users' chat states are kept that no state has told of yet.
const EARLY_CHAT_STATES: usize = 16;

/// A dialog of a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialog {
    /// Which.
    pub dialog_id: DialogId,
    /// What it is for.
    pub dialog_type: Option<DialogType>,
    /// Its medium.
    pub channel_type: Option<ChannelType>,
    /// Whether it goes on.
    pub state: DialogStatus,
    /// When it began.
    pub start_time: Option<Timestamp>,
    /// The version of its state.
    pub update_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Who ended it.
    pub closed_by: Option<CloseReason>,
    /// Why it ended, in words.
    pub closed_cause: Option<Box<str>>,
    /// What the dialog's kind adds, such as a survey's `appInstallId`.
    pub meta_data: Option<Box<RawValue>>,
    participants: Vec<Participant>,
    departed_consumer: Option<Box<Participant>>,
    /// Chat states of users that no state has told of yet: notifications may overtake each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    early_chat_states: Vec<(UserId, ChatState)>,
    /// Whether a state has told of it; otherwise it is assumed, by its conversation or by a record.
    is_told: bool,
    /// The newest message that a reader in the role has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_by_consumer: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_by_assigned_agent: Option<u64>,
    pub(super) order: MessageOrder,
}

/// What a state says beside its dialogs, as far as they need it.
pub(super) struct Circumstances<'a> {
    pub(super) dialect: Dialect,
    pub(super) people: &'a [Person<'a>],
    /// Whether the state is newer than the one held by the conversation's own update time.
    pub(super) is_newer: bool,
    /// The new skill, if it changed.
    pub(super) skill_change: Option<&'a Option<SkillId>>,
}

impl Dialog {
    /// The MAIN dialog that every conversation has, assumed open until a state tells (CV-I1).
    pub(super) fn main_of(conversation: &ConversationId, order: MessageOrder) -> Self {
        Self { dialog_type: Some(DialogType::Main), ..Self::assumed(DialogId::main_of(conversation), order) }
    }

    /// A dialog that is assumed to go on because something mentioned it.
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
            departed_consumer: None,
            early_chat_states: Vec::new(),
            is_told: false,
            read_by_consumer: None,
            read_by_assigned_agent: None,
            order,
        }
    }

    /// The dialog with its identity and this place in the messages only.
    pub(super) fn rebuilt_at(&self, next: Option<u64>) -> Self {
        Self {
            dialog_type: self.dialog_type.clone(),
            ..Self::assumed(self.dialog_id.clone(), MessageOrder::resuming(next))
        }
    }

    /// Who takes part, suggested participants included.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// The participant with this user id or agent id.
    #[must_use]
    pub fn participant(&self, id: &str) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.is(id))
    }

    /// Notes what somebody is doing; of whom nothing is known yet, until a state tells of them. Answers who it is.
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

    /// Whether a consumer has read the message: this or a later one, by a receipt of somebody who was the consumer then.
    /// Receipts from before the first record that was told are not known.
    #[must_use]
    pub fn has_consumer_read(&self, sequence: u64) -> bool {
        self.read_by_consumer.is_some_and(|newest| sequence <= newest)
    }

    /// The same of the agent it was assigned to.
    #[must_use]
    pub fn has_assigned_agent_read(&self, sequence: u64) -> bool {
        self.read_by_assigned_agent.is_some_and(|newest| sequence <= newest)
    }

    /// The newest message that the consumer has read, and the one that the assigned agent has.
    pub(super) fn newest_read(&self) -> (Option<u64>, Option<u64>) {
        (self.read_by_consumer, self.read_by_assigned_agent)
    }

    /// Notes who has read what, from receipts as they are told.
    pub(super) fn note_reads(&mut self, told: &[ConversationEvent]) {
        for event in told {
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

    /// The agent it is assigned to; one who is merely suggested counts (CV-M2).
    #[must_use]
    pub fn assigned_agent(&self) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.is_assigned())
    }

    /// The consumer (CV-M4).
    #[must_use]
    pub fn consumer(&self) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.role == ParticipantRole::Consumer)
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == DialogStatus::Open
    }

    /// Whether it has messages; a co-browse session has none (CV-P2).
    #[must_use]
    pub fn has_messages(&self) -> bool {
        self.channel_type != Some(ChannelType::Cobrowse)
    }

    /// The sequence of the record to be delivered next; every one below was delivered or given up. Unknown until the
    /// first record under [`HistoryStart::FirstSeen`].
    #[must_use]
    pub fn next_sequence(&self) -> Option<u64> {
        self.order.next()
    }

    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    pub(super) fn is_main(&self) -> bool {
        self.dialog_type == Some(DialogType::Main)
    }

    /// Whether its history is wanted when a state first tells of it: where the beginning of the delivery is known. On a
    /// consumer socket closed dialogs are left alone (SB-14).
    pub(super) fn wants_history(&self, dialect: Dialect) -> bool {
        self.has_messages() && (self.is_open() || dialect == Dialect::Brand)
    }

    /// Takes what a state says of this dialog (DG-N1 to DG-N10). The first time no difference is told but the dialog
    /// itself, where it is not MAIN (CV-I2).
    pub(super) fn receive(
        &mut self,
        told: &DialogState<'_>,
        circumstances: &Circumstances<'_>,
        events: &mut Vec<ConversationEvent>,
    ) {
        if self.is_older(told, circumstances) {
            events.push(ConversationEvent::NotificationOutOfOrder { dialog_id: Some(self.dialog_id.clone()) });
            return;
        }
        let was_open = self.is_open();
        self.take_members(told);
        let list = match &*told.participants_details {
            [] if self.is_main() => participants::told_by_roster(circumstances.people),
            details => participants::told(details, circumstances.people, circumstances.dialect),
        };
        let settled = participants::settled(&self.participants, &list);
        if !self.is_told {
            self.is_told = true;
            self.participants = settled.unwrap_or_default();
            self.take_early_chat_states();
            if !self.is_main() {
                events.push(self.appeared());
            }
            return;
        }
        match (was_open, self.is_open()) {
            (true, false) => events.push(self.closed(settled.as_ref().unwrap_or(&self.participants))),
            // The platform re-opened it: the newer state is the truth (DG-N3, promise 3).
            (false, true) => events.push(self.appeared()),
            _ => {}
        }
        self.tell_participants(settled, circumstances, events);
        self.take_early_chat_states();
    }

    /// Whether what is told is older than what is held (DG-N2). Where the conversation's own update time shows that the
    /// state is newer, that decides, so that the end does not depend on the order of arrival (promise 3).
    fn is_older(&self, told: &DialogState<'_>, circumstances: &Circumstances<'_>) -> bool {
        let is_older = told.meta_data_last_update_ts.zip(self.update_time).is_some_and(|(told, held)| told < held);
        is_older && !circumstances.is_newer
    }

    fn take_members(&mut self, told: &DialogState<'_>) {
        fn keep<T: Clone>(held: &mut Option<T>, told: Option<&T>) {
            if let Some(told) = told {
                *held = Some(told.clone());
            }
        }
        keep(&mut self.dialog_type, told.dialog_type.as_ref());
        keep(&mut self.channel_type, told.channel_type.as_ref());
        keep(&mut self.start_time, told.creation_ts.as_ref());
        keep(&mut self.update_time, told.meta_data_last_update_ts.as_ref());
        if let Some(meta_data) = told.meta_data.as_ref().filter(|told| self.meta_data() != Some(told.get())) {
            self.meta_data = Some(meta_data).filter(|told| !told.is_null()).map(Json::to_raw);
        }
        if let Some(state) = &told.state {
            self.state = state.clone();
        }
        if self.is_open() {
            (self.end_time, self.closed_by, self.closed_cause) = (None, None, None);
            return;
        }
        keep(&mut self.end_time, told.end_ts.and_then(Timestamp::when_set).as_ref());
        keep(&mut self.closed_by, told.closed_by.as_ref());
        if let Some(cause) = &told.closed_cause {
            self.closed_cause = cause.non_empty().map(Box::from);
        }
    }

    fn meta_data(&self) -> Option<&str> {
        self.meta_data.as_deref().map(RawValue::get)
    }

    fn tell_participants(
        &mut self,
        settled: Option<Vec<Participant>>,
        circumstances: &Circumstances<'_>,
        events: &mut Vec<ConversationEvent>,
    ) {
        let change = ParticipantChange {
            dialog_id: &self.dialog_id,
            before: &self.participants,
            after: settled.as_ref().unwrap_or(&self.participants),
        };
        if settled.is_some() {
            change.tell(&mut self.departed_consumer, events);
        }
        change.tell_queue(
            &QueueCircumstances {
                is_open: self.is_open(),
                is_skill_changed: circumstances.skill_change.is_some(),
                transfer_to: circumstances.skill_change.filter(|_| self.is_main()),
            },
            events,
        );
        if let Some(settled) = settled {
            self.participants = settled;
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

/// Where the records of a dialog begin that nothing has been delivered of.
pub(super) fn order_of(history: HistoryStart, is_conversation_told: bool) -> MessageOrder {
    MessageOrder::starting(if is_conversation_told { HistoryStart::Beginning } else { history })
}
