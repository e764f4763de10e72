//! Opens conversations one at a time, so that a lost response never leads to a second conversation.

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tertulia_core::{id::ConversationId, ums::Request};

use super::{Connection, CreateConversation, creation_queue::NextCreation};
use crate::request::{Lane, RequestError};

impl Connection {
    /// Continues with the first waiting creation.
    pub(super) fn create_next(&mut self, ctx: &mut Context<Self>) {
        if !self.plan.is_linked() {
            return;
        }
        let roster = &self.roster;
        let request = match self.creations.next(|| roster.ids()) {
            Some(NextCreation::Request(request)) => request,
            Some(NextCreation::Opened(id)) => return self.created(Ok(id), ctx),
            None => return,
        };
        let answer = self.ask_here(Request::RequestConversation(request), Lane::Command);
        ctx.spawn(answer.into_actor(self).map(|answer, connection, ctx| {
            let created = answer.and_then(|answer| answer.read(|response| response.conversation_created()));
            match created {
                Err(failure) if failure.is_outcome_unknown() => {
                    connection.creations.response_lost();
                    connection.create_next(ctx);
                }
                Err(RequestError::NotConnected) => connection.creations.not_sent(),
                outcome => connection.created(outcome, ctx),
            }
        }));
    }

    fn created(&mut self, outcome: Result<ConversationId, RequestError>, ctx: &mut Context<Self>) {
        if let Ok(id) = &outcome {
            // Callers may write to the conversation before its first state arrives (CV-I1).
            self.child(id);
        }
        if let Some(reply) = self.creations.take_first() {
            let _ = reply.send(outcome);
        }
        self.create_next(ctx);
    }

    pub(super) fn fail_creations(&mut self) {
        while let Some(reply) = self.creations.take_first() {
            let _ = reply.send(Err(RequestError::NotConnected));
        }
    }
}

impl Handler<CreateConversation> for Connection {
    type Result = ();

    fn handle(&mut self, CreateConversation { request, reply }: CreateConversation, ctx: &mut Self::Context) {
        if self.creations.is_full() {
            let _ = reply.send(Err(RequestError::Overloaded));
            return;
        }
        self.creations.push(request, reply);
        self.create_next(ctx);
    }
}
