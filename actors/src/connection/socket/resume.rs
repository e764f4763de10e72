//! The resume plan: what a connection does on each new socket.
//!
//! First come the subscriptions with their complete snapshots, which show the conversations of the connection. Then all
//! other parts run concurrently: rings, the agent's state, the state of conversations that the snapshots lack, and
//! every open conversation's missing messages. A conversation's sends go out when its own messages are up to date.

use std::{cmp::Reverse, sync::Arc};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tertulia_core::{
    command::Identity,
    id::ConversationId,
    readiness::Part,
    refusal::{Lane, RequestType},
    session::{Epoch, Input, Phase},
    ums::{AgentStateRequest, ChannelType, ConversationQuery, ProfileQuery, Request, UserProfile},
};

use super::{Connection, Login, SetAgentState, recovery::Again};
use crate::{request::RequestError, subscriber::EventData};

/// The resume plan of the present socket.
pub(super) struct Resuming {
    epoch: Epoch,
    /// The number of missed messages fetched before.
    filled_before: u64,
    /// The number of conversations in the snapshots.
    conversations: usize,
}

/// The resume plan may continue: a snapshot is complete, or nothing is waited for any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum PlanStep {
    SnapshotWhole { epoch: Epoch, conversations: usize },
    GoesOn { epoch: Epoch },
}

impl Connection {
    pub(super) fn begin_resume(&mut self, attempt: u32, first: bool, ctx: &mut Context<Self>) {
        tracing::debug!(connection = %self.settings.id, attempt, first, "resuming");
        let (epoch, filled_before) = (self.session.epoch(), self.roster.filled());
        self.resuming = Some(Resuming { epoch, filled_before, conversations: 0 });
        self.lacks_socket();
        self.learn_identity(ctx);
    }

