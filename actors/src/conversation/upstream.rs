//! A conversation's view of its connection, and its reports to it.

use std::{cell::Cell, sync::Arc};

use actix::{Message, Recipient};
use bytes::Bytes;
use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::{ConversationId, DialogId},
    ums::Dialect,
};

use super::{Directory, Drill, FramePermit, Leave, Salvage};
use crate::{
    dead_letters::DeadLetters,
    engine::Journal,
    log::{Log, Writing},
    metrics::{ConnectionMetrics, Metrics},
    platform::PlatformClient,
    request::Ask,
    subscriber::Origin,
    supervision::{ChildExit, RestartPolicy},
};

/// A conversation's view of its connection, shared by all conversations of the connection.
pub(crate) struct Upstream {
    /// Receives the reports of a conversation.
    pub(crate) parent: Recipient<ChildReport>,
    /// When a conversation is restarted and when it is given up.
    pub(crate) policy: Arc<RestartPolicy>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) drill: Option<Drill>,
    pub(crate) requests: Recipient<Ask>,
    /// For file transfers.
    pub(crate) client: PlatformClient,
    pub(crate) journal: Arc<Journal>,
    pub(crate) log: Arc<Log>,
    /// Kept as long as the connection or one of its conversations exists.
    pub(crate) _writing: Writing,
    pub(crate) origin: Arc<Origin>,
    pub(crate) metrics: Arc<Metrics>,
    /// The metrics of this connection alone.
    pub(crate) counted: Arc<ConnectionMetrics>,
    pub(crate) settings: ConversationSettings,
    /// The number of missed messages fetched so far.
    pub(crate) filled: Cell<u64>,
}

/// The settings of a connection that concern its conversations.
#[derive(Clone, Copy)]
pub(crate) struct ConversationSettings {
    pub(crate) dialect: Dialect,
    /// Whether states arrive by webhook.
    pub(crate) is_by_webhook: bool,
    pub(crate) history: HistoryStart,
    pub(crate) limits: Limits,
    /// Whether sends wait until missed messages are known. Without a socket sends do not wait, because nothing reports
    /// the messages published meanwhile.
    pub(crate) sends_when_caught_up: bool,
}

/// A conversation's report to its connection.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChildReport {
    pub(crate) conversation: ConversationId,
    pub(crate) notice: ChildNotice,
}

pub(crate) enum ChildNotice {
    /// The conversation is given up and leaves this to its replacement.
    Salvage(Box<Salvage>),
    /// The actor has stopped because the stored state of the conversation cannot be read, with the reason.
    Refused { actor: Recipient<Leave>, reason: String },
    /// The conversation's actor was restarted or ended.
    Exited(ChildExit),
    /// The progress of its history.
    History(HistoryProgress),
    /// The conversation has this dialog besides MAIN, whose records may arrive without the conversation's id
    /// ([MS-9](crate::rules#ms-9)).
    Dialog(DialogId),
    /// A frame that the conversation cannot read. The connection decodes it as a whole.
    Misread { frame: Bytes, place: FramePermit },
    /// The reply to the question whether the conversation may be unloaded.
    Rested { may_sleep: bool },
}

/// The progress of a conversation's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryProgress {
    /// Up to date, as far as the platform allows.
    Done,
    /// Refused by the platform and requested again; the conversation's sends wait.
    Refused,
    /// A command waits for it.
    Awaited,
}
