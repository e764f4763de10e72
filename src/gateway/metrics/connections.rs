//! Metrics of the connections: sums over all of them, and series of each connection if there are few or the
//! configuration asks for them.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use serde_json::{Value, json};
use tertulia_actors::{Tertulia, connection::Waiting, core::id::ConnectionId, core::session::Phase};

use crate::{config::MetricsPerConnection, reach::Reach};

/// The most connections that have series of their own by default: each connection has some fifteen series.
const MOST_WITH_SERIES: usize = 100;
/// What a connection may lack, as in `/v1/connections`.
const PARTS: [&str; 4] = ["subscriptions", "rings", "agentState", "histories"];

/// The connections, read at each scrape.
pub(super) struct Connections {
    pub(super) tertulia: Arc<Tertulia>,
    pub(super) per_connection: MetricsPerConnection,
    /// The connections that the reader sees.
    pub(super) reach: Reach,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// One connection.
struct Row {
    name: ConnectionId,
    state: Cow<'static, str>,
    waiting: Option<Cow<'static, str>>,
    conversations: i64,
    attempts: i64,
    lacking: [i64; PARTS.len()],
    reconnects: u64,
    frames: u64,
    commands_done: u64,
    commands_failed: u64,
    frames_waiting: i64,
    requests_in_flight: i64,
    event_lag_seconds: f64,
    /// In seconds since 1970.
    last_frame_seconds: f64,
}

impl Row {
    fn read(tertulia: &Tertulia, name: ConnectionId) -> Option<Self> {
        let status = tertulia.connection(&name).status()?;
        let counted = tertulia.metrics().connection(&name);
        let [subscriptions, rings, agent_state] = status.lacking.parts().map(|(_, reason)| i64::from(reason.is_some()));
        let histories = i64::try_from(status.lacking.histories).unwrap_or(i64::MAX);
        Some(Self {
            state: word(&status.state),
            waiting: status.waiting.as_ref().map(|Waiting { reason, .. }| text(&json!(reason))),
            conversations: i64::try_from(status.conversations).unwrap_or(i64::MAX),
            attempts: i64::from(status.attempts),
            lacking: [subscriptions, rings, agent_state, histories],
            reconnects: status.reconnects,
            frames: counted.frames.get(),
            commands_done: counted.commands_done.get(),
            commands_failed: counted.commands_failed.get(),
            frames_waiting: counted.frames_waiting.get(),
            requests_in_flight: counted.requests_in_flight.get(),
            event_lag_seconds: counted.event_lag_seconds.get(),
            last_frame_seconds: counted.last_frame().map_or(0.0, |time| time.as_duration().as_secs_f64()),
            name,
        })
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

/// How many connections have each value.
fn count<'r>(values: impl Iterator<Item = &'r str>) -> BTreeMap<&'r str, i64> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut names = self.tertulia.connections();
        names.retain(|name| self.reach.sees(name.as_str()));
        names.sort_unstable();
        let rows: Vec<Row> = names.into_iter().filter_map(|name| Row::read(&self.tertulia, name)).collect();
        encode_sums(&rows, &mut encoder)?;
        match self.per_connection {
            MetricsPerConnection::Auto if rows.len() > MOST_WITH_SERIES => Ok(()),
            MetricsPerConnection::Never => Ok(()),
            MetricsPerConnection::Auto | MetricsPerConnection::Always => encode_each(&rows, &mut encoder),
        }
    }
}

