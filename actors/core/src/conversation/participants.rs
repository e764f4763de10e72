//! The participants of a dialog: who they are, and what differs between two states ([DG-N5](crate::rules#dg-n5) to
//! [DG-N10](crate::rules#dg-n10)).

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{
    AdditionContext, ConversationEvent, Participant,
    lookup::{Lookup, SHORT},
};
use crate::{
    id::{AgentId, DialogId, SkillId, UserId},
    ums::{ChatState, Dialect, ParticipantDetails, ParticipantRole, ParticipantStatus, Person},
};

/// The participants of a dialog, found by their ids.
struct Everybody<'p> {
    list: &'p [Participant],
    by_user_id: Lookup<'p, Participant>,
    by_agent_id: Lookup<'p, Participant>,
}

impl<'p> Everybody<'p> {
    fn new(list: &'p [Participant]) -> Self {
        let by_user_id = Lookup::new(list, |participant| Some(participant.user_id.as_str()));
        let by_agent_id = Lookup::new(list, |participant| participant.agent_id.as_ref().map(AgentId::as_str));
        Self { list, by_user_id, by_agent_id }
    }

    /// The participant with this user id or agent id.
    fn with_id(&self, id: &str) -> Option<&'p Participant> {
        self.by_user_id.find(id).or_else(|| self.by_agent_id.find(id))
    }

    /// Returns the entry of the same person. A suggested agent may at first be known only by its agent id.
    fn same(&self, other: &Participant) -> Option<&'p Participant> {
        let by_agent_id = || other.agent_id.as_ref().and_then(|id| self.by_agent_id.find(id.as_str()));
        self.by_user_id.find(other.user_id.as_str()).or_else(by_agent_id)
    }
}

/// The participants in a state's roster, found by their ids.
pub(super) struct People<'p> {
    /// `None` if the state has no roster.
    roster: Option<&'p [Person<'p>]>,
    by_agent_id: Lookup<'p, Person<'p>>,
    by_user_id: Lookup<'p, Person<'p>>,
    dialect: Dialect,
}

impl<'p> People<'p> {
    pub(super) fn new(roster: Option<&'p [Person<'p>]>, dialect: Dialect) -> Self {
        let list = roster.unwrap_or_default();
        let by_agent_id = Lookup::new(list, |person| person.agent_id.as_deref());
        let by_user_id = Lookup::new(list, |person| Some(person.user_id.as_str()));
        Self { roster, by_agent_id, by_user_id, dialect }
    }

    /// Returns the participants of a dialog from its `details`, with the ids that the roster pairs with theirs
    /// ([DG-N10](crate::rules#dg-n10)).
    pub(super) fn stated<'s>(&'s self, details: &'s [ParticipantDetails<'_>]) -> StatedParticipants<'s> {
        distinct(details.iter().filter_map(|ParticipantDetails { id, role, state }| {
            let person = self.by_agent_id.find(id).or_else(|| self.by_user_id.find(id));
            let role = role.as_ref().or(person.map(|person| &person.role))?;
            let (user_id, agent_id) = match person {
                Some(person) => (person.user_id.as_str(), person.agent_id.as_deref()),
                None => {
                    let is_agent_id = self.dialect == Dialect::Brand && *role != ParticipantRole::Consumer;
                    (id.as_str(), is_agent_id.then_some(id.as_str()))
                }
            };
            Some(StatedParticipant {
                user_id,
                agent_id,
                role,
                state: state.clone().unwrap_or(ParticipantStatus::Active),
            })
        }))
    }

    /// The participants of MAIN by the roster alone, because old conversations have nothing else. `None` without a
    /// roster.
    pub(super) fn in_main(&self) -> Option<StatedParticipants<'_>> {
        let roster = self.roster?;
        Some(distinct(roster.iter().map(|Person { role, user_id, agent_id }| StatedParticipant {
            user_id: user_id.as_str(),
            agent_id: agent_id.as_deref(),
            role,
            state: ParticipantStatus::Active,
        })))
    }
}

