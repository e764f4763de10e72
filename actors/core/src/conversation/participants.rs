//! The participants of a dialog: who they are, and what differs between two states (DG-N5 to DG-N10).

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{AdditionContext, ConversationEvent};
use crate::{
    id::{AgentId, DialogId, SkillId, UserId},
    ums::{ChatState, Dialect, ParticipantDetails, ParticipantRole, ParticipantStatus, Person},
};

/// Somebody who takes part in a dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// The consumer's id or the agent's public id. The agent id stands in where the platform has not told a public one.
    pub user_id: UserId,
    /// The agent's id, told on brand sockets only; consumers have none.
    pub agent_id: Option<AgentId>,
    /// What the participant is.
    pub role: ParticipantRole,
    /// Whether the participant takes part already.
    pub state: ParticipantStatus,
    /// What the participant is doing; [`ChatState::Active`] until told.
    pub chat_state: ChatState,
}

impl Participant {
    /// Whether the conversation is assigned to this participant; a suggested one counts too (DG-R).
    #[must_use]
    pub fn is_assigned(&self) -> bool {
        self.role == ParticipantRole::AssignedAgent
    }

    /// Whether this is the user `id`, by user id or agent id.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        self.user_id == *id || self.agent_id.as_ref().is_some_and(|agent_id| agent_id == id)
    }

    /// Whether both are the same person. A suggested agent may be known by its agent id alone at first.
    fn is_same(&self, other: &Self) -> bool {
        self.user_id == other.user_id || (self.agent_id.is_some() && self.agent_id == other.agent_id)
    }

    /// The participant as it leaves (DG-N9).
    fn removed(&self) -> Self {
        Self { state: ParticipantStatus::Removed, ..self.clone() }
    }
}

/// A participant as a state tells of it.
pub(super) struct Told<'s> {
    user_id: &'s str,
    agent_id: Option<&'s str>,
    role: &'s ParticipantRole,
    state: ParticipantStatus,
}

impl Told<'_> {
    fn is_held(&self, held: &Participant) -> bool {
        held.user_id == *self.user_id
            && held.agent_id.as_ref().map(AgentId::as_str) == self.agent_id
            && held.role == *self.role
            && held.state == self.state
    }

    /// The participant, with what `held` knows of it; ids are shared with it where they are the same.
    fn settle(&self, held: &[Participant]) -> Participant {
        let known = held.iter().find(|known| known.is(self.user_id) || self.agent_id.is_some_and(|id| known.is(id)));
        let user_id = known.map(|known| &known.user_id).filter(|id| **id == *self.user_id);
        let agent_id = self.agent_id.map(|told| {
            let known = known.and_then(|known| known.agent_id.clone()).filter(|id| *id == *told);
            known.unwrap_or_else(|| AgentId::from(told))
        });
        Participant {
            user_id: user_id.cloned().unwrap_or_else(|| UserId::from(self.user_id)),
            agent_id,
            role: self.role.clone(),
            state: self.state.clone(),
            chat_state: known.map_or(ChatState::Active, |known| known.chat_state.clone()),
        }
    }
}

/// Who takes part in a dialog by its `details`, with the ids that `people` pair with theirs (DG-N10).
pub(super) fn told<'s>(
    details: &'s [ParticipantDetails<'_>],
    people: &'s [Person<'_>],
    dialect: Dialect,
) -> SmallVec<[Told<'s>; 4]> {
    distinct(details.iter().filter_map(|ParticipantDetails { id, role, state }| {
        let person = (people.iter())
            .find(|person| person.agent_id.as_ref() == Some(id))
            .or_else(|| people.iter().find(|person| person.user_id == *id));
        let role = role.as_ref().or(person.map(|person| &person.role))?;
        let (user_id, agent_id) = match person {
            Some(person) => (person.user_id.as_str(), person.agent_id.as_deref()),
            None => {
                let is_agent_id = dialect == Dialect::Brand && *role != ParticipantRole::Consumer;
                (id.as_str(), is_agent_id.then_some(id.as_str()))
            }
        };
        Some(Told { user_id, agent_id, role, state: state.clone().unwrap_or(ParticipantStatus::Active) })
    }))
}

/// Who takes part by the conversation's `people` alone: old conversations tell no more.
pub(super) fn told_by_roster<'s>(people: &'s [Person<'_>]) -> SmallVec<[Told<'s>; 4]> {
    distinct(people.iter().map(|Person { role, user_id, agent_id }| Told {
        user_id: user_id.as_str(),
        agent_id: agent_id.as_deref(),
        role,
        state: ParticipantStatus::Active,
    }))
}

/// Everybody who takes part, each once: of somebody listed twice the first counts.
fn distinct<'s>(everybody: impl Iterator<Item = Told<'s>>) -> SmallVec<[Told<'s>; 4]> {
    let mut list: SmallVec<[Told<'s>; 4]> = SmallVec::new();
    for told in everybody.filter(|told| told.state != ParticipantStatus::Removed) {
        if list.iter().all(|known| known.user_id != told.user_id) {
            list.push(told);
        }
    }
    list
}

/// The participants after `told`, or nothing if they are those held.
pub(super) fn settled(held: &[Participant], told: &[Told<'_>]) -> Option<Vec<Participant>> {
    let is_same = held.len() == told.len() && told.iter().zip(held).all(|(told, held)| told.is_held(held));
    (!is_same).then(|| told.iter().map(|told| told.settle(held)).collect())
}

/// The participants of one dialog before and after a state.
pub(super) struct ParticipantChange<'a> {
    pub(super) dialog_id: &'a DialogId,
    pub(super) before: &'a [Participant],
    pub(super) after: &'a [Participant],
}

/// What the same state says beside a dialog's participants.
pub(super) struct QueueCircumstances<'a> {
    /// Whether the dialog goes on: a closed one waits in no queue.
    pub(super) is_open: bool,
    /// Whether the skill changed.
    pub(super) is_skill_changed: bool,
    /// The skill, if this dialog is to report a transfer to it: MAIN only, so that it is told once (row 18).
    pub(super) transfer_to: Option<&'a Option<SkillId>>,
}

