//! Transfers to an agent, a skill or both ([CV-F14](crate::rules#cv-f14), [TR-1](crate::rules#tr-1) to
//! [TR-6](crate::rules#tr-6)).

use super::{Plan, Refusal, Repeat, participation::change, planning::Planner};
use crate::{
    conversation::Participant,
    id::{AgentId, SkillId},
    ums::{
        FieldChange,
        ParticipantChangeKind::{Remove, Suggest, Update},
        ParticipantRole,
    },
};

impl Planner<'_> {
    /// Plans one request whose changes are applied together: set the skill; remove the target from any present role and
    /// suggest it; remove the present assignee, if there are other changes ([TR-1](crate::rules#tr-1)). Without agent
    /// and skill nothing is sent ([TR-3](crate::rules#tr-3)).
    pub(super) fn transfer(&self, agent: Option<&AgentId>, skill: Option<&SkillId>) -> Result<Plan, Refusal> {
        self.agent("only an agent can transfer")?;
        let main = self.conversation.main_dialog().filter(|main| main.is_open() && self.conversation.is_open());
        let main = main.ok_or(Refusal::NoOpenDialog)?;
        let assignee = main.assigned_agent();
        let mut changes = Vec::with_capacity(4);
        changes.extend(skill.map(|skill| FieldChange::Skill { kind: Update, skill: skill.clone() }));
        if let Some(agent) = agent {
            let target = self.qualified(agent);
            let present = main.participant(target.as_str());
            if present.is_some_and(|present| assignee == Some(present)) {
                return Err(Refusal::SameAgent(target));
            }
            changes.extend(present.map(|present| change(Remove, &present.role, wire_id(present), None)));
            changes.push(change(Suggest, &ParticipantRole::AssignedAgent, target.as_str(), None));
        }
        if changes.is_empty() {
            return Ok(Plan::Nothing);
        }
        changes.extend(assignee.map(|assignee| change(Remove, &assignee.role, wire_id(assignee), None)));
        Ok(self.update(changes, Repeat::ReadStateThenAct))
    }

    /// Returns the agent as `account.user` ([TR-5](crate::rules#tr-5)). A public id, which has dashes, stays unchanged.
    fn qualified(&self, agent: &AgentId) -> AgentId {
        let is_bare = !agent.as_str().contains(['.', '-']);
        if is_bare { AgentId::of(self.me.account(), agent.as_str()) } else { agent.clone() }
    }
}

/// Returns the id by which the platform accepts changes of this participant.
fn wire_id(participant: &Participant) -> &str {
    participant.agent_id.as_ref().map_or(participant.user_id.as_str(), AgentId::as_str)
}
