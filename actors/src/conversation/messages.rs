//! What a conversation is told.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::Message;
use bytes::Bytes;
use serde_json::Value;
use tertulia_core::{
    command::{Command, Identity},
    conversation::{Conversation as Model, Message as ModelMessage},
    id::{CommandKey, ConversationId, ExternalConsumerId},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use tracing::Span;

use super::{
    Claim, CommandFailure, Done,
    durable::Durable,
    files::{Download, Upload},
    waiting::{CancelReply, WaitingCommand},
};
use crate::supervision::DepthPermit;

/// The place of a frame among those read and not handled yet. It is freed when everything that came in the frame was
/// handled and is durable, which is what lets the socket be read further.
#[derive(Clone)]
pub(crate) struct FramePermit(Arc<Held>);

/// A place, and who is told when it is free.
struct Held {
    _permit: OwnedSemaphorePermit,
    since: Instant,
    freed: Option<oneshot::Sender<()>>,
}

impl FramePermit {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Held { _permit: permit, since: Instant::now(), freed: None }))
    }

    /// How long ago the frame arrived.
    pub(crate) fn age(&self) -> Duration {
        self.0.since.elapsed()
    }

    /// A place, and what tells when everything that came with it was handled and is durable.
    pub(crate) fn watched(permit: OwnedSemaphorePermit) -> (Self, oneshot::Receiver<()>) {
        let (told, freed) = oneshot::channel();
        (Self(Arc::new(Held { _permit: permit, since: Instant::now(), freed: Some(told) })), freed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(freed) = self.freed.take() {
            let _ = freed.send(());
        }
    }
}

/// A state of this conversation, as sent.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StateArrived {
    pub(crate) raw: Bytes,
    pub(crate) place: FramePermit,
}

/// A frame with records of this conversation.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RecordsArrived {
    pub(crate) frame: Bytes,
    pub(crate) place: FramePermit,
}

/// The conversation had left its connection, as far as the connection knows, and is its own again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CameBack {
    /// As whom the connection speaks.
    pub(crate) to: Option<Arc<Identity>>,
}

/// The connection has a new socket: fetch what was missed, and tell when that is done.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CatchUp;

/// The connection is ready: commands may go out.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkReady {
    pub(crate) identity: Arc<Identity>,
}

/// The socket is gone: commands wait.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkLost;

/// The connection has given up: commands fail.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkFailed;

/// The identity of the conversation's consumer is lost. The conversation ends on this side.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ConsumerLost;

/// The conversation leaves memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub(crate) enum Leave {
    /// It is not this connection's any more.
    ForGood,
    /// It sleeps, or its process ends: it is still this connection's.
    ForNow,
}

/// A command, to be carried out when its turn has come.
pub(crate) struct Perform {
    pub(crate) command: Command,
    pub(crate) key: CommandKey,
    pub(crate) deadline: Instant,
    /// Where it is to outlive the process.
    pub(crate) durable: Option<Durable>,
    pub(crate) reply: oneshot::Sender<Result<Done, CommandFailure>>,
    /// Taken when the command is sent, or when its caller gives up before. One that outlives the process needs none.
    pub(crate) claim: Option<Claim>,
    /// From the caller to the answer.
    pub(crate) span: Span,
    pub(crate) place: DepthPermit,
}

/// A question for a durable command that may be known by its key already. Where it is not, the reply is dropped.
pub(crate) struct Recall {
    pub(crate) durable: Durable,
    /// Until when the command may go on if it is one whose outcome is unknown.
    pub(crate) deadline: Instant,
    pub(crate) reply: oneshot::Sender<Result<Done, CommandFailure>>,
    pub(crate) place: DepthPermit,
}

/// What a caller asks of a conversation by way of its connection, which wakes it if it sleeps.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ToConversation {
    pub(crate) conversation: ConversationId,
    pub(crate) wish: HandleRequest,
}

/// What a caller asks of a conversation.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum HandleRequest {
    /// To carry out a command.
    Perform(Perform),
    /// To wait with a command that was asked before.
    Recall(Recall),
    /// To list the commands that wait.
    ListCommands(oneshot::Sender<Vec<WaitingCommand>>),
    /// To cancel a command that was not sent.
    Cancel(CommandKey, CancelReply),
    /// All members under the class page's names.
    Inspect(oneshot::Sender<Value>),
    /// The typed model.
    State(oneshot::Sender<Box<Model>>),
    /// The newest message of the consumer.
    LatestConsumerMessage(oneshot::Sender<Option<Arc<ModelMessage>>>),
    /// The conversation as text, to be loaded again ([SR-1](crate::rules#sr-1)).
    Snapshot(oneshot::Sender<Result<String, CommandFailure>>),
    /// To store a file.
    Upload(Upload),
    /// To begin to read a file.
    Download(Download),
}

/// Answers whether the conversation may be stopped: it waits for nothing, and what it is can be loaded again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Rest {
    pub(crate) done: oneshot::Sender<bool>,
}

/// Tells for whom the connector speaks.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SpeakFor {
    pub(crate) consumer: ExternalConsumerId,
}
