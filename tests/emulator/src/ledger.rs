//! What really happened: every event the platform accepted, in order, and the sums over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::platform::Record;

/// One accepted event (`GET /ledger`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Conversation id.
    pub conversation: String,
    /// Dialog id.
    pub dialog: String,
    /// Place in the dialog, from 0.
    pub sequence: u64,
    /// `CONSUMER`, `ASSIGNED_AGENT`, `MANAGER`…
    pub role: String,
    /// Consumer id, or the agent's PID.
    pub originator: String,
    /// `ALL` or `AGENTS_AND_MANAGERS`.
    pub audience: String,
    /// `ContentEvent`, `RichContentEvent` or `AcceptStatusEvent`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Text of a text message.
    pub text: Option<String>,
    /// The request's metadata, `null` when it had none.
    pub metadata: Value,
    /// Milliseconds since the epoch.
    pub time: u64,
}

/// One request to change fields of a conversation that reached the platform, taken or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRequest {
    /// Conversation id.
    pub conversation: String,
    /// The agent's login or the consumer's id.
    pub by: String,
    /// The fields, such as `Stage` or `Skill`, in order.
    pub fields: Vec<String>,
    /// Whether the platform took it.
    pub accepted: bool,
    /// Milliseconds since the epoch.
    pub time: u64,
}

/// Sessions of one user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCount {
    /// Open sockets now.
    pub now: u64,
    /// Open sockets at once, at most, so far.
    pub max: u64,
}

/// Sums over the ledger (`GET /ledger/summary`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSummary {
    /// Conversations ever opened.
    pub conversations: u64,
    /// Content events accepted from consumers.
    pub consumer_messages: u64,
    /// Content events accepted from agents.
    pub agent_messages: u64,
    /// Content events of others handed to agents' sockets, once per socket.
    pub delivered_to_agents: u64,
    /// Content events of others handed to consumers' sockets, once per socket.
    pub delivered_to_consumers: u64,
    /// Agents' sockets by login, consumers' by id.
    pub sessions: BTreeMap<String, SessionCount>,
    /// Faults injected so far.
    pub faults: u64,
    /// Requests of an agent's session after the first request of a later session of the same login, by login, without
    /// the logins that have none. A session begins with its login; the handshake of a socket is not a request. Frames
    /// count unless they only keep the socket open. Requests by REST count if they change something. Refused requests
    /// count too. A signed request belongs to no session.
    pub stale_requests: BTreeMap<String, u64>,
}

/// Running sums that the platform keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) conversations: u64,
    pub(crate) consumer_messages: u64,
    pub(crate) agent_messages: u64,
    pub(crate) delivered_to_agents: u64,
    pub(crate) delivered_to_consumers: u64,
}

impl Totals {
    pub(crate) fn count(&mut self, by_consumer: bool) {
        if by_consumer {
            self.consumer_messages += 1;
        } else {
            self.agent_messages += 1;
        }
    }

    pub(crate) fn delivered(&mut self, to_agents: u64, to_consumers: u64) {
        self.delivered_to_agents += to_agents;
        self.delivered_to_consumers += to_consumers;
    }
}

/// The ledger as it was when it was asked for. Cheap to take: entries are shared with the platform and written
/// out only as they are read.
#[derive(Debug, Clone)]
pub struct Ledger {
    records: Vec<Arc<Record>>,
    public_ids: Arc<Vec<String>>,
}

impl Ledger {
    pub(crate) fn new(records: &[Arc<Record>], public_ids: Vec<String>) -> Self {
        Self { records: records.to_vec(), public_ids: Arc::new(public_ids) }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing was accepted yet.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entry at a place, oldest first.
    pub fn get(&self, place: usize) -> Option<LedgerEntry> {
        self.records.get(place).map(|record| self.entry(record))
    }

    /// All entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = LedgerEntry> + '_ {
        self.records.iter().map(|record| self.entry(record))
    }

    fn entry(&self, record: &Record) -> LedgerEntry {
        use crate::platform::Party;
        let originator = match &record.originator {
            Party::Consumer(id) => id.to_string(),
            Party::Agent(index) => self.public_ids.get(index.0 as usize).cloned().unwrap_or_default(),
        };
        let event: Value = serde_json::from_str(record.event.get()).unwrap_or_default();
        LedgerEntry {
            conversation: record.conversation.to_string(),
            dialog: record.dialog.to_string(),
            sequence: record.sequence,
            role: record.role.as_str().to_owned(),
            originator,
            audience: record.audience.as_str().to_owned(),
            kind: record.kind.as_str().to_owned(),
            text: event["message"].as_str().map(str::to_owned),
            metadata: record.metadata.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default(),
            time: record.time,
        }
    }
}
