//! What a conversation knows of its connection, and what it tells it.

use std::{cell::Cell, sync::Arc};

use actix::{Message, Recipient};
use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::{ConversationId, DialogId},
    ums::Dialect,
};

use super::{Directory, Drill, Salvage};
use crate::{
    dead_letters::DeadLetters,
    metrics::{ConnectionMetrics, Metrics},
    platform::PlatformClient,
    request::Ask,
    subscriber::{Origin, RoutingTable},
    supervision::{ChildExit, RestartPolicy},
};

/// What a conversation knows of its connection, shared by all of them.
pub(crate) struct Upstream {
    /// Who is told what becomes of a conversation.
    pub(crate) parent: Recipient<ChildTold>,
    /// When it is restarted and when given up.
    pub(crate) policy: Arc<RestartPolicy>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) drill: Option<Drill>,
    pub(crate) requests: Recipient<Ask>,
    /// For files.
    pub(crate) client: PlatformClient,
    pub(crate) routing: Arc<RoutingTable>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) metrics: Arc<Metrics>,
    /// Of the connection alone.
    pub(crate) counted: Arc<ConnectionMetrics>,
    pub(crate) settings: ConversationSettings,
    /// Messages that were fetched because they had been missed, so far.
    pub(crate) filled: Cell<u64>,
}

/// A conversation's part of its connection's settings.
#[derive(Clone, Copy)]
pub(crate) struct ConversationSettings {
    pub(crate) dialect: Dialect,
    /// Whether states come by webhook.
    pub(crate) is_by_webhook: bool,
    pub(crate) history: HistoryStart,
    pub(crate) limits: Limits,
    /// Whether sends wait until what was missed is known. Without a socket nobody is told of what is said meanwhile.
    pub(crate) sends_when_caught_up: bool,
}

/// A conversation tells its connection what becomes of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChildTold {
    pub(crate) conversation: ConversationId,
    pub(crate) notice: ChildNotice,
}

pub(crate) enum ChildNotice {
    /// The conversation is given up, and leaves this.
    Salvage(Box<Salvage>),
    /// Its actor was restarted or ended.
    Exited(ChildExit),
    /// How far its history is.
    History(HistoryProgress),
    /// It has this dialog beside MAIN, whose records may come without the conversation's id
    /// ([MS-9](crate::rules#ms-9)).
    Dialog(DialogId),
    /// It was asked whether it may sleep.
    Rested { may_sleep: bool },
}

/// How far a conversation's history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryProgress {
    /// It is up to date, as far as the platform gives it.
    Done,
    /// The platform did not give it, and is asked on; the conversation's sends wait.
    Refused,
    /// A command waits for it.
    Awaited,
}
