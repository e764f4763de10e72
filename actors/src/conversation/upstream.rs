//! What a conversation knows of its connection.

use std::{cell::Cell, sync::Arc};

use actix::Recipient;
use tertulia_core::{command::Limits, conversation::HistoryStart, ums::Dialect};

use super::{ChildTold, DialogKnown, Directory, Drill};
use crate::{
    dead_letters::DeadLetters,
    metrics::{ConnectionMetrics, Metrics},
    platform::PlatformClient,
    request::Ask,
    subscriber::{Origin, RoutingTable},
    supervision::RestartPolicy,
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
    pub(crate) client: Option<PlatformClient>,
    pub(crate) dialogs: Recipient<DialogKnown>,
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
