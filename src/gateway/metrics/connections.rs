//! Metrics of each connection. The first connections by name have their own label, and the others share the label
//! `other`, so that the size of a scrape is limited however large the fleet is.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use serde_json::{Value, json};
use tertulia_actors::{Tertulia, connection::Waiting, core::id::ConnectionId, core::session::Phase};

use crate::reach::Reach;

/// Connections with their own label.
const TOLD_APART: usize = 1_000;
/// The label of all other connections.
const OTHER: &str = "other";

/// The connections, read at each scrape.
pub(super) struct Connections {
    pub(super) tertulia: Arc<Tertulia>,
    /// The connections that the reader sees.
    pub(super) reach: Reach,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// One connection, or several combined.
#[derive(Default)]
struct Row {
    states: BTreeMap<Cow<'static, str>, i64>,
    waiting: BTreeMap<Cow<'static, str>, i64>,
    conversations: i64,
    attempts: i64,
    lacking: [i64; 4],
    reconnects: u64,
    frames: u64,
    commands_done: u64,
    commands_failed: u64,
    frames_waiting: i64,
    requests_in_flight: i64,
    /// The largest lag.
    event_lag_seconds: f64,
    /// The newest frame, in seconds since 1970.
    last_frame_seconds: f64,
}

impl Row {
    fn add(&mut self, tertulia: &Tertulia, connection: &ConnectionId) {
        let Some(status) = tertulia.connection(connection).status() else { return };
        let counted = tertulia.metrics().by_connection.of(connection);
        *self.states.entry(word(&status.state)).or_default() += 1;
        if let Some(Waiting { reason, .. }) = &status.waiting {
            *self.waiting.entry(text(&json!(reason))).or_default() += 1;
        }
        self.conversations += i64::try_from(status.conversations).unwrap_or(i64::MAX);
        self.attempts += i64::from(status.attempts);
        for (lacking, (_, reason)) in self.lacking.iter_mut().zip(status.lacking.parts()) {
            *lacking += i64::from(reason.is_some());
        }
        self.lacking[3] += i64::try_from(status.lacking.histories).unwrap_or(i64::MAX);
        self.reconnects += status.reconnects;
        self.frames += counted.frames.get();
        self.commands_done += counted.commands_done.get();
        self.commands_failed += counted.commands_failed.get();
        self.frames_waiting += counted.frames_waiting.get();
        self.requests_in_flight += counted.requests_in_flight.get();
        self.event_lag_seconds = self.event_lag_seconds.max(counted.event_lag_seconds.get());
        let last_frame = counted.last_frame().map_or(0.0, |time| time.as_duration().as_secs_f64());
        self.last_frame_seconds = self.last_frame_seconds.max(last_frame);
    }
}

/// The state as in `/v1/connections`.
fn word(state: &Phase) -> Cow<'static, str> {
    if matches!(state, Phase::Failed(_)) {
        return "failed".into();
    }
    text(&json!(state))
}

fn text(word: &Value) -> Cow<'static, str> {
    word.as_str().map_or("unknown".into(), |word| word.to_owned().into())
}

