//! How a connection is doing, for whoever waits or watches.

use serde::Serialize;
use tertulia_core::{
    readiness::Lacking,
    session::{Phase, WaitReason},
};

/// How a connection is doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// Where in its life it is.
    pub state: Phase,
    /// Since when.
    pub since: jiff::Timestamp,
    /// Failed attempts since it was last stable.
    pub attempts: u32,
    /// How often it became ready again after a loss.
    pub reconnects: u64,
    /// What it waits for before it tries again.
    pub waiting: Option<Waiting>,
    /// What last went wrong, in words.
    pub last_error: Option<String>,
    /// Conversations it holds.
    pub conversations: usize,
    /// How often its actor was started again after a panic.
    pub restarts: u64,
    /// How often conversations of it were started again after a panic, all together.
    pub conversation_restarts: u64,
    /// Requests that the platform refused because there were too many (429).
    pub throttled: u64,
    /// What it lacks. A connection that is ready and lacks something is degraded: it works for everything else.
    pub lacking: Lacking,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Why it waits.
    pub reason: WaitReason,
    /// When it tries again.
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

    /// Whether it has given up or was stopped: nothing will happen until it is started again.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, Phase::Failed(_) | Phase::Stopped)
    }

    /// Whether it was brought up to date on its socket, as far as the platform let it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == Phase::Ready
    }
}
