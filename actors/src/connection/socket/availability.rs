//! The agent's state that the connection sets on each socket.

use tertulia_core::{
    id::AgentId,
    ums::{AgentState, AgentStateRequest, ChannelType, Request},
};

/// The agent's state that the connection sets on each socket, if any.
pub(super) struct Availability(Option<AgentState>);

impl Availability {
    pub(super) fn new(state: Option<AgentState>) -> Self {
        Self(state)
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn set(&mut self, state: AgentState) {
        self.0 = Some(state);
    }

    /// Returns the request that sets the state of `agent_id`.
    pub(super) fn request(&self, agent_id: &AgentId) -> Option<Request> {
        let availability = self.0.clone()?;
        let (channels, agent_user_id) = (vec![ChannelType::Messaging], agent_id.clone());
        Some(Request::SetAgentState(AgentStateRequest { availability, channels, agent_user_id }))
    }
}
