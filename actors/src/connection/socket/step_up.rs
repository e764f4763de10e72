//! Step-up: a consumer gets an identity that the brand vouches for, and keeps their open conversations
//! ([CA-4](crate::rules#ca-4), [CN-F17](crate::rules#cn-f17)).
//!
//! Until the platform grants the new token, nothing changes. Then a new socket is opened with the new token. The
//! conversations held at that moment stay until they were taken over, even if the new identity's snapshot lacks them.

use std::{collections::HashMap, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::{StreamExt, stream};
use tertulia_core::{
    command::{CommandError, Refusal},
    id::{ConversationId, UserId},
    session::{ClosedBy, Closure},
    ums::AnswerError,
};

use super::{
    Connection, ConnectionError,
    principal::Credentials,
    step_up_progress::{StepUpReply, StepUpTask, SteppedUp, Takeover},
};
use crate::{
    conversation::{ConversationError, ConversationHandle},
    platform::{ConsumerIdentity, StepUp},
    request::RequestError,
};

/// The close code of a socket that is no longer needed.
const NORMAL: u16 = 1000;
/// How long the platform may take to close the old socket.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);
/// The most conversations that are taken over at the same time.
const TOGETHER: usize = 32;

/// Gives the connection's consumer an identity that the brand vouches for.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BeginStepUp {
    pub(crate) step_up: StepUp,
    pub(crate) reply: StepUpReply,
}

impl Connection {
    /// Advances the step-up as far as possible now.
    pub(super) fn step_on(&mut self, ctx: &mut Context<Self>) {
        if !self.plan.is_linked() {
            return;
        }
        match self.step_up.next(self.session.epoch(), self.roster.ids()) {
            Some(StepUpTask::Become(identity)) => self.become_consumer(identity, ctx),
            Some(StepUpTask::TakeOver(held)) => self.take_over(&held, ctx),
            None => {}
        }
    }

    fn become_consumer(&mut self, identity: ConsumerIdentity, ctx: &mut Context<Self>) {
        self.principal.change_consumer(Some(identity));
        self.store_identity();
        self.roster.tell_lost();
        self.link.close(NORMAL);
        let epoch = self.session.epoch();
        ctx.run_later(CLOSED_WITHIN, move |connection, ctx| {
            if epoch == connection.session.epoch() && connection.session.phase().is_open() {
                connection.socket_closed(Closure { by: ClosedBy::Us, code: Some(NORMAL) }, None, ctx);
            }
        });
    }

    fn take_over(&mut self, held: &[ConversationId], ctx: &mut Context<Self>) {
        let Some(user_id) = self.principal.consumer_id().cloned() else {
            let unexpected = AnswerError::Unexpected("the profile does not tell who the consumer is".to_owned());
            return self.end_step_up(Err(RequestError::from(unexpected).into()));
        };
        let directory = &self.context.process.directory;
        let handles: Vec<ConversationHandle> =
            held.iter().filter_map(|id| directory.get(&self.settings.id, id)).collect();
        let consumer = user_id.clone();
        let takeovers = stream::iter(handles).map(move |conversation| take_over(conversation, consumer.clone()));
        let all = takeovers.buffer_unordered(TOGETHER).collect::<HashMap<_, _>>();
        ctx.spawn(all.into_actor(self).map(move |conversations, connection, _| {
            connection.end_step_up(Ok(SteppedUp { user_id, conversations }));
        }));
    }

    fn end_step_up(&mut self, outcome: Result<SteppedUp, ConnectionError>) {
        let Some((reply, mut left)) = self.step_up.end() else { return };
        if let Ok(stepped_up) = &outcome {
            let done = stepped_up.conversations.iter().filter(|(_, outcome)| **outcome == Takeover::Done);
            for (conversation, _) in done {
                left.remove(conversation);
                // The platform may have refused the messages to the new identity until now, so the conversation catches
                // up. The result is not awaited. An unloaded conversation has received nothing since.
                self.roster.catch_up(conversation);
            }
        }
        let now = self.now();
        for id in left {
            self.subscriptions.leaves(&id, now);
        }
        let _ = reply.send(outcome);
    }

    pub(super) fn fail_step_up(&mut self) {
        self.end_step_up(Err(RequestError::NotConnected.into()));
    }

    pub(super) fn restart_step_up(&mut self) {
        if self.step_up.restart() {
            self.end_step_up(Err(RequestError::ConnectionLost.into()));
        }
    }
}

async fn take_over(conversation: ConversationHandle, consumer: UserId) -> (ConversationId, Takeover) {
    let outcome = match conversation.consumer_takeover(consumer).await {
        Ok(_) => Takeover::Done,
        Err(ConversationError::Invalid(CommandError { refusal: Refusal::SameConsumer, .. })) => Takeover::Done,
        Err(ConversationError::Invalid(CommandError { refusal: Refusal::NoOpenDialog, .. })) => Takeover::Closed,
        Err(failure) => Takeover::Failed(failure),
    };
    (conversation.id().clone(), outcome)
}

impl Handler<BeginStepUp> for Connection {
    type Result = ();

    fn handle(&mut self, BeginStepUp { step_up, reply }: BeginStepUp, ctx: &mut Context<Self>) {
        let Some(Credentials::Consumer(present)) = self.principal.credentials().cloned() else {
            let _ = reply.send(Err(RequestError::NotConnected.into()));
            return;
        };
        if self.step_up.is_running() {
            let _ = reply.send(Err(ConnectionError::StepUpRunning));
            return;
        }
        self.step_up.begin(reply);
        let client = self.context.client.clone();
        let asked = async move { client.stepped_up(&present, &step_up).await };
        ctx.spawn(asked.into_actor(self).map(|granted, connection, ctx| match granted {
            Ok(identity) => {
                connection.step_up.granted(identity);
                connection.step_on(ctx);
            }
            Err(error) => {
                connection.context.note_error(&error);
                connection.end_step_up(Err(error.into()));
            }
        }));
    }
}
