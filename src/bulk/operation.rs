//! The operation of a job.

use serde::{Deserialize, Serialize};
use tertulia_actors::{
    conversation::ConversationSummary,
    core::{
        command::Command,
        id::{AgentId, SkillId},
    },
};

/// The operation on each conversation of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "arguments", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Operation {
    /// Close the conversation.
    Close {
        /// Whether the survey starts if the account has one.
        survey: bool,
    },
    /// Transfer the conversation to an agent, a skill or both.
    Transfer {
        /// The agent.
        agent_id: Option<AgentId>,
        /// The skill.
        skill_id: Option<SkillId>,
    },
}

impl Operation {
    /// The name, also used in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Close { .. } => "close",
            Self::Transfer { .. } => "transfer",
        }
    }

    /// The command for a conversation.
    pub(super) fn command(&self) -> Command {
        match self {
            Self::Close { survey: true } => Command::Close,
            Self::Close { survey: false } => Command::CloseAtOnce,
            Self::Transfer { agent_id, skill_id } => {
                Command::Transfer { agent: agent_id.clone(), skill: skill_id.clone() }
            }
        }
    }

    /// Whether only agents can run the operation.
    pub(super) fn is_for_agents(&self) -> bool {
        matches!(self, Self::Transfer { .. })
    }

    /// The code of an item whose conversation the job changed.
    pub(super) fn done(&self) -> &'static str {
        match self {
            Self::Close { .. } => "closed",
            Self::Transfer { .. } => "transferred",
        }
    }

    /// The code of an item that needed no change.
    pub(super) fn already(&self) -> &'static str {
        match self {
            Self::Close { .. } => "already-closed",
            Self::Transfer { .. } => "already-there",
        }
    }

    /// Whether a conversation is already in the wanted state. For a transfer to an agent, only the conversation itself
    /// can tell, because it knows all ids of the agent.
    pub(super) fn shows_in(&self, summary: &ConversationSummary) -> bool {
        match self {
            Self::Close { .. } => !summary.is_open(),
            Self::Transfer { agent_id: None, skill_id: Some(skill) } => {
                summary.is_open() && summary.outline.skill_id() == Some(skill)
            }
            Self::Transfer { .. } => false,
        }
    }
}
