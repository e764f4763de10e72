//! Step-up: a consumer gets an identity that the brand vouches for, and keeps their open conversations
//! ([CA-4](crate::rules#ca-4), [CN-F17](crate::rules#cn-f17)).
//!
//! Until the platform grants the new token, nothing changes. Then a new socket is opened with the new token. The
//! conversations held at that moment stay until they were taken over, even if the new identity's snapshot lacks them.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::{StreamExt, stream};
use tertulia_core::{
    command::{CommandError, Identity, Refusal},
    id::{ConversationId, UserId},
    session::{ClosedBy, Closure, Epoch},
    ums::AnswerError,
};
use tokio::sync::oneshot;

use super::{Connection, ConnectionError, login::Credentials};
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

/// The new identity of the consumer, and the outcome for each conversation.
#[derive(Clone, Debug)]
pub struct SteppedUp {
    /// The new identity.
    pub user_id: UserId,
    /// The outcome for every conversation that was in memory.
    pub conversations: HashMap<ConversationId, Takeover>,
}

/// The outcome for a conversation in a step-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// It belongs to the new identity.
    Done,
    /// It has ended, so there is nothing to take over.
    Closed,
    /// It could not be taken over, and may still belong to the old identity.
    Failed(ConversationError),
}

/// Gives the connection's consumer an identity that the brand vouches for.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BeginStepUp {
    pub(crate) step_up: StepUp,
    pub(crate) reply: oneshot::Sender<Result<SteppedUp, ConnectionError>>,
}

/// A running step-up.
pub(super) struct SteppingUp {
    reply: oneshot::Sender<Result<SteppedUp, ConnectionError>>,
    stage: Stage,
    /// The conversations held when the identity changed.
    held: HashSet<ConversationId>,
    /// Those of them that the new identity's snapshot lacks.
    missing: HashSet<ConversationId>,
}

enum Stage {
    /// The new token was requested.
    Asked,
    /// The token is used when the connection is ready.
    Granted(ConsumerIdentity),
    /// Waits for the new socket. The socket of this attempt, if it still exists, is the last one of the old identity.
    Reconnecting(Option<Epoch>),
    /// The new identity is connected, and its conversations are being taken over.
    TakingOver,
}

impl Connection {
    /// Advances the step-up as far as possible now.
    pub(super) fn step_on(&mut self, ctx: &mut Context<Self>) {
        let may_send = self.linked;
        let Some(stepping) = &mut self.stepping_up else { return };
        match &stepping.stage {
            Stage::Granted(identity) if may_send => {
                let identity = identity.clone();
                stepping.stage = Stage::Reconnecting(Some(self.session.epoch()));
                stepping.held = self.roster.ids().cloned().collect();
                self.become_consumer(identity, ctx);
            }
            Stage::Reconnecting(old) if may_send && *old != Some(self.session.epoch()) => {
                stepping.stage = Stage::TakingOver;
                self.take_over(ctx);
            }
            Stage::Asked | Stage::Granted(_) | Stage::Reconnecting(_) | Stage::TakingOver => {}
        }
    }

    fn become_consumer(&mut self, identity: ConsumerIdentity, ctx: &mut Context<Self>) {
        self.credentials = Some(Credentials::Consumer(identity));
        self.forget_consumer();
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

    fn take_over(&mut self, ctx: &mut Context<Self>) {
        let Some(Identity::Consumer { user_id, .. }) = self.identity.as_deref().cloned() else {
            let unexpected = AnswerError::Unexpected("the profile does not tell who the consumer is".to_owned());
            return self.end_step_up(Err(RequestError::from(unexpected).into()));
        };
        let held = self.stepping_up.iter().flat_map(|stepping| &stepping.held);
        let handles: Vec<ConversationHandle> =
            held.filter_map(|id| self.process.directory.get(&self.settings.id, id)).collect();
        let consumer = user_id.clone();
        let takeovers = stream::iter(handles).map(move |conversation| take_over(conversation, consumer.clone()));
        let all = takeovers.buffer_unordered(TOGETHER).collect::<HashMap<_, _>>();
        ctx.spawn(all.into_actor(self).map(move |conversations, connection, _| {
            connection.end_step_up(Ok(SteppedUp { user_id, conversations }));
        }));
    }

    fn end_step_up(&mut self, outcome: Result<SteppedUp, ConnectionError>) {
        let Some(SteppingUp { reply, missing, .. }) = self.stepping_up.take() else { return };
        let mut left = missing;
        if let Ok(stepped_up) = &outcome {
            let done = stepped_up.conversations.iter().filter(|(_, outcome)| **outcome == Takeover::Done);
            for (conversation, _) in done {
                left.remove(conversation);
                // The platform may have refused the messages to the new identity until now, so the conversation catches
                // up. The result is not awaited. An unloaded conversation has received nothing since.
                if let Some(child) = self.roster.get(conversation) {
                    child.catch_up();
                }
            }
        }
        let now = self.now();
        for id in left {
            self.subscribed.state.leaves(&id, now);
        }
        let _ = reply.send(outcome);
    }

    /// Records that the snapshot lacks these conversations, and keeps the conversations that are being taken over.
    pub(super) fn keep_for_step_up(&mut self, missing: &mut Vec<ConversationId>) {
        if let Some(stepping) = &mut self.stepping_up {
            let kept = missing.extract_if(.., |id| stepping.held.contains(id));
            stepping.missing.extend(kept);
        }
    }

    pub(super) fn fail_step_up(&mut self) {
        self.end_step_up(Err(RequestError::NotConnected.into()));
    }

    /// The actor was restarted: the responses it waited for will not arrive, except the replies of the conversations.
    pub(super) fn restart_step_up(&mut self) {
        match self.stepping_up.as_mut().map(|stepping| &mut stepping.stage) {
            Some(Stage::Asked) => self.end_step_up(Err(RequestError::ConnectionLost.into())),
            // The session numbers its attempts from the beginning again, and the socket is gone.
            Some(stage @ (Stage::TakingOver | Stage::Reconnecting(_))) => *stage = Stage::Reconnecting(None),
            Some(Stage::Granted(_)) | None => {}
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
        let Some(Credentials::Consumer(present)) = self.credentials.clone() else {
            let _ = reply.send(Err(RequestError::NotConnected.into()));
            return;
        };
        if self.stepping_up.is_some() {
            let _ = reply.send(Err(ConnectionError::StepUpRunning));
            return;
        }
        let (held, missing) = (HashSet::new(), HashSet::new());
        self.stepping_up = Some(SteppingUp { reply, stage: Stage::Asked, held, missing });
        let client = self.client.clone();
        let asked = async move { client.stepped_up(&present, &step_up).await };
        ctx.spawn(asked.into_actor(self).map(|granted, connection, ctx| match granted {
            Ok(identity) => {
                if let Some(stepping) = &mut connection.stepping_up {
                    stepping.stage = Stage::Granted(identity);
                }
                connection.step_on(ctx);
            }
            Err(error) => {
                connection.note_error(&error);
                connection.end_step_up(Err(error.into()));
            }
        }));
    }
}
