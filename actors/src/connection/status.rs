//! The status of a connection.

use serde::Serialize;
use tertulia_core::{
    readiness::Lacking,
    session::{Phase, WaitReason},
};

/// The status of a connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
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
    pub(super) fn idle() -> Self {
        Self {
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
}
