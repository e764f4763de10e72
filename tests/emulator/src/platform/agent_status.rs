//! The states of agents who are logged in, as the Agent Metrics API tells them.

use serde_json::{Value, json};

use super::directory::Agent;
use super::names::{AgentIndex, Millis, State};
use super::{MAIN_GROUP, MAIN_GROUP_NAME, Platform, date_time, skill_name};
use crate::dialect::{one_or_many, text_of};

/// Which agents are asked for.
#[derive(Debug, Default)]
pub(crate) struct AgentFilter {
    statuses: Vec<String>,
    agents: Vec<String>,
    skills: Vec<String>,
    groups: Vec<String>,
    connection_states: Vec<String>,
    present: bool,
}

impl AgentFilter {
    /// Reads the body of a request. Agents without a socket are left out unless they are asked for.
    pub(crate) fn read(body: &Value) -> Self {
        let texts = |name: &str| one_or_many(body[name].clone()).iter().filter_map(text_of).collect::<Vec<_>>();
        let either = |one: &str, other: &str| if body[one].is_null() { texts(other) } else { texts(one) };
        Self {
            statuses: either("status", "Status"),
            agents: texts("agentIds"),
            skills: texts("skillIds"),
            groups: texts("agentGroupIds"),
            connection_states: texts("connectionStates"),
            present: body["agentPresence"].as_bool().unwrap_or(true),
        }
    }
}

impl Platform {
    /// The agents that the filter takes, among those who are logged in, in the order of their logins' numbers.
    pub(crate) fn agent_status(
        &self,
        filter: &AgentFilter,
        logged_in: impl Fn(AgentIndex) -> bool,
        now: Millis,
    ) -> Vec<Value> {
        let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
        let asked: Vec<AgentIndex> = filter.agents.iter().filter_map(|id| self.directory.agent_by_id(id)).collect();
        let skills: Vec<_> = filter.skills.iter().map(|skill| super::SkillId::new(skill.as_str())).collect();
        let mut records = Vec::new();
        for (index, agent) in self.directory.agents() {
            let present = !self.sockets.of_agent(index).is_empty();
            let connection = if present { "CONNECTED" } else { "DISCONNECTED" };
            let taken = (present || logged_in(index))
                && present == filter.present
                && (filter.agents.is_empty() || asked.contains(&index))
                && any(&filter.statuses, agent.availability.as_str())
                && any(&filter.groups, &MAIN_GROUP.to_string())
                && any(&filter.connection_states, connection)
                && (skills.is_empty() || skills.iter().any(|skill| agent.serves(skill)));
            if taken {
                records.push(self.agent_record(agent, present, connection, now));
            }
        }
        records
    }

    fn agent_record(&self, agent: &Agent, present: bool, connection: &str, now: Millis) -> Value {
        let all = || self.settings.skills.iter().map(String::as_str).collect();
        let skills: Vec<&str> =
            if agent.skills.is_empty() { all() } else { agent.skills.iter().map(super::SkillId::as_str).collect() };
        let skills: Vec<Value> =
            skills.into_iter().map(|skill| json!({"skillId": skill, "skillName": skill_name(skill)})).collect();
        let open = agent.conversations.iter().filter_map(|id| self.conversations.get(id));
        let open = open.filter(|one| one.stage == State::Open).count();
        let capacity = self.settings.agent_capacity;
        let since = agent.available_since;
        json!({
            "agentId": agent.user_id(),
            "lastUpdatedTime": date_time(now), "lastUpdatedTimeL": now,
            "currentStatusStartTime": date_time(since), "currentStatusStartTimeL": since,
            "agentName": agent.login, "agentNickname": agent.login, "agentLoginName": agent.login,
            "agentSkills": skills, "agentGroupId": MAIN_GROUP, "agentGroupName": MAIN_GROUP_NAME,
            "currentStatus": agent.availability, "currentStatusDuration": now.saturating_sub(since),
            "load": (agent.assigned * 100).checked_div(capacity).unwrap_or(0),
            "ringingSlots": agent.rings.len(), "configuredMaxSlots": capacity, "busySlots": agent.assigned,
            "openAssignedConversations": agent.assigned, "openConversations": open, "intenseConversations": 0,
            "agentPresence": present.to_string(), "currentConnectionState": connection,
        })
    }
}
