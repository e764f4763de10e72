//! What is done to each conversation of a job.

use serde::{Deserialize, Serialize};
use tertulia_actors::{
    conversation::ConversationSummary,
    core::{
        command::Command,
        id::{AgentId, SkillId},
    },
};

/// What is done to each conversation of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "arguments", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Operation {
    /// It is closed.
    Close {
        /// Whether the survey begins where the account has one.
        survey: bool,
    },
    /// It is moved to an agent, a skill or both.
    Transfer {
        /// To whom.
        agent_id: Option<AgentId>,
        /// To which skill.
        skill_id: Option<SkillId>,
    },
}

impl Operation {
    /// Its name, also in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Close { .. } => "close",
            Self::Transfer { .. } => "transfer",
        }
    }

    /// As the conversation is asked.
    pub(super) fn command(&self) -> Command {
        match self {
            Self::Close { survey: true } => Command::Close,
            Self::Close { survey: false } => Command::CloseAtOnce,
            Self::Transfer { agent_id, skill_id } => {
                Command::Transfer { agent: agent_id.clone(), skill: skill_id.clone() }
            }
        }
    }

    /// Whether only an agent can do it.
    pub(super) fn is_for_agents(&self) -> bool {
        matches!(self, Self::Transfer { .. })
    }

    /// What it is called that a conversation was moved or closed by the job.
    pub(super) fn done(&self) -> &'static str {
        match self {
            Self::Close { .. } => "closed",
            Self::Transfer { .. } => "transferred",
        }
    }

    /// What it is called that nothing was to be done.
    pub(super) fn already(&self) -> &'static str {
        match self {
            Self::Close { .. } => "already-closed",
            Self::Transfer { .. } => "already-there",
        }
    }

    /// Whether a conversation is as the operation would have it. That of an agent is the conversation's own to tell,
    /// which knows the agent by all its ids.
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
