//! The quarantine of a conversation that was given up.

use std::sync::Arc;

use actix::Message;
use serde::Serialize;
use tertulia_core::id::ConversationId;

use crate::{connection::ConnectionError, conversation::Salvage, metrics::Metrics};

/// The quarantine of a conversation that was given up.
pub(super) struct Quarantine {
    since: jiff::Timestamp,
    restarts: u32,
    reason: String,
    dropped: u64,
    metrics: Arc<Metrics>,
    /// `None` if creating the salvage panicked too.
    salvage: Option<Box<Salvage>>,
}

impl Quarantine {
    pub(super) fn new(restarts: u32, reason: String, salvage: Option<Box<Salvage>>, metrics: Arc<Metrics>) -> Self {
        Self { since: jiff::Timestamp::now(), restarts, reason, dropped: 0, metrics, salvage }
    }

    /// Describes the quarantine of the conversation `id`.
    pub(super) fn describe(&self, id: &ConversationId) -> QuarantinedConversation {
        QuarantinedConversation {
            conversation: id.clone(),
            since: self.since,
            restarts: self.restarts,
            reason: self.reason.clone(),
            notifications_dropped: self.dropped,
        }
    }

    pub(super) fn take_salvage(&mut self) -> Option<Box<Salvage>> {
        self.salvage.take()
    }

    pub(super) fn drop_one(&mut self) {
        self.dropped += 1;
        self.metrics.notifications_quarantined.inc();
    }
}

/// The reason for the quarantine of a conversation whose stored state cannot be read.
pub(super) fn unreadable(reason: &str) -> String {
    format!("the stored state cannot be read: {reason}; repair or remove its record, then release the conversation")
}

/// A conversation that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedConversation {
    /// The conversation's id.
    pub conversation: ConversationId,
    /// When it was given up.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: jiff::Timestamp,
    /// The number of restarts before it was given up.
    pub restarts: u32,
    /// The text of its last panic, or why its stored state cannot be read. The text may quote a message, so it is never logged.
    pub reason: String,
    /// Notifications dropped since then.
    pub notifications_dropped: u64,
}

/// Lists the conversations in quarantine.
#[derive(Message)]
#[rtype(result = "Vec<QuarantinedConversation>")]
pub(crate) struct ListQuarantined;

/// Restarts a quarantined conversation.
#[derive(Message)]
#[rtype(result = "Result<(), ConnectionError>")]
pub(crate) struct Release {
    pub(crate) conversation: ConversationId,
}
