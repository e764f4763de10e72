//! Sets the agent's state on each socket, and when a caller changes it ([CN-F9](crate::rules#cn-f9)).

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tertulia_core::{
    readiness::Part,
    refusal::{Lane, RequestType},
    ums::{AgentState, Request},
};

use super::{Connection, Login, SetAgentState, recovery_queue::Again};
use crate::{connection::connection_record::ConnectionRecord, request::RequestError};

impl Connection {
    fn agent_state_request(&self) -> Option<(AgentState, Request)> {
        self.principal.agent_id().and_then(|agent_id| self.availability.request(agent_id))
    }

    /// Uses what the previous run stored: the agent's state that a caller set replaces the configured state.
    pub(super) fn take_up_record(&mut self, record: ConnectionRecord) {
        if self.record.take_up(record) {
            self.context.store(self.record.change(&self.settings.id));
        }
        if let Some(state) = self.record.agent_state(self.settings.agent_state.as_ref()) {
            self.availability.set(state.clone());
        }
    }

    /// Sets the agent's state as it was before.
    pub(super) fn set_agent_state(&mut self, ctx: &mut Context<Self>) {
        let Some((agent_state, request)) = self.agent_state_request() else { return };
        let epoch = self.session.epoch();
        let answer = self.ask_here(request, Lane::Recovery);
        let stated = async move { answer.await?.read(|response| response.outcome().map(drop)) };
        ctx.spawn(stated.into_actor(self).map(move |outcome, connection, _| {
            if epoch == connection.session.epoch() {
                connection.agent_stated(agent_state, &outcome);
            }
        }));
    }

    fn agent_stated(&mut self, agent_state: AgentState, outcome: &Result<(), RequestError>) {
        match outcome {
            Ok(()) => {
                self.availability.confirm(agent_state);
                self.show_identity();
                self.part_works(Part::AgentState, RequestType::AgentState);
            }
            Err(failure) => {
                self.part_refused(Part::AgentState, RequestType::AgentState, failure, Again::AgentState);
            }
        }
    }
}

impl Handler<SetAgentState> for Connection {
    type Result = ();

    fn handle(&mut self, SetAgentState { agent_state, reply }: SetAgentState, ctx: &mut Self::Context) {
        if matches!(self.settings.login, Login::Consumer(_)) {
            let _ = reply.send(Err(RequestError::NotSupported("only an agent has a state")));
            return;
        }
        self.availability.set(agent_state.clone());
        self.record.set_agent_state(agent_state, self.settings.agent_state.clone());
        self.context.store(self.record.change(&self.settings.id));
        // The state is set after the next login.
        let Some((agent_state, request)) = self.agent_state_request() else {
            let _ = reply.send(Err(RequestError::NotConnected));
            return;
        };
        let epoch = self.session.epoch();
        let answer = self.ask_here(request, Lane::Command);
        let journal = Arc::clone(self.context.journal());
        let stated = async move {
            let stated = answer.await?.read(|response| response.outcome().map(drop));
            // A caller may rely on the state after a restart.
            journal.settled().await;
            stated
        };
        ctx.spawn(stated.into_actor(self).map(move |outcome, connection, _| {
            if epoch == connection.session.epoch() {
                connection.agent_stated(agent_state, &outcome);
            }
            let _ = reply.send(outcome);
        }));
    }
}
