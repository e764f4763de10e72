//! A summary of a conversation that is available without calling its actor, whether the conversation is in memory or
//! not. It has what lists and filters need.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tertulia_core::{
    conversation::{Conversation as Model, Dialog, LastMessage},
    id::{AgentId, ExternalConsumerId, SkillId, UserId},
    time::Timestamp,
    ums::Stage,
};

/// A summary of a conversation. Kept small, because every conversation has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outline {
    /// Stage, skill and agent; `None` before the first state.
    pub(super) assignment: Option<Arc<Assignment>>,
    /// The consumer; after the end, the last consumer.
    pub consumer: Option<UserId>,
    /// The connector's own id of the consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_consumer: Option<ExternalConsumerId>,
    /// When the conversation began. Negative while unknown, as with the other times.
    pub start_time: Timestamp,
    /// When the state was last updated.
    pub update_time: Timestamp,
    /// When the conversation ended.
    pub close_time: Timestamp,
    /// The time until which the agent must respond.
    pub ttr_effective: Timestamp,
    /// The messages that the assigned agent has not read; `None` if no agent is assigned, or if the platform does not
    /// report the count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
    /// A short form of the newest message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Arc<LastMessage>>,
}

/// Stage, skill and agent of a conversation. Many conversations have the same values and share one copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Assignment {
    /// The stage.
    pub(super) stage: Option<Stage>,
    /// The skill; `-1` means no skill.
    pub(super) skill_id: Option<SkillId>,
    /// The assigned agent; after the end, the last one.
    pub(super) agent: Option<Assignee>,
}

/// An agent with all known ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignee {
    /// The public id.
    pub user_id: UserId,
    /// The id as `account.user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
}

const UNKNOWN: Timestamp = Timestamp(-1);

impl Default for Outline {
    fn default() -> Self {
        Self {
            assignment: None,
            consumer: None,
            external_consumer: None,
            start_time: UNKNOWN,
            update_time: UNKNOWN,
            close_time: UNKNOWN,
            ttr_effective: UNKNOWN,
            unread: None,
            last_message: None,
        }
    }
}

impl Outline {
    pub(super) fn of(conversation: &Model) -> Self {
        Self::after(conversation, None)
    }

    /// Returns the outline of `conversation`. Reuses the assignment `before` if it is unchanged.
    pub(super) fn after(conversation: &Model, before: Option<Arc<Assignment>>) -> Self {
        let dialog = conversation.open_dialog().or_else(|| conversation.main_dialog());
        let agent = dialog.and_then(Dialog::assigned_agent);
        let (stage, skill_id) = (conversation.stage(), conversation.skill_id());
        let is_still_so = |before: &Arc<Assignment>| {
            let assignee = before.agent.as_ref().map(|agent| (&agent.user_id, agent.agent_id.as_ref()));
            (before.stage.as_ref(), before.skill_id.as_ref()) == (stage, skill_id)
                && assignee == agent.map(|agent| (&agent.user_id, agent.agent_id.as_ref()))
        };
        let assignment = before.filter(is_still_so).unwrap_or_else(|| {
            let agent =
                agent.map(|agent| Assignee { user_id: agent.user_id.clone(), agent_id: agent.agent_id.clone() });
            Arc::new(Assignment { stage: stage.cloned(), skill_id: skill_id.cloned(), agent })
        });
        Self {
            assignment: Some(assignment),
            consumer: dialog.and_then(Dialog::consumer).map(|consumer| consumer.user_id.clone()),
            external_consumer: conversation.external_consumer_id().cloned(),
            start_time: conversation.start_time().unwrap_or(UNKNOWN),
            update_time: conversation.update_time().unwrap_or(UNKNOWN),
            close_time: conversation.close_time().unwrap_or(UNKNOWN),
            ttr_effective: conversation.ttr_effective().unwrap_or(UNKNOWN),
            unread: agent
                .and_then(|agent| conversation.unread_by(agent))
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            last_message: conversation.last_message().cloned(),
        }
    }

    /// The stage; `None` before the first state.
    #[must_use]
    pub fn stage(&self) -> Option<&Stage> {
        self.assignment.as_ref()?.stage.as_ref()
    }

    /// The skill.
    #[must_use]
    pub fn skill_id(&self) -> Option<&SkillId> {
        self.assignment.as_ref()?.skill_id.as_ref()
    }

    /// Whether `consumer` is the consumer's id or the connector's own id of the consumer.
    pub(super) fn is_of_consumer(&self, consumer: &str) -> bool {
        self.consumer.as_ref().is_some_and(|id| *id == *consumer)
            || self.external_consumer.as_ref().is_some_and(|id| id.as_str() == consumer)
    }

    /// The assigned agent; after the end, the last one.
    #[must_use]
    pub fn agent(&self) -> Option<&Assignee> {
        self.assignment.as_ref()?.agent.as_ref()
    }
}

impl Assignee {
    /// Returns whether `agent` is one of the agent's ids, or the user part of the id.
    #[must_use]
    pub fn is(&self, agent: &str) -> bool {
        let own = self.agent_id.as_ref().map(AgentId::as_str);
        self.user_id == *agent
            || own == Some(agent)
            || own.and_then(|id| id.rsplit_once('.')).is_some_and(|(_, user)| user == agent)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tertulia_core::{conversation::HistoryStart, ums::Dialect};

    use super::*;

    #[test]
    fn a_conversation_is_its_assigned_agents_and_its_consumers_and_nobody_elses_who_takes_part() {
        let taking_part = |id: &str, role: &str| json!({ "id": id, "role": role, "state": "ACTIVE" });
        let people = [("anna", "CONSUMER"), ("6f-2", "MANAGER"), ("6f-1", "ASSIGNED_AGENT"), ("6f-3", "READER")];
        let state = json!({
            "convId": "c1",
            "conversationDetails": {
                "state": "OPEN", "stage": "OPEN", "skillId": "501", "startTs": 1_000, "metaDataLastUpdateTs": 2_000,
                "participants": people.map(|(id, role)| json!({ "id": id, "role": role })),
                "dialogs": [{
                    "dialogId": "c1", "dialogType": "MAIN", "channelType": "MESSAGING", "state": "OPEN",
                    "participantsDetails": people.map(|(id, role)| taking_part(id, role)),
                }],
            },
        });
        let mut conversation = Model::new("c1".into(), Dialect::Brand, HistoryStart::Beginning);
        conversation.receive_state(&state.to_string()).unwrap();
        let outline = Outline::of(&conversation);
        let agent = outline.agent().unwrap();
        assert!(agent.is("6f-1") && !["6f-2", "6f-3", "anna"].into_iter().any(|other| agent.is(other)));
        assert_eq!(outline.consumer, Some("anna".into()));
        assert_eq!((outline.stage(), outline.skill_id()), (Some(&Stage::Open), Some(&"501".into())));
        assert_eq!((outline.start_time, outline.update_time), (Timestamp(1_000), Timestamp(2_000)));
    }
}
