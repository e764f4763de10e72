//! The messages to a conversation's actor.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use actix::Message;
use bytes::Bytes;
use serde_json::Value;
use tertulia_core::{
    command::{Command, Identity, SendFileNotice},
    conversation::{Conversation as Model, Message as ModelMessage},
    id::{CommandKey, ConversationId, ExternalConsumerId},
};
use tokio::sync::oneshot;
use tracing::Span;

use super::{Claim, ConversationError, Done, Durable, Reply, WaitingCommand, waiting::CancelReply};
use crate::{
    engine::{Change, RecordKey, Table},
    files::{FileDownload, FileError, UploadSource},
    frame_window::FramePlace,
    supervision::DepthPermit,
};

/// The place of a frame among the frames that were read and are not handled yet. The place is freed when everything in
/// the frame was handled and is durable. The connection reads a frame from the socket only if a place is free.
#[derive(Clone)]
pub(crate) struct FramePermit(Arc<Shares>);

/// Shared by those that have not concluded their step for the frame yet.
struct Shares(Arc<Held>);

/// A place, and the receiver that learns when it is free.
struct Held {
    _place: Option<FramePlace>,
    since: Instant,
    freed: Option<oneshot::Sender<Handled>>,
    is_lost: AtomicBool,
    /// The frame's record in [`Table::Inbox`], if it comes from there.
    record: Option<RecordKey>,
}

/// What has become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    /// Everything in it was handled and is durable.
    Kept,
    /// The store did not keep something that it brought.
    Lost,
}

/// Keeps the place of a frame until a step is durable. Dropped before, it says that the frame was lost.
pub(super) struct UntilKept(Option<Arc<Held>>);

impl UntilKept {
    pub(super) fn kept(mut self) {
        self.0.take();
    }
}

impl Drop for UntilKept {
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            held.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

impl FramePermit {
    pub(crate) fn new(place: FramePlace) -> Self {
        Self::of(Some(place), None, None)
    }

    fn of(place: Option<FramePlace>, freed: Option<oneshot::Sender<Handled>>, record: Option<RecordKey>) -> Self {
        let (since, is_lost) = (Instant::now(), AtomicBool::new(false));
        Self(Arc::new(Shares(Arc::new(Held { _place: place, since, freed, is_lost, record }))))
    }

    /// Returns what to drop or to call [`UntilKept::kept`] on after the step that the frame brought. If this is the last
    /// step that the frame brings, it also returns the removal of the frame's record, which belongs to this step: earlier
    /// steps are committed before or with it.
    pub(super) fn until_kept(self) -> (UntilKept, Option<Change>) {
        let held = Arc::clone(&self.0.0);
        let last = Arc::into_inner(self.0);
        let removal = last.and(held.record.clone()).map(|record| Change::Remove(Table::Inbox, record));
        (UntilKept(Some(held)), removal)
    }

    /// Returns a permit that occupies no place.
    pub(crate) fn without_place() -> Self {
        Self::of(None, None, None)
    }

    /// When the frame arrived.
    pub(super) fn since(&self) -> Instant {
        self.0.0.since
    }

    /// Returns a place, and a receiver that is notified when everything in the frame was handled.
    pub(crate) fn watched(place: FramePlace) -> (Self, oneshot::Receiver<Handled>) {
        let (freed, receiver) = oneshot::channel();
        (Self::of(Some(place), Some(freed), None), receiver)
    }

    /// Returns a place like [`Self::watched`], for a frame from the inbox with this record.
    pub(crate) fn from_inbox(place: FramePlace, record: RecordKey) -> (Self, oneshot::Receiver<Handled>) {
        let (freed, receiver) = oneshot::channel();
        (Self::of(Some(place), Some(freed), Some(record)), receiver)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(freed) = self.freed.take() {
            let is_lost = self.is_lost.load(Ordering::Relaxed);
            let _ = freed.send(if is_lost { Handled::Lost } else { Handled::Kept });
        }
    }
}

/// A state of this conversation, as sent.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StateArrived {
    pub(crate) raw: Bytes,
    /// The frame, if the end of the state in it is only presumed ([`StateFrame`](tertulia_core::ums::StateFrame)).
    pub(crate) presumed_in: Option<Bytes>,
    pub(crate) place: FramePermit,
}

