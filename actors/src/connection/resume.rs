//! The resume plan: what a connection does on each new socket before commands go out (architecture §3).
//!
//! In this order: subscriptions with their whole snapshot, the fate of conversations that are missing in it, rings,
//! the agent's state, and every open conversation's missing messages.

use std::{cmp::Reverse, collections::HashSet};

use actix::{
    ActorFutureExt, Addr, AsyncContext, Context, Handler, MailboxError, Message, MessageResult, ResponseActFuture,
    ResponseFuture, WrapFuture,
};
use futures_util::future::join_all;
use tertulia_core::{
    command::Identity,
    id::ConversationId,
    session::Input,
    ums::{AgentStateRequest, ChannelType, ProfileQuery, Request, UserProfile},
};
use tokio::sync::oneshot;

use super::{Connection, SetAgentState, children::Child, refresh::question, subscriptions::Life};
use crate::{
    request::{Lane, RequestFailure},
    subscriber::EventData,
};

/// Conversations whose fate is asked for at the same time.
const SETTLED_TOGETHER: usize = 32;

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

/// Subscribes and takes the whole snapshot.
#[derive(Message)]
#[rtype(result = "Result<Vec<ConversationId>, RequestFailure>")]
struct TakeSnapshot;

/// Answers the conversations that are known here and missing in the snapshot.
#[derive(Message)]
#[rtype(result = "Vec<ConversationId>")]
struct FindMissing(HashSet<ConversationId>);

/// Asks what became of conversations; they leave memory after it.
#[derive(Message)]
#[rtype(result = "Result<(), RequestFailure>")]
struct Settle(Vec<ConversationId>);

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
    let snapshot: HashSet<ConversationId> = connection.send(TakeSnapshot).await??.into_iter().collect();
    let conversations = snapshot.len();
    for some in connection.send(FindMissing(snapshot)).await?.chunks(SETTLED_TOGETHER) {
        connection.send(Settle(some.to_vec())).await??;
    }
    connection.send(RestoreAgent).await??;
    let incomplete = connection.send(FillGaps).await??;
    Ok(Outcome { conversations, incomplete })
}

impl Connection {
    pub(super) fn begin_resume(&mut self, attempt: u32, first: bool, ctx: &mut Context<Self>) {
        tracing::debug!(connection = %self.settings.id, attempt, first, "resuming");
        self.abandon_resume(ctx);
        let epoch = self.session.epoch();
        let plan = resume(ctx.address()).into_actor(self).map(move |outcome, connection, ctx| {
            connection.resume = None;
            match outcome {
                Ok(Outcome { conversations, incomplete }) => {
                    connection.publish(EventData::Resumed { conversations, incomplete });
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

    pub(super) fn abandon_resume(&mut self, ctx: &mut Context<Self>) {
        if let Some(plan) = self.resume.take() {
            ctx.cancel_future(plan);
        }
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
    type Result = ResponseFuture<Result<Vec<ConversationId>, RequestFailure>>;

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) -> Self::Result {
        let own = match self.identity.as_deref() {
            Some(Identity::Brand { agent_id, .. }) => Some(agent_id),
            Some(Identity::Consumer { .. }) | None => None,
        };
        let query = self.settings.query(own);
        let (reply, snapshot) = oneshot::channel();
        self.subscribe(query, Life::standing(None), reply);
        let wished = self.subscribe_as_wished();
        Box::pin(async move {
            let mut snapshot = snapshot.await.unwrap_or(Err(RequestFailure::ConnectionLost))?;
            for more in join_all(wished).await {
                match more.unwrap_or(Err(RequestFailure::ConnectionLost)) {
                    Ok(more) => snapshot.extend(more),
                    // What the platform grants no more cannot be waited for.
                    Err(RequestFailure::Answer(_)) => {}
                    Err(failure) => return Err(failure),
                }
            }
            Ok(snapshot)
        })
    }
}

impl Handler<FindMissing> for Connection {
    type Result = MessageResult<FindMissing>;

    fn handle(&mut self, FindMissing(snapshot): FindMissing, _: &mut Self::Context) -> Self::Result {
        let mut missing = self.known().filter(|id| !snapshot.contains(*id)).cloned().collect();
        self.keep_for_step_up(&mut missing);
        MessageResult(missing)
    }
}

impl Handler<Settle> for Connection {
    type Result = ResponseActFuture<Self, Result<(), RequestFailure>>;

    fn handle(&mut self, Settle(missing): Settle, _: &mut Self::Context) -> Self::Result {
        let states = missing.clone().into_iter().map(|id| {
            let (reply, answer) = oneshot::channel();
            self.subscribe(question(id), Life::QUESTION, reply);
            answer
        });
        let answers = join_all(states.collect::<Vec<_>>());
        Box::pin(answers.into_actor(self).map(move |answers, connection, _| {
            for id in &missing {
                // What was taken for the snapshot may have been a change that overtook it: then the snapshot itself has
                // told meanwhile who is still there, or will.
                if !connection.subscriptions.has(id) {
                    connection.leaves_soon(id);
                }
            }
            answers.into_iter().try_for_each(|answer| match answer.unwrap_or(Err(RequestFailure::ConnectionLost)) {
                // What this login may not see any more has no state to be had; it leaves without one.
                Ok(_) | Err(RequestFailure::Answer(_)) => Ok(()),
                Err(failure) => Err(failure),
            })
        }))
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
