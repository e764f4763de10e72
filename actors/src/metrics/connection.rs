//! What is counted of one connection.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use dashmap::DashMap;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tertulia_core::id::ConnectionId;

/// What is counted of one connection, beside its status.
#[derive(Debug, Default)]
pub struct ConnectionMetrics {
    /// Frames that arrived.
    pub frames: Counter,
    /// Commands of its conversations that were carried out.
    pub commands_done: Counter,
    /// Commands of its conversations that failed.
    pub commands_failed: Counter,
    /// Frames that were read and are not handled, or not durable, yet.
    pub frames_waiting: Gauge,
    /// Requests that wait for the platform's answer.
    pub requests_in_flight: Gauge,
    /// How long the last frame that brought an event took until it was told.
    pub event_lag_seconds: Gauge<f64, AtomicU64>,
    /// When the last frame came, in milliseconds since 1970; 0 where none did.
    last_frame: AtomicU64,
}

impl ConnectionMetrics {
    pub(crate) fn frame_arrived(&self) {
        self.frames.inc();
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        self.last_frame.store(now, Ordering::Relaxed);
    }

    /// When the last frame came; `None` where none did.
    #[must_use]
    pub fn last_frame(&self) -> Option<jiff::Timestamp> {
        let millis = i64::try_from(self.last_frame.load(Ordering::Relaxed)).ok().filter(|millis| *millis > 0)?;
        jiff::Timestamp::from_millisecond(millis).ok()
    }

    pub(crate) fn event_told(&self, after: Duration) {
        self.event_lag_seconds.set(after.as_secs_f64());
    }
}

/// What is counted of each connection of a process. As many as there are connections: whoever removes one forgets it
/// here.
#[derive(Debug, Default)]
pub struct ByConnection(DashMap<ConnectionId, Arc<ConnectionMetrics>>);

impl ByConnection {
    /// What is counted of a connection, which begins with the first call.
    #[must_use]
    pub fn of(&self, connection: &ConnectionId) -> Arc<ConnectionMetrics> {
        if let Some(known) = self.0.get(connection) {
            return Arc::clone(&known);
        }
        Arc::clone(&self.0.entry(connection.clone()).or_default())
    }

    /// Forgets a connection that is there no more.
    pub(crate) fn forget(&self, connection: &ConnectionId) {
        self.0.remove(connection);
    }
}