/// A frame with records of this conversation, perhaps not decoded yet.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RecordsArrived {
    pub(crate) frame: Bytes,
    pub(crate) place: FramePermit,
}

/// The conversation returns to its connection, which had considered it gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CameBack {
    /// The identity with which the connection speaks.
    pub(crate) to: Option<Arc<Identity>>,
}

/// The connection has a new socket: the conversation fetches what it missed and reports when it is done.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CatchUp;

/// The connection is ready: commands may go out.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkReady {
    pub(crate) identity: Arc<Identity>,
}

/// The socket is gone; commands wait.
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
    /// It no longer belongs to this connection.
    ForGood,
    /// It is unloaded, or its process ends; it still belongs to this connection.
    ForNow,
}

/// A command to put into the queue.
pub(crate) struct Perform {
    pub(crate) command: Command,
    pub(crate) key: CommandKey,
    /// The name of the caller, for the event about the outcome.
    pub(crate) caller: Option<Arc<str>>,
    pub(crate) deadline: Instant,
    /// Set if the command survives the process.
    pub(crate) durable: Option<Durable>,
    pub(crate) reply: Reply,
    /// Taken when the command is sent, or when its caller gives up before. A durable command has no claim.
    pub(crate) claim: Option<Claim>,
    /// The tracing span from the caller to the reply.
    pub(crate) span: Span,
    pub(crate) place: DepthPermit,
}

/// Asks for the outcome of a durable command by its key. If no such command is known, the reply channel is dropped.
pub(crate) struct Recall {
    pub(crate) durable: Durable,
    /// The new deadline of the command if its outcome is unknown.
    pub(crate) deadline: Instant,
    pub(crate) reply: oneshot::Sender<Result<Done, ConversationError>>,
    pub(crate) place: DepthPermit,
}

/// A caller's request to a conversation. The connection forwards it and loads the conversation if necessary.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ToConversation {
    pub(crate) conversation: ConversationId,
    pub(crate) request: HandleRequest,
}

/// A caller's request.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum HandleRequest {
    /// Run a command.
    Perform(Perform),
    /// Wait for a command that was submitted before.
    Recall(Recall),
    /// List the waiting commands.
    ListCommands(oneshot::Sender<Vec<WaitingCommand>>),
    /// Cancel a command that was not sent.
    Cancel(CommandKey, CancelReply),
    /// Return all members under the names of the class page.
    Inspect(oneshot::Sender<(Value, u64)>),
    /// Return a copy of the typed model.
    State(oneshot::Sender<Box<Model>>),
    /// Return the newest message of the consumer.
    LatestConsumerMessage(oneshot::Sender<Option<Arc<ModelMessage>>>),
    /// Return the conversation as text that can be loaded again ([SR-1](crate::rules#sr-1)).
    Snapshot(oneshot::Sender<Result<String, ConversationError>>),
    /// Store a file.
    Upload(Upload),
    /// Start to read a file.
    Download(Download),
}

/// A file to store; the reply is the command that announces the file.
pub(crate) struct Upload {
    pub(super) source: UploadSource,
    pub(super) key: CommandKey,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<SendFileNotice, FileError>>,
    pub(super) place: DepthPermit,
}

/// A file to read.
pub(crate) struct Download {
    pub(super) relative_path: String,
    pub(super) reply: oneshot::Sender<Result<FileDownload, FileError>>,
    pub(super) place: DepthPermit,
}

/// Replies `true` if the conversation is idle and fully persisted, so that it may be unloaded.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Rest {
    /// Whether it was loaded only just now. Then it stays if something was said meanwhile.
    pub(crate) is_early: bool,
    pub(crate) done: oneshot::Sender<bool>,
}

/// Sets the consumer for whom the connector speaks.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SpeakFor {
    pub(crate) consumer: ExternalConsumerId,
}