/// The participants of a dialog in a state, each once.
pub(super) type StatedParticipants<'s> = SmallVec<[StatedParticipant<'s>; 4]>;

/// A participant in a state.
pub(super) struct StatedParticipant<'s> {
    user_id: &'s str,
    agent_id: Option<&'s str>,
    role: &'s ParticipantRole,
    state: ParticipantStatus,
}

impl StatedParticipant<'_> {
    fn is_held(&self, held: &Participant) -> bool {
        held.user_id == *self.user_id
            && held.agent_id.as_ref().map(AgentId::as_str) == self.agent_id
            && held.role == *self.role
            && held.state == self.state
    }

    /// Returns whether this entry takes precedence over `other`, an earlier entry of the same person: an assignment
    /// before another role, an accepted one before a suggested one, and a more active role before a less active one.
    /// The roles of a roster have no reliable order.
    fn outranks(&self, other: &Self) -> bool {
        let rank = |stated: &Self| {
            let role = match stated.role {
                ParticipantRole::AssignedAgent => 5,
                ParticipantRole::Agent | ParticipantRole::Consumer => 4,
                ParticipantRole::Manager => 3,
                ParticipantRole::Controller | ParticipantRole::BrandBot => 2,
                ParticipantRole::Reader => 1,
                ParticipantRole::Unlisted(_) => 0,
            };
            (*stated.role == ParticipantRole::AssignedAgent, stated.state == ParticipantStatus::Active, role)
        };
        rank(self) > rank(other)
    }

    /// Returns the participant with what `held` knows of it; equal ids share their memory.
    fn settle(&self, held: &Everybody<'_>) -> Participant {
        let known = held.with_id(self.user_id).or_else(|| self.agent_id.and_then(|id| held.with_id(id)));
        let user_id = known.map(|known| &known.user_id).filter(|id| **id == *self.user_id);
        let user_id = user_id.cloned().unwrap_or_else(|| UserId::from(self.user_id));
        let agent_id = self.agent_id.map(|stated| {
            let known = known.and_then(|known| known.agent_id.clone()).filter(|id| *id == *stated);
            known.unwrap_or_else(|| if user_id == *stated { AgentId::sharing(&user_id) } else { AgentId::from(stated) })
        });
        Participant {
            user_id,
            agent_id,
            role: self.role.clone(),
            state: self.state.clone(),
            chat_state: known.map_or(ChatState::Active, |known| known.chat_state.clone()),
        }
    }
}

/// Returns all participants, each once: if a person is listed twice, the entry with precedence counts.
fn distinct<'s>(everybody: impl Iterator<Item = StatedParticipant<'s>>) -> StatedParticipants<'s> {
    let mut list = StatedParticipants::new();
    let mut places: Option<HashMap<&str, usize>> = None;
    for stated in everybody.filter(|stated| stated.state != ParticipantStatus::Removed) {
        let known = match &places {
            Some(places) => places.get(stated.user_id).copied(),
            None => list.iter().position(|known| known.user_id == stated.user_id),
        };
        match known.and_then(|at| list.get_mut(at)) {
            Some(known) if stated.outranks(known) => *known = stated,
            Some(_) => {}
            None => {
                if let Some(places) = &mut places {
                    places.insert(stated.user_id, list.len());
                }
                list.push(stated);
                if list.len() == SHORT {
                    places = Some(list.iter().enumerate().map(|(at, stated)| (stated.user_id, at)).collect());
                }
            }
        }
    }
    list
}

/// Returns the active assigned agent among the participants of a dialog, otherwise the suggested one
/// ([CV-M2](crate::rules#cv-m2)).
pub(super) fn assigned_agent(participants: &[Participant]) -> Option<&Participant> {
    let assigned = || participants.iter().filter(|participant| participant.is_assigned());
    assigned().find(|participant| participant.state == ParticipantStatus::Active).or_else(|| assigned().next())
}