/// The rows by label, in the order of names.
fn rows(tertulia: &Tertulia, reach: &Reach, told_apart: usize) -> BTreeMap<String, Row> {
    let mut names = tertulia.connections();
    names.retain(|name| reach.sees(name.as_str()));
    names.sort_unstable();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        let label = if place < told_apart { name.as_str() } else { OTHER };
        rows.entry(label.to_owned()).or_default().add(tertulia, name);
    }
    rows
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let rows = rows(&self.tertulia, &self.reach, TOLD_APART);
        let mut by_state: BTreeMap<&str, i64> = BTreeMap::new();
        for (state, count) in rows.values().flat_map(|row| &row.states) {
            *by_state.entry(state).or_default() += count;
        }
        let mut family = encoder.encode_descriptor("connections", "Connections, by state.", None, MetricType::Gauge)?;
        for (state, count) in by_state {
            ConstGauge::new(count).encode(family.encode_family(&[("state", state)])?)?;
        }

        let help = "Connections with this name in this state: 1 for the present state.";
        let mut family = encoder.encode_descriptor("connection_state", help, None, MetricType::Gauge)?;
        for (name, row) in &rows {
            for (state, count) in &row.states {
                let labels = [("connection", name.as_str()), ("state", state.as_ref())];
                ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }

        let help =
            "What a connection lacks on its socket: 1 for each missing part, and the number of missing histories.";
        let mut family = encoder.encode_descriptor("connection_lacking", help, None, MetricType::Gauge)?;
        for (name, row) in &rows {
            for (part, lacking) in ["subscriptions", "rings", "agentState", "histories"].into_iter().zip(row.lacking) {
                let labels = [("connection", name.as_str()), ("part", part)];
                ConstGauge::new(lacking).encode(family.encode_family(&labels)?)?;
            }
        }

        let help = "Connections with this name that wait for this reason before the next attempt.";
        let mut family = encoder.encode_descriptor("connection_waiting", help, None, MetricType::Gauge)?;
        for (name, row) in &rows {
            for (reason, count) in &row.waiting {
                let labels = [("connection", name.as_str()), ("reason", reason.as_ref())];
                ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }

        let gauge = |value: i64| -> Box<dyn EncodeMetric> { Box::new(ConstGauge::new(value)) };
        let seconds = |value: f64| -> Box<dyn EncodeMetric> { Box::new(ConstGauge::new(value)) };
        let counter = |value: u64| -> Box<dyn EncodeMetric> { Box::new(ConstCounter::new(value)) };
        type Value<'a> = &'a dyn Fn(&Row) -> Box<dyn EncodeMetric>;
        let families: [(&str, &str, MetricType, Value<'_>); 8] = [
            (
                "connection_conversations",
                "Conversations of a connection, in memory or unloaded to the store.",
                MetricType::Gauge,
                &|row| gauge(row.conversations),
            ),
            (
                "connection_attempts",
                "Failed attempts of a connection since it was last stable.",
                MetricType::Gauge,
                &|row| gauge(row.attempts),
            ),
            (
                "connection_reconnects",
                "Times that a connection became ready again after a loss.",
                MetricType::Counter,
                &|row| counter(row.reconnects),
            ),
            ("connection_frames", "Frames that arrived on a connection.", MetricType::Counter, &|row| {
                counter(row.frames)
            }),
            (
                "connection_frames_waiting",
                "Frames of a connection that were read but are not yet handled and durable.",
                MetricType::Gauge,
                &|row| gauge(row.frames_waiting),
            ),
            (
                "connection_requests_in_flight",
                "Requests of a connection that wait for the platform's answer.",
                MetricType::Gauge,
                &|row| gauge(row.requests_in_flight),
            ),
            (
                "connection_event_lag_seconds",
                "Time from a connection's last frame to its events, without the platform's time.",
                MetricType::Gauge,
                &|row| seconds(row.event_lag_seconds),
            ),
            (
                "connection_last_frame_timestamp_seconds",
                "When a connection's last frame arrived, in seconds since 1970; 0 before the first frame.",
                MetricType::Gauge,
                &|row| seconds(row.last_frame_seconds),
            ),
        ];
        for (name, help, kind, value) in families {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (connection, row) in &rows {
                value(row).encode(family.encode_family(&[("connection", connection.as_str())])?)?;
            }
        }

        let help = "Commands of a connection's conversations, by outcome.";
        let mut family = encoder.encode_descriptor("connection_commands", help, None, MetricType::Counter)?;
        for (name, row) in &rows {
            for (outcome, count) in [("done", row.commands_done), ("failed", row.commands_failed)] {
                let labels = [("connection", name.as_str()), ("outcome", outcome)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::{intake::IntakeSettings, platform::AppCredentials};

    use super::*;

    #[actix_rt::test]
    async fn connections_beyond_the_limit_share_one_label() {
        let app = AppCredentials { client_id: "app".into(), secret: "secret".into() };
        let intakes = ["d", "b", "a", "c"].map(|id| IntakeSettings::intake(id, "12345678", app.clone()));
        let tertulia = Tertulia::builder().intakes(intakes).start().unwrap();
        for id in ["a", "b", "c", "d"] {
            tertulia.connection(&id.into()).begun().await;
            tertulia.metrics().by_connection.of(&id.into()).frames.inc();
        }
        let counted: Vec<(String, u64, i64)> = rows(&tertulia, &Reach::EVERYTHING, 2)
            .into_iter()
            .map(|(label, row)| (label, row.frames, row.states.values().sum()))
            .collect();
        assert_eq!(counted, [("a".to_owned(), 1, 1), ("b".to_owned(), 1, 1), (OTHER.to_owned(), 2, 2)]);
    }
}