impl ParticipantChange<'_> {
    fn before(&self, participant: &Participant) -> Option<&Participant> {
        self.before.iter().find(|before| before.is_same(participant))
    }

    fn is_gone(&self, participant: &Participant) -> bool {
        !self.after.iter().any(|after| after.is_same(participant))
    }

    /// Who came, was suggested, went, has another role, and whether the consumer stepped up, in this order (DG-N5,
    /// DG-N6, CV-E3, CV-E6 to E10).
    ///
    /// `departed_consumer` remembers a consumer who left without another one being there, because a step-up may come
    /// in two states.
    pub(super) fn tell(&self, departed_consumer: &mut Option<Box<Participant>>, events: &mut Vec<ConversationEvent>) {
        self.tell_added(events);
        self.tell_suggested(events);
        self.tell_removed(events);
        self.tell_roles(events);
        self.tell_step_up(departed_consumer, events);
    }

    fn tell_added(&self, events: &mut Vec<ConversationEvent>) {
        for participant in self.after.iter().filter(|after| after.state == ParticipantStatus::Active) {
            let previously_suggested = match self.before(participant) {
                None => false,
                Some(before) if before.state == ParticipantStatus::Suggested => true,
                Some(_) => continue,
            };
            events.push(ConversationEvent::ParticipantAdded {
                dialog_id: self.dialog_id.clone(),
                participant: participant.clone(),
                context: AdditionContext { previously_suggested },
            });
        }
    }

    fn tell_suggested(&self, events: &mut Vec<ConversationEvent>) {
        for participant in self.after.iter().filter(|after| after.state == ParticipantStatus::Suggested) {
            if self.before(participant).is_some() {
                continue;
            }
            let (dialog_id, participant) = (self.dialog_id.clone(), participant.clone());
            let is_transfer = participant.is_assigned();
            let transferred = is_transfer.then(|| (dialog_id.clone(), participant.clone()));
            events.push(ConversationEvent::ParticipantSuggested { dialog_id, participant });
            if let Some((dialog_id, participant)) = transferred {
                events.push(ConversationEvent::TransferAgent { dialog_id, participant });
            }
        }
    }

    fn tell_removed(&self, events: &mut Vec<ConversationEvent>) {
        let gone = |state: ParticipantStatus| {
            let leavers = self.before.iter().filter(move |before| before.state == state);
            leavers.filter(|before| self.is_gone(before)).map(Participant::removed)
        };
        events.extend(gone(ParticipantStatus::Active).map(|participant| ConversationEvent::ParticipantRemoved {
            dialog_id: self.dialog_id.clone(),
            participant,
        }));
        events.extend(gone(ParticipantStatus::Suggested).map(|participant| {
            ConversationEvent::ParticipantSuggestedRemoved { dialog_id: self.dialog_id.clone(), participant }
        }));
    }

    /// Whose role is another one now. Whoever comes, or comes back, does so with a role and changes none.
    fn tell_roles(&self, events: &mut Vec<ConversationEvent>) {
        for participant in self.after {
            let previous_role = self.before(participant).map(|before| &before.role);
            if let Some(previous_role) = previous_role.filter(|role| **role != participant.role) {
                events.push(ConversationEvent::ParticipantRoleChange {
                    dialog_id: self.dialog_id.clone(),
                    participant: participant.clone(),
                    previous_role: previous_role.clone(),
                });
            }
        }
    }

    fn tell_step_up(&self, departed_consumer: &mut Option<Box<Participant>>, events: &mut Vec<ConversationEvent>) {
        let is_consumer = |participant: &&Participant| participant.role == ParticipantRole::Consumer;
        let left = self.before.iter().filter(is_consumer).find(|before| self.is_gone(before));
        if let Some(left) = left {
            *departed_consumer = Some(Box::new(left.removed()));
        }
        let Some(consumer) = self.after.iter().find(is_consumer) else { return };
        if let Some(previous) = departed_consumer.take()
            && !previous.is_same(consumer)
        {
            events.push(ConversationEvent::ConsumerStepUp {
                dialog_id: self.dialog_id.clone(),
                previous: *previous,
                participant: consumer.clone(),
            });
        }
    }

    /// Whether the conversation went back to the queue or to another skill (CV-E2, CV-E11, rows 1 to 13 and 18).
    pub(super) fn tell_queue(&self, circumstances: &QueueCircumstances<'_>, events: &mut Vec<ConversationEvent>) {
        if !circumstances.is_open || self.after.iter().any(Participant::is_assigned) {
            return;
        }
        let dialog_id = self.dialog_id.clone();
        if let Some(skill_id) = circumstances.transfer_to {
            events.push(ConversationEvent::TransferSkill { dialog_id, skill_id: skill_id.clone() });
        } else if !circumstances.is_skill_changed && self.before.iter().any(Participant::is_assigned) {
            events.push(ConversationEvent::BackToQueue { dialog_id });
        }
    }
}
