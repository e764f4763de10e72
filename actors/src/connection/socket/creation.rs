//! Opens conversations one at a time, so that a lost response never leads to a second conversation.

use std::collections::{HashSet, VecDeque};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tertulia_core::{
    id::ConversationId,
    ums::{ConversationRequest, Request},
};

use super::{Connection, CreateConversation};
use crate::request::{Lane, Reply, RequestError};

/// The most waiting creations; beyond it a caller is refused.
const WAITING: usize = 64;

/// The requested conversations, in order.
#[derive(Default)]
pub(super) struct Creations(VecDeque<Creation>);

/// A requested conversation.
struct Creation {
    request: ConversationRequest,
    reply: Reply<ConversationId>,
    state: State,
}

enum State {
    Waiting,
    /// Requested; contains the conversations known at that time.
    Asked(HashSet<ConversationId>),
    /// The response was lost. The new conversation is the one that was not known at the time of the request.
    Unknown(HashSet<ConversationId>),
}

impl Connection {
    /// Continues with the first waiting creation.
    pub(super) fn create_next(&mut self, ctx: &mut Context<Self>) {
        if !self.linked {
            return;
        }
        let Some(creation) = self.creations.0.front_mut() else { return };
        match &creation.state {
            State::Asked(_) => return,
            State::Waiting => {}
            State::Unknown(known) => {
                let opened = self.roster.ids().find(|id| !known.contains(*id)).cloned();
                if let Some(id) = opened {
                    self.created(Ok(id), ctx);
                    return;
                }
            }
        }
        creation.state = State::Asked(self.roster.ids().cloned().collect());
        let request = Request::RequestConversation(creation.request.clone());
        let answer = self.ask_here(request, Lane::Command);
        ctx.spawn(answer.into_actor(self).map(|answer, connection, ctx| {
            let created = answer.and_then(|answer| answer.read(|response| response.conversation_created()));
            match created {
                Err(failure) if failure.is_outcome_unknown() => connection.creation_unknown(ctx),
                Err(RequestError::NotConnected) => connection.creation_waits(),
                outcome => connection.created(outcome, ctx),
            }
        }));
    }

    fn creation_unknown(&mut self, ctx: &mut Context<Self>) {
        if let Some(creation) = self.creations.0.front_mut()
            && let State::Asked(known) = &mut creation.state
        {
            creation.state = State::Unknown(std::mem::take(known));
        }
        self.create_next(ctx);
    }

    fn creation_waits(&mut self) {
        if let Some(creation) = self.creations.0.front_mut() {
            creation.state = State::Waiting;
        }
    }

    fn created(&mut self, outcome: Result<ConversationId, RequestError>, ctx: &mut Context<Self>) {
        if let Ok(id) = &outcome {
            // Callers may write to the conversation before its first state arrives (CV-I1).
            self.child(id);
        }
        if let Some(creation) = self.creations.0.pop_front() {
            let _ = creation.reply.send(outcome);
        }
        self.create_next(ctx);
    }

    pub(super) fn fail_creations(&mut self) {
        for creation in self.creations.0.drain(..) {
            let _ = creation.reply.send(Err(RequestError::NotConnected));
        }
    }
}

impl Handler<CreateConversation> for Connection {
    type Result = ();

    fn handle(&mut self, CreateConversation { request, reply }: CreateConversation, ctx: &mut Self::Context) {
        if self.creations.0.len() >= WAITING {
            let _ = reply.send(Err(RequestError::Overloaded));
            return;
        }
        self.creations.0.push_back(Creation { request, reply, state: State::Waiting });
        self.create_next(ctx);
    }
}
