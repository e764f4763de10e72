//! The latencies of the last seconds, counted between two requests.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tertulia_actors::metrics::{Latency, Metrics};
use utoipa::ToSchema;

use super::quantiles::Quantiles;

/// The period of the quantiles: long enough for steady numbers, short enough to be current.
const WINDOW: Duration = Duration::from_secs(10);
/// The least time between two stored snapshots.
const STEP: Duration = Duration::from_secs(1);

/// The start of the gateway, and recent snapshots of the counters; each request stores a snapshot for later requests.
pub(in crate::gateway) struct Recent {
    began: Instant,
    snapshots: Mutex<VecDeque<Snapshot>>,
}

#[derive(Clone)]
struct Snapshot {
    at: Instant,
    frame_to_event: Latency,
    command: Latency,
}

impl Default for Recent {
    fn default() -> Self {
        Self { began: Instant::now(), snapshots: Mutex::default() }
    }
}

impl Recent {
    /// The seconds since the gateway started.
    pub(super) fn uptime_seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// The latencies within the window, or since the last request; `None` for the first request.
    pub(super) fn latency(&self, metrics: &Metrics) -> Option<Counted> {
        let at = Instant::now();
        let frame_to_event = metrics.frame_to_event_seconds.snapshot();
        let now = Snapshot { at, frame_to_event, command: metrics.command_duration_seconds.snapshot() };
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        // Keeps the newest snapshot that is at least a window old, and drops older snapshots.
        while snapshots.get(1).is_some_and(|next| at.duration_since(next.at) >= WINDOW) {
            snapshots.pop_front();
        }
        let before = snapshots.front().cloned();
        if snapshots.back().is_none_or(|last| at.duration_since(last.at) >= STEP) {
            snapshots.push_back(now.clone());
        }
        let before = before?;
        Some(Counted {
            window_seconds: at.duration_since(before.at).as_secs_f64(),
            frame_to_event: now.frame_to_event.since(&before.frame_to_event),
            command: now.command.since(&before.command),
        })
    }
}

/// The latencies that were counted in a period, in histograms.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counted {
    window_seconds: f64,
    frame_to_event: Latency,
    command: Latency,
}

impl Counted {
    /// The latencies of two nodes, over the longer of their periods.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            window_seconds: self.window_seconds.max(other.window_seconds),
            frame_to_event: self.frame_to_event.plus(&other.frame_to_event),
            command: self.command.plus(&other.command),
        }
    }
}

/// Recent latencies.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Latencies {
    /// The period of the latencies, in seconds.
    window_seconds: f64,
    /// Time from a frame to its events, without the platform's time.
    frame_to_event: Quantiles,
    /// Time from a command to its outcome, including the platform's time.
    command: Quantiles,
}

impl Latencies {
    pub(super) fn of(counted: &Counted) -> Self {
        Self {
            window_seconds: counted.window_seconds,
            frame_to_event: Quantiles::of(&counted.frame_to_event),
            command: Quantiles::of(&counted.command),
        }
    }
}
