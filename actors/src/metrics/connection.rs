//! The metrics of one connection.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use dashmap::DashMap;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tertulia_core::id::ConnectionId;

/// The metrics of one connection, in addition to its status.
#[derive(Debug, Default)]
pub struct ConnectionMetrics {
    /// Frames that arrived.
    pub frames: Counter,
    /// Successful commands of its conversations.
    pub commands_done: Counter,
    /// Failed commands of its conversations.
    pub commands_failed: Counter,
    /// Frames that were read but are not handled, or not durable, yet.
    pub frames_waiting: Gauge,
    /// Requests that wait for the platform's response.
    pub requests_in_flight: Gauge,
    /// The time from the arrival of the last frame with an event until the event was emitted.
    pub event_lag_seconds: Gauge<f64, AtomicU64>,
    /// When the last frame arrived, in milliseconds since 1970; 0 before the first frame.
    last_frame: AtomicU64,
}

impl ConnectionMetrics {
    pub(crate) fn frame_arrived(&self) {
        self.frames.inc();
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        self.last_frame.store(now, Ordering::Relaxed);
    }

    /// When the last frame arrived; `None` before the first frame.
    #[must_use]
    pub fn last_frame(&self) -> Option<jiff::Timestamp> {
        let millis = i64::try_from(self.last_frame.load(Ordering::Relaxed)).ok().filter(|millis| *millis > 0)?;
        jiff::Timestamp::from_millisecond(millis).ok()
    }

    pub(crate) fn event_emitted(&self, after: Duration) {
        self.event_lag_seconds.set(after.as_secs_f64());
    }
}

/// The metrics of each connection of a process. An entry must be removed together with its connection.
#[derive(Debug, Default)]
pub(crate) struct ByConnection(DashMap<ConnectionId, Arc<ConnectionMetrics>>);

impl ByConnection {
    /// Returns the metrics of a connection; creates them on the first call.
    #[must_use]
    pub(crate) fn of(&self, connection: &ConnectionId) -> Arc<ConnectionMetrics> {
        if let Some(known) = self.0.get(connection) {
            return Arc::clone(&known);
        }
        Arc::clone(&self.0.entry(connection.clone()).or_default())
    }

    /// Removes the metrics of a connection that has ended.
    pub(crate) fn forget(&self, connection: &ConnectionId) {
        self.0.remove(connection);
    }
}
