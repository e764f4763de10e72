//! Earlier participants and skills of a conversation. The conversation itself holds only the present ones.

use crate::platform::conversation::Conversation;
use crate::platform::names::{AgentIndex, DialogId, Millis, Role, SkillId};

/// One stay of an agent in a dialog, under one role.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    pub(crate) dialog: DialogId,
    pub(crate) agent: AgentIndex,
    pub(crate) role: Role,
    pub(crate) joined: Millis,
    pub(crate) left: Option<Millis>,
}

/// The past of one conversation, in order.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) stays: Vec<Stay>,
    /// Each skill, and since when.
    pub(crate) skills: Vec<(SkillId, Millis)>,
}

impl Conversation {
    /// Records who joined and left, and the skill, since the last change.
    pub(crate) fn note_past(&mut self) {
        let at = self.updated;
        if self.past.skills.last().is_none_or(|(skill, _)| *skill != self.skill) {
            self.past.skills.push((self.skill.clone(), at));
        }
        for dialog in &self.dialogs {
            let present = |stay: &Stay| {
                dialog
                    .participants
                    .iter()
                    .any(|known| !known.suggested && known.party.agent() == Some(stay.agent) && known.role == stay.role)
            };
            let of_dialog = |stay: &&mut Stay| stay.left.is_none() && stay.dialog == dialog.id;
            for stay in self.past.stays.iter_mut().filter(of_dialog) {
                if !present(stay) {
                    stay.left = Some(at);
                }
            }
            for known in dialog.participants.iter().filter(|known| !known.suggested) {
                let Some(agent) = known.party.agent() else { continue };
                let stays = |stay: &Stay| {
                    stay.left.is_none() && stay.dialog == dialog.id && stay.agent == agent && stay.role == known.role
                };
                if !self.past.stays.iter().any(stays) {
                    let (dialog, role) = (dialog.id.clone(), known.role.clone());
                    self.past.stays.push(Stay { dialog, agent, role, joined: at, left: None });
                }
            }
        }
    }

    /// Whether an agent was assigned before.
    pub(crate) fn had_agent(&self) -> bool {
        self.past.stays.iter().any(|stay| stay.role == Role::AssignedAgent)
    }

    /// The agent who was assigned last.
    pub(crate) fn latest_agent(&self) -> Option<AgentIndex> {
        self.past.stays.iter().rev().find(|stay| stay.role == Role::AssignedAgent).map(|stay| stay.agent)
    }
}
