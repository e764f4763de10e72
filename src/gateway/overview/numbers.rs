//! The state of the process in numbers, as callers get it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    counts::Counts,
    recent::Latencies,
    series::{Minute, Notable},
};
use crate::config::Scope;

/// The current state of the process, or of all nodes. Counters start with each process.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    /// The version of the node that answers.
    pub(super) version: String,
    /// The scope of the caller's token.
    #[schema(value_type = String)]
    pub(super) scope: Scope,
    /// Seconds since the gateway started; of several nodes, since the first of them did.
    pub(super) uptime_seconds: u64,
    /// Memory of the process in RAM; null if the system does not report it, and for a token that does not reach every
    /// connection.
    pub(super) resident_bytes: Option<i64>,
    pub(super) connections: Connections,
    pub(super) conversations: Conversations,
    pub(super) journal: JournalState,
    /// Recent latencies; null for the first request, and for a token that does not reach every connection.
    pub(super) latency: Option<Latencies>,
    pub(super) counts: Counts,
    /// Dead letters that are kept.
    pub(super) dead_letters: usize,
    /// The last hour by minute, the oldest first. With a store, this includes previous runs. A token that does not
    /// reach every connection gets the numbers of its own connections. Null without `history`.
    pub(super) minutes: Option<Vec<Minute>>,
    /// The newest 200 notable events, the newest first. With a store, this includes previous runs. Null without
    /// `history`.
    pub(super) notable: Option<Vec<Notable>>,
    /// The number of nodes, as the node that answers last saw them; absent for a process alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) nodes: Option<usize>,
    /// The nodes that did not answer in time, so that their numbers are missing; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) incomplete: Vec<String>,
}

/// The number of connections by state.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(super) struct Connections {
    pub(super) total: usize,
    /// Ready for commands.
    pub(super) ready: usize,
    /// Connecting or reconnecting.
    pub(super) working: usize,
    /// Failed for good.
    pub(super) failed: usize,
    /// Stopped on request.
    pub(super) stopped: usize,
    /// Run by no node at the moment: they move, or wait for a node that may run them. Absent for a process alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) moving: Option<usize>,
}

/// The number of conversations; a conversation counts once for each connection that sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversations {
    /// For a token that does not reach every connection, the unloaded conversations are included.
    pub(super) in_memory: i64,
    /// Unloaded to the store; null for a token that does not reach every connection.
    pub(super) asleep: Option<i64>,
    /// Null for a token that does not reach every connection.
    pub(super) quarantined: Option<i64>,
}

/// The state of the journal, which makes events durable.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct JournalState {
    /// The cursor of the newest durable event, from which a reader can continue.
    pub(super) newest: String,
    /// Steps that are not durable yet; null for a token that does not reach every connection.
    pub(super) waiting: Option<usize>,
    /// Whether the last commit succeeded.
    pub(super) healthy: bool,
}