    /// Reads the connection's identity: a consumer's own id is in its profile. Subscribes when the identity is durable,
    /// because the next run of the process could not continue a conversation of an identity that was not stored.
    pub(super) fn learn_identity(&mut self, ctx: &mut Context<Self>) {
        if self.identity.is_some() {
            return self.subscribe_all();
        }
        let epoch = self.session.epoch();
        let answer = self.ask_here(Request::GetUserProfile(ProfileQuery::default()), Lane::Recovery);
        let learning = answer.into_actor(self).then(move |answer, connection, _| {
            let learnt = answer.and_then(|answer| {
                answer.read(|response| {
                    let body = response.outcome()?;
                    if epoch == connection.session.epoch()
                        && let Some(Ok(profile)) = body.map(|body| body.read::<UserProfile<'_>>())
                    {
                        connection.take_profile(&profile);
                    }
                    Ok(())
                })
            });
            let journal = Arc::clone(connection.process.routing.journal());
            let stored = async move {
                journal.settled().await;
                learnt
            };
            stored.into_actor(connection)
        });
        ctx.spawn(learning.map(move |learnt, connection, _| {
            if epoch != connection.session.epoch() {
                return;
            }
            match learnt {
                Ok(()) => connection.subscribe_all(),
                Err(failure) => {
                    connection.part_refused(Part::Subscriptions, RequestType::Other, &failure, Again::Identity);
                }
            }
        }));
    }

    /// The connection's own subscription, if it has one.
    pub(super) fn own_query(&self) -> Option<ConversationQuery> {
        let own = match self.identity.as_deref() {
            Some(Identity::Brand { agent_id, .. }) => Some(agent_id),
            Some(Identity::Consumer { .. }) | None => None,
        };
        self.settings.query(own)
    }

    fn subscribe_all(&mut self) {
        let query = self.own_query();
        let outputs = self.subscribed.state.resume(query);
        self.carry_out_all(outputs);
    }

    /// The snapshots are complete: `missing` are known conversations that no snapshot contains. The plan continues when
    /// the states were passed on.
    pub(super) fn snapshot_whole(&mut self, missing: &[ConversationId], conversations: usize) {
        self.subscribed.unsettled = missing.iter().cloned().collect();
        let epoch = self.session.epoch();
        self.step(PlanStep::SnapshotWhole { epoch, conversations });
    }

    /// Continues the plan if possible.
    pub(super) fn step_plan(&self) {
        let is_due = if self.linked {
            self.resuming.is_some() && self.readiness.is_passed()
        } else {
            self.session.phase().is_open() && self.readiness.goes_on_without(Part::Subscriptions)
        };
        if is_due {
            self.step(PlanStep::GoesOn { epoch: self.session.epoch() });
        }
    }

    fn step(&self, step: PlanStep) {
        self.me.do_send(step);
    }

    /// All conversations catch up, and commands may be sent: in each conversation when it has caught up.
    fn link(&mut self, ctx: &mut Context<Self>) {
        let was_linked = std::mem::replace(&mut self.linked, true);
        self.catch_up_all();
        if !was_linked {
            if let Some(identity) = &self.identity {
                self.roster.tell_ready(identity);
            }
            self.create_next(ctx);
            self.step_on(ctx);
            let refreshes = self.subscribed.state.ready(true);
            self.carry_out_all(refreshes);
            self.subscribe_rings();
            self.set_agent_state(ctx);
        }
        self.tell_lacking();
    }

    /// Makes every conversation fetch what it missed, beginning with the most recently updated. Each decides itself
    /// whether that is urgent and since when it waits.
    fn catch_up_all(&mut self) {
        let mut all: Vec<_> = self.roster.children().filter(|(_, child)| !child.is_quarantined()).collect();
        all.sort_unstable_by_key(|(_, child)| Reverse(child.used()));
        for (id, child) in all {
            self.readiness.history_wanted(id);
            if !self.subscribed.unsettled.contains(id) {
                child.catch_up();
            }
        }
    }

    /// The state of a conversation that the snapshots lacked is known.
    pub(super) fn settled(&mut self, id: &ConversationId) {
        self.subscribed.unsettled.remove(id);
        match self.roster.get(id).filter(|child| !child.is_quarantined()) {
            Some(child) => child.catch_up(),
            None => self.readiness.history_done(id),
        }
        self.tell_lacking();
    }

    fn plan_passed(&mut self, ctx: &mut Context<Self>) {
        let Some(Resuming { epoch, filled_before, conversations }) = self.resuming.take() else { return };
        let filled = self.roster.filled().saturating_sub(filled_before);
        let incomplete = self.readiness.refused_now().histories;
        self.publish(EventData::Resumed { conversations, filled, incomplete });
        self.feed_of(epoch, Input::Resumed, ctx);
    }

    fn agent_state_request(&self) -> Option<Request> {
        let Some(Identity::Brand { agent_id, .. }) = self.identity.as_deref() else { return None };
        let availability = self.agent_state.clone()?;
        Some(Request::SetAgentState(AgentStateRequest {
            availability,
            channels: vec![ChannelType::Messaging],
            agent_user_id: agent_id.clone(),
        }))
    }

    /// Sets the agent's state as it was before.
    pub(super) fn set_agent_state(&mut self, ctx: &mut Context<Self>) {
        let Some(request) = self.agent_state_request() else { return };
        let epoch = self.session.epoch();
        let answer = self.ask_here(request, Lane::Recovery);
        let stated = async move { answer.await?.read(|response| response.outcome().map(drop)) };
        ctx.spawn(stated.into_actor(self).map(move |outcome, connection, _| {
            if epoch == connection.session.epoch() {
                connection.agent_stated(&outcome);
            }
        }));
    }

    fn agent_stated(&mut self, outcome: &Result<(), RequestError>) {
        match outcome {
            Ok(()) => self.part_stands(Part::AgentState, RequestType::AgentState),
            Err(failure) => {
                self.part_refused(Part::AgentState, RequestType::AgentState, failure, Again::AgentState);
            }
        }
    }
}

impl Handler<PlanStep> for Connection {
    type Result = ();

    fn handle(&mut self, step: PlanStep, ctx: &mut Self::Context) {
        let (PlanStep::SnapshotWhole { epoch, .. } | PlanStep::GoesOn { epoch }) = step;
        if epoch != self.session.epoch() || !matches!(self.session.phase(), Phase::Resuming | Phase::Ready) {
            return;
        }
        match step {
            PlanStep::SnapshotWhole { conversations, .. } => {
                if let Some(resuming) = &mut self.resuming {
                    resuming.conversations = conversations;
                }
                self.snapshot_taken = true;
                self.readiness.stands(Part::Subscriptions);
                self.link(ctx);
            }
            PlanStep::GoesOn { .. } if !self.linked => self.link(ctx),
            PlanStep::GoesOn { .. } if self.readiness.is_passed() => self.plan_passed(ctx),
            PlanStep::GoesOn { .. } => {}
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
        self.agent_state = Some(agent_state);
        // The state is set after the next login.
        let Some(request) = self.agent_state_request() else {
            let _ = reply.send(Err(RequestError::NotConnected));
            return;
        };
        let epoch = self.session.epoch();
        let answer = self.ask_here(request, Lane::Command);
        let stated = async move { answer.await?.read(|response| response.outcome().map(drop)) };
        ctx.spawn(stated.into_actor(self).map(move |outcome, connection, _| {
            if epoch == connection.session.epoch() {
                connection.agent_stated(&outcome);
            }
            let _ = reply.send(outcome);
        }));
    }
}