/// Counters are not summed here: a sum over the present connections would fall when a connection is removed. The
/// process counts frames, commands and reconnects of all connections itself.
fn encode_sums(rows: &[Row], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let lacking = PARTS.iter().enumerate().map(|(part, name)| (*name, rows.iter().map(|row| row.lacking[part]).sum()));
    let counts = [
        ("connections", "Connections, by state.", "state", count(rows.iter().map(|row| row.state.as_ref()))),
        (
            "connections_waiting",
            "Connections that wait before the next attempt, by reason.",
            "reason",
            count(rows.iter().filter_map(|row| row.waiting.as_deref())),
        ),
        (
            "connections_lacking",
            "What connections lack on their sockets: the number of connections that lack a part, and of missing histories.",
            "part",
            lacking.collect(),
        ),
    ];
    for (name, help, label, counts) in counts {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, count) in counts {
            ConstGauge::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
    }
    for (name, help, value) in [
        (
            "connections_attempts",
            "Failed attempts of all connections since each was last stable.",
            rows.iter().map(|row| row.attempts).sum::<i64>(),
        ),
        (
            "frames_waiting",
            "Frames that were read but are not yet handled and durable.",
            rows.iter().map(|row| row.frames_waiting).sum(),
        ),
        (
            "requests_in_flight",
            "Requests that wait for the platform's answer.",
            rows.iter().map(|row| row.requests_in_flight).sum(),
        ),
    ] {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    for (name, help, value) in [
        (
            "event_lag_seconds",
            "The longest time from a connection's last frame to its events, without the platform's time.",
            rows.iter().map(|row| row.event_lag_seconds).fold(0.0, f64::max),
        ),
        (
            "last_frame_timestamp_seconds",
            "When the last frame of all connections arrived, in seconds since 1970; 0 before the first frame.",
            rows.iter().map(|row| row.last_frame_seconds).fold(0.0, f64::max),
        ),
    ] {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    Ok(())
}

fn encode_each(rows: &[Row], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "The present state of a connection, as a label.";
    let mut family = encoder.encode_descriptor("connection_state", help, None, MetricType::Gauge)?;
    for row in rows {
        let labels = [("connection", row.name.as_str()), ("state", row.state.as_ref())];
        ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
    }

    let help = "What a connection lacks on its socket: 1 for each missing part, and the number of missing histories.";
    let mut family = encoder.encode_descriptor("connection_lacking", help, None, MetricType::Gauge)?;
    for row in rows {
        for (part, lacking) in PARTS.into_iter().zip(row.lacking) {
            let labels = [("connection", row.name.as_str()), ("part", part)];
            ConstGauge::new(lacking).encode(family.encode_family(&labels)?)?;
        }
    }

    let help = "1 while a connection waits before its next attempt, with the reason as a label.";
    let mut family = encoder.encode_descriptor("connection_waiting", help, None, MetricType::Gauge)?;
    for row in rows {
        if let Some(reason) = &row.waiting {
            let labels = [("connection", row.name.as_str()), ("reason", reason.as_ref())];
            ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
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
        ("connection_frames", "Frames that arrived on a connection.", MetricType::Counter, &|row| counter(row.frames)),
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
        for row in rows {
            value(row).encode(family.encode_family(&[("connection", row.name.as_str())])?)?;
        }
    }

    let help = "Commands of a connection's conversations, by outcome.";
    let mut family = encoder.encode_descriptor("connection_commands", help, None, MetricType::Counter)?;
    for row in rows {
        for (outcome, count) in [("done", row.commands_done), ("failed", row.commands_failed)] {
            let labels = [("connection", row.name.as_str()), ("outcome", outcome)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};
    use tertulia_actors::{intake::IntakeSettings, platform::AppCredentials};

    use super::*;
    use crate::reach::Pattern;

    /// The metrics of this many connections, for a reader who sees those within `reach`.
    async fn metrics(connections: usize, per_connection: MetricsPerConnection, reach: Reach) -> String {
        let app = AppCredentials { client_id: "app".into(), secret: "secret".into() };
        let id = |number| format!("intake-{number}");
        let intakes = (0..connections).map(|number| IntakeSettings::intake(id(number), "12345678", app.clone()));
        let tertulia = Arc::new(Tertulia::builder().intakes(intakes).start().unwrap());
        for number in 0..connections {
            let id = ConnectionId::from(id(number));
            tertulia.connection(&id).begun().await;
            tertulia.metrics().connection(&id).frames_waiting.set(2);
        }
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Connections { tertulia, per_connection, reach }));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[actix_rt::test]
    async fn by_default_a_hundred_connections_have_series_of_their_own_and_more_have_only_sums() {
        for (connections, per_connection, is_each_shown) in [
            (MOST_WITH_SERIES, MetricsPerConnection::Auto, true),
            (MOST_WITH_SERIES + 1, MetricsPerConnection::Auto, false),
            (MOST_WITH_SERIES + 1, MetricsPerConnection::Always, true),
            (1, MetricsPerConnection::Never, false),
        ] {
            let text = metrics(connections, per_connection, Reach::EVERYTHING).await;
            let labels = text.matches("{connection=\"intake-0\"").count();
            assert_eq!(labels > 0, is_each_shown, "{connections} connections, {per_connection:?}: {text}");
            assert!(text.contains(&format!("\nframes_waiting {}\n", 2 * connections)), "{text}");
            assert!(text.contains(&format!("\nconnections{{state=\"ready\"}} {connections}\n")), "{text}");
        }
    }

    #[actix_rt::test]
    async fn a_reader_gets_the_sums_and_the_series_of_the_connections_within_reach() {
        let reach = Reach::within(vec![Pattern::new("intake-7")]);
        let text = metrics(MOST_WITH_SERIES + 1, MetricsPerConnection::Auto, reach).await;
        assert!(text.contains("{connection=\"intake-7\"") && !text.contains("{connection=\"intake-8\""), "{text}");
        assert!(text.contains("\nframes_waiting 2\n"), "{text}");
        assert!(text.contains("\nconnections{state=\"ready\"} 1\n"), "{text}");
    }
}
