//! The agent's state that the connection sets on each socket.

use tertulia_core::{
    id::AgentId,
    ums::{AgentState, AgentStateRequest, ChannelType, Request},
};

/// The agent's state that the connection sets on each socket, if any.
pub(super) struct Availability {
    wanted: Option<AgentState>,
    /// The state that the platform confirmed on the current socket.
    confirmed: Option<AgentState>,
}

impl Availability {
    pub(super) fn new(state: Option<AgentState>) -> Self {
        Self { wanted: state, confirmed: None }
    }

    pub(super) fn is_set(&self) -> bool {
        self.wanted.is_some()
    }

    pub(super) fn set(&mut self, state: AgentState) {
        self.wanted = Some(state);
    }

    /// The platform has set the state.
    pub(super) fn confirm(&mut self, state: AgentState) {
        self.confirmed = Some(state);
    }

    pub(super) fn confirmed(&self) -> Option<&AgentState> {
        self.confirmed.as_ref()
    }

    /// Forgets the confirmed state, because an agent without a socket has none.
    pub(super) fn socket_lost(&mut self) {
        self.confirmed = None;
    }

    /// Returns the state to set, and the request that sets the state of `agent_id`.
    pub(super) fn request(&self, agent_id: &AgentId) -> Option<(AgentState, Request)> {
        let state = self.wanted.clone()?;
        let (channels, agent_user_id) = (vec![ChannelType::Messaging], agent_id.clone());
        let request = AgentStateRequest { availability: state.clone(), channels, agent_user_id };
        Some((state, Request::SetAgentState(request)))
    }
}
