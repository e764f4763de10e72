//! One participant of a dialog.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AgentId, UserId},
    ums::{ChatState, ParticipantRole, ParticipantStatus},
};

/// A participant of a dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// The consumer's id or the agent's public id. If the platform has not sent a public id, the agent id.
    pub user_id: UserId,
    /// The agent's id, sent only on brand sockets; consumers have none.
    pub agent_id: Option<AgentId>,
    /// The participant's role.
    pub role: ParticipantRole,
    /// Whether the participant has joined.
    pub state: ParticipantStatus,
    /// The participant's activity; [`ChatState::Active`] until one is received.
    pub chat_state: ChatState,
}

impl Participant {
    /// Returns whether the conversation is assigned to this participant; a suggested assignee counts too
    /// ([CV-M2](crate::rules#cv-m2)).
    #[must_use]
    pub fn is_assigned(&self) -> bool {
        self.role == ParticipantRole::AssignedAgent
    }

    /// Returns whether this is the user `id`, by user id or agent id.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        self.user_id == *id || self.agent_id.as_ref().is_some_and(|agent_id| agent_id == id)
    }

    /// Whether both are the same person.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.user_id == other.user_id || (self.agent_id.is_some() && self.agent_id == other.agent_id)
    }

    /// Returns the participant in the form of a removed one ([DG-N9](crate::rules#dg-n9)).
    pub(super) fn removed(&self) -> Self {
        Self { state: ParticipantStatus::Removed, ..self.clone() }
    }
}
