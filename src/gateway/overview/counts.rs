//! The counters of the process or of some connections.

use serde::{Deserialize, Serialize};
use tertulia_actors::{connection::ConnectionStatus, core::id::ConnectionId, metrics::Metrics};
use utoipa::ToSchema;

/// Counted since the process began. What is not counted for each connection is null for a token that does not reach every
/// connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    pub(super) frames: u64,
    pub(super) events: Option<u64>,
    pub(super) commands_done: u64,
    pub(super) commands_failed: u64,
    pub(super) reconnects: u64,
    pub(super) restarts: u64,
    pub(super) message_gaps: Option<u64>,
    pub(super) messages_back_filled: Option<u64>,
    pub(super) dead_letters: Option<u64>,
}

impl Counts {
    pub(super) fn of_process(metrics: &Metrics) -> Self {
        Self {
            frames: metrics.frames.get(),
            events: Some(metrics.events.get()),
            commands_done: metrics.commands_done.get(),
            commands_failed: metrics.commands_failed.get(),
            reconnects: metrics.reconnects.get(),
            restarts: metrics.actor_restarts.get(),
            message_gaps: Some(metrics.message_gaps.get()),
            messages_back_filled: Some(metrics.messages_back_filled.get()),
            dead_letters: Some(metrics.dead_letters.get()),
        }
    }

    pub(super) fn of_connections(seen: &[(ConnectionId, ConnectionStatus)], metrics: &Metrics) -> Self {
        seen.iter().fold(Self::default(), |mut counts, (id, status)| {
            let counted = metrics.connection(id);
            counts.frames += counted.frames.get();
            counts.commands_done += counted.commands_done.get();
            counts.commands_failed += counted.commands_failed.get();
            counts.reconnects += status.reconnects;
            counts.restarts += status.restarts + status.conversation_restarts;
            counts
        })
    }
}
