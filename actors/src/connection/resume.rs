//! The resume plan: what a connection does on each new socket before commands go out (architecture §3).
//!
//! In this order: subscriptions with their whole snapshot, the fate of conversations that are missing in it, rings,
//! the agent's state, and every open conversation's missing messages.

use std::cmp::Reverse;

use actix::{
    ActorFutureExt, Addr, AsyncContext, Context, Handler, MailboxError, Message, ResponseActFuture, ResponseFuture,
    WrapFuture,
};
use futures_util::future::join_all;
use tertulia_core::{
    command::Identity,
    session::Input,
    ums::{AgentStateRequest, ChannelType, ProfileQuery, Request, UserProfile},
};
use tokio::sync::oneshot;

use super::{Connection, Login, SetAgentState, children::Child};
use crate::{
    request::{Lane, RequestFailure},
    subscriber::EventData,
};

/// Why the plan cannot be finished on this socket.
#[derive(Debug, thiserror::Error)]
enum ResumeError {
    #[error("the connection could not be brought up to date: {0}")]
    Request(#[from] RequestFailure),
    #[error("the connection went away: {0}")]
    Gone(#[from] MailboxError),
}

/// Learns who this is: a consumer's own id is in its profile.
#[derive(Message)]
#[rtype(result = "Result<(), RequestFailure>")]
struct LearnIdentity;

/// Subscribes, takes the whole snapshot, and asks what became of conversations that are missing in it; answers how many
/// are in it.
#[derive(Message)]
#[rtype(result = "Result<usize, RequestFailure>")]
struct TakeSnapshot;

/// Asks for rings and sets the agent's state, as they were before.
#[derive(Message)]
#[rtype(result = "Result<(), RequestFailure>")]
struct RestoreAgent;

/// Has every conversation fetch what it missed; answers how many could not.
#[derive(Message)]
#[rtype(result = "Result<usize, RequestFailure>")]
struct FillGaps;

struct Outcome {
    conversations: usize,
    incomplete: usize,
}

async fn resume(connection: Addr<Connection>) -> Result<Outcome, ResumeError> {
    connection.send(LearnIdentity).await??;
    let conversations = connection.send(TakeSnapshot).await??;
    connection.send(RestoreAgent).await??;
    let incomplete = connection.send(FillGaps).await??;
    Ok(Outcome { conversations, incomplete })
}

impl Connection {
    pub(super) fn begin_resume(&mut self, attempt: u32, first: bool, ctx: &mut Context<Self>) {
        tracing::debug!(connection = %self.settings.id, attempt, first, "resuming");
        self.abandon_resume(ctx);
        let epoch = self.session.epoch();
        let before = self.filled();
        let plan = resume(ctx.address()).into_actor(self).map(move |outcome, connection, ctx| {
            connection.resume = None;
            match outcome {
                Ok(Outcome { conversations, incomplete }) => {
                    let filled = connection.filled().saturating_sub(before);
                    connection.publish(EventData::Resumed { conversations, filled, incomplete });
                    connection.feed_of(epoch, Input::Resumed, ctx);
                }
                Err(error) => {
                    connection.note_error(&error);
                    connection.feed_of(epoch, Input::ResumeFailed, ctx);
                }
            }
        });
        self.resume = Some(ctx.spawn(plan));
    }

    /// Messages that conversations fetched because they had been missed.
    fn filled(&self) -> u64 {
        self.upstream.as_ref().map_or(0, |upstream| upstream.filled.get())
    }

    pub(super) fn abandon_resume(&mut self, ctx: &mut Context<Self>) {
        if let Some(plan) = self.resume.take() {
            ctx.cancel_future(plan);
        }
        self.subscribed.state.abandon_plan();
    }
}

impl Handler<LearnIdentity> for Connection {
    type Result = ResponseActFuture<Self, Result<(), RequestFailure>>;

    fn handle(&mut self, _: LearnIdentity, _: &mut Self::Context) -> Self::Result {
        let needed = self.identity.is_none();
        let answer = needed.then(|| self.ask_here(Request::GetUserProfile(ProfileQuery::default()), Lane::Recovery));
        let learn = async move {
            match answer {
                Some(answer) => answer.await.map(Some),
                None => Ok(None),
            }
        };
        Box::pin(learn.into_actor(self).map(|answer, connection, _| {
            let Some(answer) = answer? else { return Ok(()) };
            answer.read(|response| {
                let body = response.outcome()?;
                if let Some(Ok(profile)) = body.map(|body| body.read::<UserProfile<'_>>()) {
                    connection.take_profile(&profile);
                }
                Ok(())
            })
        }))
    }
}

impl Handler<TakeSnapshot> for Connection {
    type Result = ResponseFuture<Result<usize, RequestFailure>>;

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) -> Self::Result {
        let own = match self.identity.as_deref() {
            Some(Identity::Brand { agent_id, .. }) => Some(agent_id),
            Some(Identity::Consumer { .. }) | None => None,
        };
        let query = self.settings.query(own);
        let now = self.now();
        let outputs = self.subscribed.state.resume(query, now);
        let (plan, taken) = oneshot::channel();
        self.subscribed.plan = Some(plan);
        self.carry_out_all(outputs);
        Box::pin(async move { taken.await.unwrap_or(Err(RequestFailure::ConnectionLost)) })
    }
}

impl Handler<RestoreAgent> for Connection {
    type Result = ResponseFuture<Result<(), RequestFailure>>;

