//! Step-up: a consumer becomes somebody the brand vouches for, and takes their open conversations along
//! ([CA-4](crate::rules#ca-4), [CN-F17](crate::rules#cn-f17)).
//!
//! Until the platform grants the new token, everything stays as it was. Then the socket is opened anew with it. What is
//! held at that moment is kept until it was taken over, also where the new identity's snapshot does not tell of it.

use std::{collections::HashSet, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::{StreamExt, stream};
use tertulia_core::{
    command::{CommandError, Identity, Refusal},
    id::{ConversationId, UserId},
    session::{ClosedBy, Closure, Epoch},
    ums::AnswerError,
};
use tokio::sync::oneshot;

use super::{Connection, login::Credentials};
use crate::{
    conversation::{CommandFailure, ConversationHandle},
    platform::{ConsumerIdentity, HttpError, StepUp},
    request::RequestFailure,
};

/// The close code of a socket that is not needed any more.
const NORMAL: u16 = 1000;
/// How long the platform may take to close the old socket.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);
/// Conversations that are taken over at the same time.
const TOGETHER: usize = 32;

/// Who the consumer is now, and what became of their conversations.
#[derive(Clone, Debug)]
pub struct SteppedUp {
    /// The new identity.
    pub user_id: UserId,
    /// Every conversation that was in memory, in no order to rely on.
    pub conversations: Vec<TakenOver>,
}

/// What became of one conversation in a step-up.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// Which one.
    pub conversation: ConversationId,
    /// What became of it.
    pub outcome: Takeover,
}

/// What became of a conversation in a step-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// It is the new identity's.
    Done,
    /// It has ended: there is nothing to take over.
    Closed,
    /// It could not be taken over, and may still be the old identity's.
    Failed(CommandFailure),
}

/// Why a consumer did not step up.
#[derive(Debug, thiserror::Error)]
pub enum StepUpError {
    /// Only consumers step up.
    #[error("only a consumer can step up")]
    NotAConsumer,
    /// Another step-up of the same connection is under way.
    #[error("a step-up is already running")]
    UnderWay,
    /// The platform did not grant the new identity; the old one goes on.
    #[error(transparent)]
    Login(#[from] HttpError),
    /// The connection is not there, or does not come back with the new identity.
    #[error(transparent)]
    Request(#[from] RequestFailure),
}

/// Makes the connection's consumer somebody the brand vouches for.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BeginStepUp {
    pub(crate) step_up: StepUp,
    pub(crate) reply: oneshot::Sender<Result<SteppedUp, StepUpError>>,
}

/// A step-up under way.
pub(super) struct SteppingUp {
    reply: oneshot::Sender<Result<SteppedUp, StepUpError>>,
    stage: Stage,
    /// What was held when the identity changed.
    held: HashSet<ConversationId>,
    /// What of it the new identity's snapshot does not tell of.
    missing: HashSet<ConversationId>,
}

enum Stage {
    /// The platform is asked for the new token.
    Asked,
    /// The token waits for the connection to be ready.
    Granted(ConsumerIdentity),
    /// The socket of this attempt, if there still is one, is the old identity's last one.
    Reconnecting(Option<Epoch>),
    /// The new identity is there, and its conversations are on their way to it.
    TakingOver,
}

impl Connection {
    /// Goes on with the step-up as far as it can go now.
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
            return self.end_step_up(Err(RequestFailure::from(unexpected).into()));
        };
        let held = self.stepping_up.iter().flat_map(|stepping| &stepping.held);
        let handles: Vec<ConversationHandle> =
            held.filter_map(|id| self.around.directory.get(&self.settings.id, id)).collect();
        let consumer = user_id.clone();
        let takeovers = stream::iter(handles).map(move |conversation| take_over(conversation, consumer.clone()));
        let all = takeovers.buffer_unordered(TOGETHER).collect::<Vec<TakenOver>>();
        ctx.spawn(all.into_actor(self).map(move |conversations, connection, _| {
            connection.end_step_up(Ok(SteppedUp { user_id, conversations }));
        }));
    }

    fn end_step_up(&mut self, outcome: Result<SteppedUp, StepUpError>) {
        let Some(SteppingUp { reply, missing, .. }) = self.stepping_up.take() else { return };
        let mut left = missing;
        if let Ok(stepped_up) = &outcome {
            for TakenOver { conversation, .. } in stepped_up.conversations.iter().filter(|one| one.is_done()) {
                left.remove(conversation);
                // The platform may have refused the new identity its messages until now. Nobody waits for the end. One that
                // sleeps was told of nothing since.
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

    /// Notes that the snapshot does not tell of these conversations, and keeps those that are being taken over.
    pub(super) fn keep_for_step_up(&mut self, missing: &mut Vec<ConversationId>) {
        if let Some(stepping) = &mut self.stepping_up {
            let kept = missing.extract_if(.., |id| stepping.held.contains(id));
            stepping.missing.extend(kept);
        }
    }

    pub(super) fn fail_step_up(&mut self) {
        self.end_step_up(Err(RequestFailure::NotConnected.into()));
    }

    /// The actor begins a new life: what it waited for will not come, except the conversations' own answers.
    pub(super) fn restart_step_up(&mut self) {
        match self.stepping_up.as_mut().map(|stepping| &mut stepping.stage) {
            Some(Stage::Asked) => self.end_step_up(Err(RequestFailure::ConnectionLost.into())),
            // Its epochs begin anew, and its socket is gone.
            Some(stage @ (Stage::TakingOver | Stage::Reconnecting(_))) => *stage = Stage::Reconnecting(None),
            Some(Stage::Granted(_)) | None => {}
        }
    }
}

impl TakenOver {
    fn is_done(&self) -> bool {
        self.outcome == Takeover::Done
    }
}

async fn take_over(conversation: ConversationHandle, consumer: UserId) -> TakenOver {
    let outcome = match conversation.consumer_takeover(consumer).await {
        Ok(_) => Takeover::Done,
        Err(CommandFailure::Invalid(CommandError { refusal: Refusal::SameConsumer, .. })) => Takeover::Done,
        Err(CommandFailure::Invalid(CommandError { refusal: Refusal::NoOpenDialog, .. })) => Takeover::Closed,
        Err(failure) => Takeover::Failed(failure),
    };
    TakenOver { conversation: conversation.id().clone(), outcome }
}

impl Handler<BeginStepUp> for Connection {
    type Result = ();

    fn handle(&mut self, BeginStepUp { step_up, reply }: BeginStepUp, ctx: &mut Context<Self>) {
        let Some(Credentials::Consumer(present)) = self.credentials.clone() else {
            let is_agent = matches!(self.credentials, Some(Credentials::Agent(_)));
            let error = if is_agent { StepUpError::NotAConsumer } else { RequestFailure::NotConnected.into() };
            let _ = reply.send(Err(error));
            return;
        };
        if self.stepping_up.is_some() {
            let _ = reply.send(Err(StepUpError::UnderWay));
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