/// The consumer among the participants of a dialog ([CV-M4](crate::rules#cv-m4)).
pub(super) fn consumer(participants: &[Participant]) -> Option<&Participant> {
    participants.iter().find(|participant| participant.role == ParticipantRole::Consumer)
}

/// Returns the participants of a dialog that a subscriber computes from the participants `before` and `events`.
pub(super) fn told_by(before: &[Participant], dialog: &DialogId, events: &[ConversationEvent]) -> Vec<Participant> {
    let mut list = before.to_vec();
    for event in events {
        match event {
            ConversationEvent::ParticipantAdded { dialog_id, participant, .. }
            | ConversationEvent::ParticipantSuggested { dialog_id, participant }
            | ConversationEvent::ParticipantRoleChange { dialog_id, participant, .. }
                if dialog_id == dialog =>
            {
                match list.iter_mut().find(|known| known.is_same(participant)) {
                    Some(known) => *known = participant.clone(),
                    None => list.push(participant.clone()),
                }
            }
            ConversationEvent::ParticipantRemoved { dialog_id, participant }
            | ConversationEvent::ParticipantSuggestedRemoved { dialog_id, participant }
                if dialog_id == dialog =>
            {
                list.retain(|known| !known.is_same(participant));
            }
            _ => {}
        }
    }
    list
}

/// Returns the participants after `stated`; `None` if they are unchanged.
pub(super) fn settled(held: &[Participant], stated: &[StatedParticipant<'_>]) -> Option<Vec<Participant>> {
    let is_same = held.len() == stated.len() && stated.iter().zip(held).all(|(stated, held)| stated.is_held(held));
    (!is_same).then(|| {
        let held = Everybody::new(held);
        stated.iter().map(|stated| stated.settle(&held)).collect()
    })
}

/// The participants of one dialog before and after a state.
pub(super) struct ParticipantChange<'a> {
    dialog_id: &'a DialogId,
    before: Everybody<'a>,
    after: Everybody<'a>,
}

/// Where MAIN's conversation waits for an agent after a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue<'a> {
    /// Unchanged.
    Same,
    /// In its queue, because it has no assignee any more ([CV-E2](crate::rules#cv-e2)).
    Back,
    /// In the queue of another skill ([CV-E11](crate::rules#cv-e11)).
    Transferred(&'a SkillId),
}

impl<'a> Queue<'a> {
    /// Returns where MAIN's conversation waits after these changes of MAIN, with the new skill if the skill changed
    /// (rows 1 to 13 and 18 of [DG-N11](crate::rules#dg-n11)). A closed dialog waits in no queue.
    pub(super) fn after(
        is_open: bool,
        before: &[Participant],
        after: &[Participant],
        new_skill: Option<&'a SkillId>,
    ) -> Self {
        if !is_open || after.iter().any(Participant::is_assigned) {
            return Self::Same;
        }
        match new_skill {
            Some(skill_id) => Self::Transferred(skill_id),
            None if before.iter().any(Participant::is_assigned) => Self::Back,
            None => Self::Same,
        }
    }
}

impl<'a> ParticipantChange<'a> {
    pub(super) fn new(dialog_id: &'a DialogId, before: &'a [Participant], after: &'a [Participant]) -> Self {
        Self { dialog_id, before: Everybody::new(before), after: Everybody::new(after) }
    }