    fn handle(&mut self, _: RestoreAgent, _: &mut Self::Context) -> Self::Result {
        self.subscribe_rings();
        let stated = self.state_agent(Lane::Recovery);
        Box::pin(async move {
            match stated {
                Some(stated) => stated.await,
                None => Ok(()),
            }
        })
    }
}

impl Handler<FillGaps> for Connection {
    type Result = ResponseFuture<Result<usize, RequestFailure>>;

    fn handle(&mut self, _: FillGaps, _: &mut Self::Context) -> Self::Result {
        // Those in which something happened last have their turn first.
        let mut children: Vec<&Child> = self.children.values().collect();
        children.sort_unstable_by_key(|child| Reverse(child.used()));
        let filled: Vec<_> = children.into_iter().map(Child::catch_up).collect();
        Box::pin(async move {
            let outcomes = join_all(filled).await;
            // A conversation that went away meanwhile has nothing left to fetch.
            Ok(outcomes.into_iter().filter(|outcome| matches!(outcome, Ok(false))).count())
        })
    }
}

impl Connection {
    fn state_agent(&mut self, lane: Lane) -> Option<impl Future<Output = Result<(), RequestFailure>> + use<>> {
        let Some(Identity::Brand { agent_id, .. }) = self.identity.as_deref() else { return None };
        let availability = self.agent_state.clone()?;
        let request = Request::SetAgentState(AgentStateRequest {
            availability,
            channels: vec![ChannelType::Messaging],
            agent_user_id: agent_id.clone(),
        });
        let answer = self.ask_here(request, lane);
        Some(async move { answer.await?.read(|response| response.outcome().map(drop)) })
    }
}

impl Handler<SetAgentState> for Connection {
    type Result = ();

    fn handle(&mut self, SetAgentState { agent_state, reply }: SetAgentState, ctx: &mut Self::Context) {
        if matches!(self.settings.login, Login::Consumer(_)) {
            let _ = reply.send(Err(RequestFailure::NotSupported("only an agent has a state")));
            return;
        }
        self.agent_state = Some(agent_state);
        match self.state_agent(Lane::Command) {
            Some(stated) => {
                ctx.spawn(stated.into_actor(self).map(|outcome, _, _| {
                    let _ = reply.send(outcome);
                }));
            }
            // It is set with the next login.
            None => {
                let _ = reply.send(Err(RequestFailure::NotConnected));
            }
        }
    }
}
