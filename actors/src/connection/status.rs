//! The status of a connection, and the board on which the connection publishes it.

use std::sync::Arc;

use serde::Serialize;
use tertulia_core::{
    command::Identity,
    id::{AccountId, AgentId, UserId},
    readiness::Lacking,
    session::{Phase, Start, WaitReason},
    ums::AgentState,
};
use tokio::sync::watch;

use super::Role;
use crate::subscriber::EventData;

/// The status of a connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// The account.
    pub account: AccountId,
    /// The role of the connection.
    pub role: Role,
    /// The login name with which the connection logs in. `None` for a login that has none, such as a consumer's or an
    /// assertion.
    pub username: Option<String>,
    /// The user id of the connection: the messages that it sends have this id as
    /// [`originator_id`](tertulia_core::conversation::Message::originator_id). For an agent, the public id. `None`
    /// while the id is unknown, for an agent whose login does not report the public id, and for a connector, which
    /// sends for many consumers.
    pub user_id: Option<UserId>,
    /// The agent id of the connection, in the form `account.user`. `None` before the login, and for roles other than an
    /// agent.
    pub agent_id: Option<AgentId>,
    /// The agent's state that the platform confirmed on the current socket.
    pub agent_state: Option<AgentState>,
    /// The phase of the connection.
    pub state: Phase,
    /// When the phase began.
    pub since: jiff::Timestamp,
    /// Failed attempts since the connection was last stable.
    pub attempts: u32,
    /// How often the connection became ready again after a loss.
    pub reconnects: u64,
    /// What the connection waits for before its next attempt.
    pub waiting: Option<Waiting>,
    /// The last error, as text.
    pub last_error: Option<String>,
    /// Number of conversations held.
    pub conversations: usize,
    /// How often the connection's actor was restarted after a panic.
    pub restarts: u64,
    /// Total restarts of its conversations after a panic.
    pub conversation_restarts: u64,
    /// Requests that the platform refused because there were too many (429).
    pub throttled: u64,
    /// The parts that are missing. A ready connection with missing parts is degraded; everything else works.
    pub lacking: Lacking,
    /// How far the connection had come at the last change.
    #[serde(skip)]
    start: Start,
}

/// The reason and the end of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Why the connection waits.
    pub reason: WaitReason,
    /// When the connection tries again.
    pub until: jiff::Timestamp,
}

impl ConnectionStatus {
    /// The status before the connection has started.
    pub(crate) fn idle(account: AccountId, role: Role, username: Option<String>) -> Self {
        Self {
            account,
            role,
            username,
            user_id: None,
            agent_id: None,
            agent_state: None,
            state: Phase::Idle,
            since: jiff::Timestamp::now(),
            attempts: 0,
            reconnects: 0,
            waiting: None,
            last_error: None,
            conversations: 0,
            restarts: 0,
            conversation_restarts: 0,
            throttled: 0,
            lacking: Lacking::default(),
            start: Start::default(),
        }
    }

    /// Returns whether the connection has given up or was stopped: nothing will happen until it is restarted.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, Phase::Failed(_) | Phase::Stopped)
    }

    /// Returns whether the connection is up to date on its socket, as far as the platform allowed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == Phase::Ready
    }

    /// Returns how far the connection has come since it was added to this process. A restart after a panic, or on
    /// request, takes nothing back.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start.after(self.state, self.waiting.map(|waiting| waiting.reason))
    }
}

/// Publishes the status of a connection. Readers are woken only by a change.
#[derive(Clone)]
pub(super) struct StatusBoard(Arc<watch::Sender<ConnectionStatus>>);

impl StatusBoard {
    pub(super) fn new(status: Arc<watch::Sender<ConnectionStatus>>) -> Self {
        Self(status)
    }

    /// Shows the phase and the counts.
    pub(super) fn show(&self, state: Phase, attempts: u32, reconnects: u64, conversations: usize) {
        self.0.send_if_modified(|status| {
            let is_new_phase = status.state != state;
            if is_new_phase {
                status.since = jiff::Timestamp::now();
            }
            let differs = is_new_phase
                || (status.attempts, status.reconnects, status.conversations) != (attempts, reconnects, conversations);
            (status.state, status.attempts, status.reconnects, status.conversations) =
                (state, attempts, reconnects, conversations);
            status.start = status.start();
            differs
        });
    }

    /// Writes the ids and the agent's state into the status. `consumer` is the id of a consumer whose identity the
    /// platform has not confirmed yet.
    pub(super) fn show_identity(
        &self,
        identity: Option<&Identity>,
        consumer: Option<&UserId>,
        agent_state: Option<&AgentState>,
    ) {
        let agent_id = match identity {
            Some(Identity::Brand { agent_id, .. }) => Some(agent_id),
            Some(Identity::Consumer { .. } | Identity::Connector { .. }) | None => None,
        };
        // An identity without a known public id has the agent id in its place.
        let is_public = |user_id: &&UserId| agent_id.is_none_or(|agent_id| agent_id.as_str() != user_id.as_str());
        let user_id = identity.and_then(Identity::user_id).filter(is_public).or(consumer);
        self.0.send_if_modified(|status| {
            let shown = (status.user_id.as_ref(), status.agent_id.as_ref(), status.agent_state.as_ref());
            let is_news = shown != (user_id, agent_id, agent_state);
            if is_news {
                (status.user_id, status.agent_id) = (user_id.cloned(), agent_id.cloned());
                status.agent_state = agent_state.cloned();
            }
            is_news
        });
    }

    /// Returns the event that the connection has resumed: it has fetched the events that it missed.
    pub(super) fn resumed(&self, conversations: usize, filled: u64, incomplete: usize) -> EventData {
        let status = self.0.borrow();
        EventData::Resumed {
            account: status.account.clone(),
            role: status.role,
            user_id: status.user_id.clone(),
            agent_id: status.agent_id.clone(),
            agent_state: status.agent_state.clone(),
            conversations,
            filled,
            incomplete,
        }
    }

    pub(super) fn show_lacking(&self, lacking: Lacking) {
        self.0.send_if_modified(|status| {
            let is_news = status.lacking != lacking;
            status.lacking = lacking;
            is_news
        });
    }

    pub(super) fn show_waiting(&self, waiting: Option<Waiting>) {
        self.0.send_if_modified(|status| {
            let is_news = status.waiting != waiting;
            status.waiting = waiting;
            status.start = status.start();
            is_news
        });
    }

    /// Shows why the platform refused a login, and what the connection waits for.
    pub(super) fn show_refusal(&self, error: String, waiting: Option<Waiting>) {
        self.0.send_modify(|status| {
            (status.last_error, status.waiting) = (Some(error), waiting);
            status.start = status.start();
        });
    }

    pub(super) fn waiting(&self) -> Option<Waiting> {
        self.0.borrow().waiting
    }

    pub(super) fn note_error(&self, error: String) {
        self.0.send_modify(|status| status.last_error = Some(error));
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.0.borrow().last_error.clone()
    }

    pub(super) fn count_throttled(&self) {
        self.0.send_modify(|status| status.throttled += 1);
    }

    pub(super) fn count_conversation_restart(&self) {
        self.0.send_modify(|status| status.conversation_restarts += 1);
    }
}