    /// Emits additions, suggestions, removals, role changes and the consumer's step-up, in this order
    /// ([DG-N5](crate::rules#dg-n5), [DG-N6](crate::rules#dg-n6), [CV-E3](crate::rules#cv-e3),
    /// [CV-E6](crate::rules#cv-e6) to [CV-E10](crate::rules#cv-e10)). The event that the conversation is `back` in its
    /// queue follows directly after the assignee's removal ([CV-E2](crate::rules#cv-e2)).
    ///
    /// `departed_consumer` remembers a consumer who left without a successor, because a step-up may arrive in two
    /// states.
    pub(super) fn tell(
        &self,
        is_back_in_queue: bool,
        departed_consumer: &mut Option<Box<Participant>>,
        events: &mut Vec<ConversationEvent>,
    ) {
        self.tell_added(events);
        self.tell_suggested(events);
        let unassigned_at = [self.tell_removed(events), self.tell_roles(events)].into_iter().flatten().max();
        if is_back_in_queue {
            let at = unassigned_at.unwrap_or(events.len());
            events.insert(at, ConversationEvent::BackToQueue { dialog_id: self.dialog_id.clone() });
        }
        self.tell_step_up(departed_consumer, events);
    }

    fn is_gone(&self, participant: &Participant) -> bool {
        self.after.same(participant).is_none()
    }

    fn tell_added(&self, events: &mut Vec<ConversationEvent>) {
        for participant in self.after.list.iter().filter(|after| after.state == ParticipantStatus::Active) {
            let previously_suggested = match self.before.same(participant) {
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

    /// A present participant can be suggested too, for example by a transfer to a manager.
    fn tell_suggested(&self, events: &mut Vec<ConversationEvent>) {
        for participant in self.after.list.iter().filter(|after| after.state == ParticipantStatus::Suggested) {
            let suggested_before =
                self.before.same(participant).filter(|before| before.state == ParticipantStatus::Suggested);
            let dialog_id = || self.dialog_id.clone();
            if suggested_before.is_none() {
                let participant = participant.clone();
                events.push(ConversationEvent::ParticipantSuggested { dialog_id: dialog_id(), participant });
            }
            if participant.is_assigned() && suggested_before.is_none_or(|before| !before.is_assigned()) {
                let participant = participant.clone();
                events.push(ConversationEvent::TransferAgent { dialog_id: dialog_id(), participant });
            }
        }
    }

    /// Returns the index after the last assignee's removal.
    fn tell_removed(&self, events: &mut Vec<ConversationEvent>) -> Option<usize> {
        let mut unassigned_at = None;
        for state in [ParticipantStatus::Active, ParticipantStatus::Suggested] {
            for before in self.before.list.iter().filter(|before| before.state == state && self.is_gone(before)) {
                let (dialog_id, participant) = (self.dialog_id.clone(), before.removed());
                events.push(if state == ParticipantStatus::Active {
                    ConversationEvent::ParticipantRemoved { dialog_id, participant }
                } else {
                    ConversationEvent::ParticipantSuggestedRemoved { dialog_id, participant }
                });
                if before.is_assigned() {
                    unassigned_at = Some(events.len());
                }
            }
        }
        unassigned_at
    }

    /// Emits changed roles. A participant who joins, or returns, has a role but does not change it. Returns the index
    /// after the last assignee's change.
    fn tell_roles(&self, events: &mut Vec<ConversationEvent>) -> Option<usize> {
        let mut unassigned_at = None;
        for participant in self.after.list {
            let Some(before) = self.before.same(participant) else { continue };
            if before.role == participant.role {
                continue;
            }
            events.push(ConversationEvent::ParticipantRoleChange {
                dialog_id: self.dialog_id.clone(),
                participant: participant.clone(),
                previous_role: before.role.clone(),
            });
            if before.is_assigned() {
                unassigned_at = Some(events.len());
            }
        }
        unassigned_at
    }

    fn tell_step_up(&self, departed_consumer: &mut Option<Box<Participant>>, events: &mut Vec<ConversationEvent>) {
        let is_consumer = |participant: &&Participant| participant.role == ParticipantRole::Consumer;
        let left = self.before.list.iter().filter(is_consumer).find(|before| self.is_gone(before));
        if let Some(left) = left {
            *departed_consumer = Some(Box::new(left.removed()));
        }
        let Some(consumer) = self.after.list.iter().find(is_consumer) else { return };
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
}
