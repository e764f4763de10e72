//! The summary of a demo.

use std::{fmt, time::Instant};

use serde::Serialize;
use tertulia_actors::metrics::Metrics;
use tertulia_emulator::LedgerSummary;

use super::{Proof, Scale, fleet::Fleet};

/// The results of a demo.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Conversations held at once.
    pub conversations: u32,
    /// Bots that answered.
    pub bots: u32,
    /// Messages of consumers in the platform's ledger.
    pub consumer_messages: u64,
    /// Messages of bots in the platform's ledger.
    pub bot_replies: u64,
    /// Messages that the other side did not receive, or that never reached the ledger.
    pub lost: u64,
    /// Messages that were sent or received more than once.
    pub duplicated: u64,
    /// Messages that were received after a later message.
    pub out_of_order: u64,
    /// Events emitted.
    pub events: u64,
    /// The state notifications by outcome.
    pub state_notifications: StateNotifications,
    /// Connections that became ready again after a loss.
    pub reconnects: u64,
    /// Actors restarted after a panic.
    pub restarts: u64,
    /// Faults the platform injected.
    pub faults_injected: u64,
    /// Time from a consumer's message to the bot's answer at the consumer.
    pub latency_ms: Latency,
    /// The duration of the demo, in seconds.
    pub elapsed_s: f64,
    /// The peak memory of the process, including the platform stand-in; 0 if the system does not report it.
    pub peak_rss_bytes: u64,
    /// What the nodes did, if there were any. The peak memory then includes theirs.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesSummary>,
}

/// The part of a summary that only a demo of several nodes has.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NodesSummary {
    /// The number of nodes at the beginning.
    pub nodes: usize,
    /// Connections of a killed node that another node runs.
    pub takeovers: usize,
    /// Seconds from the death of a node until the last of its connections was ready at another node; 0 if none died.
    pub takeover_s: f64,
    /// Requests that change something and came from an older session of a login after a request of a newer one.
    pub stale_requests: u64,
}

/// The sums of the service's own counters that a summary shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) state_notifications: [u64; 3],
    pub(super) reconnects: u64,
    pub(super) restarts: u64,
}

impl Counts {
    pub(super) fn of(metrics: &Metrics) -> Self {
        Self {
            events: metrics.events.get(),
            state_notifications: [
                metrics.state_notifications_processed.get(),
                metrics.state_notifications_ignored.get(),
                metrics.state_notifications_out_of_order.get(),
            ],
            reconnects: metrics.reconnects.get(),
            restarts: metrics.actor_restarts.get(),
        }
    }

    /// Adds the counters of a process, in Prometheus's text format.
    pub(super) fn add(&mut self, exposed: &str) {
        let sum = |name: &str| -> u64 {
            let values = exposed.lines().filter_map(|line| line.strip_prefix(name)?.split_whitespace().last());
            values.filter_map(|value| value.parse::<f64>().ok()).sum::<f64>() as u64
        };
        self.events += sum("tertulia_events_total");
        let [processed, ignored, out_of_order] = &mut self.state_notifications;
        *processed += sum("tertulia_state_notifications_processed_total");
        *ignored += sum("tertulia_state_notifications_ignored_total");
        *out_of_order += sum("tertulia_state_notifications_out_of_order_total");
        self.reconnects += sum("tertulia_reconnects_total");
        self.restarts += sum("tertulia_actor_restarts_total");
    }
}

/// The state notifications by outcome.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StateNotifications {
    /// Applied.
    pub processed: u64,
    /// Repeats of a known state.
    pub ignored: u64,
    /// Older than the known state.
    pub out_of_order: u64,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Summary {
    pub(super) fn new(
        scale: Scale,
        begun: Instant,
        ledger: &LedgerSummary,
        counts: &Counts,
        fleet: &Fleet,
        proof: Proof,
    ) -> Self {
        let latency = fleet.latency();
        let [processed, ignored, out_of_order] = counts.state_notifications;
        let milliseconds = |micros: u64| micros as f64 / 1000.0;
        Self {
            conversations: scale.conversations,
            bots: scale.bots,
            consumer_messages: ledger.consumer_messages,
            bot_replies: ledger.agent_messages,
            lost: proof.lost,
            duplicated: proof.duplicated,
            out_of_order: proof.out_of_order,
            events: counts.events,
            state_notifications: StateNotifications { processed, ignored, out_of_order },
            reconnects: counts.reconnects,
            restarts: counts.restarts,
            faults_injected: ledger.faults,
            latency_ms: Latency {
                p50: milliseconds(latency.value_at_quantile(0.5)),
                p99: milliseconds(latency.value_at_quantile(0.99)),
                max: milliseconds(latency.max()),
            },
            elapsed_s: begun.elapsed().as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes("self").unwrap_or_default(),
            nodes: None,
        }
    }

    /// Whether nothing was lost, duplicated or reordered, and no two sessions of a login acted.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let stale = self.nodes.map_or(0, |nodes| nodes.stale_requests);
        (self.lost, self.duplicated, self.out_of_order, stale) == (0, 0, 0, 0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, max } = self.latency_ms;
        let StateNotifications { processed, ignored, out_of_order } = self.state_notifications;
        writeln!(f, "conversations        {} held by {} bots", self.conversations, self.bots)?;
        writeln!(f, "consumers said       {}", self.consumer_messages)?;
        writeln!(f, "bots answered        {}", self.bot_replies)?;
        writeln!(f, "lost                 {}", self.lost)?;
        writeln!(f, "duplicated           {}", self.duplicated)?;
        writeln!(f, "out of order         {}", self.out_of_order)?;
        writeln!(f, "events               {}", self.events)?;
        writeln!(f, "state notifications  {processed} processed, {ignored} ignored, {out_of_order} out of order")?;
        writeln!(f, "faults injected      {}", self.faults_injected)?;
        writeln!(f, "reconnects           {}, restarts {}", self.reconnects, self.restarts)?;
        writeln!(f, "question to answer   p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")?;
        if let Some(NodesSummary { nodes, takeovers, takeover_s, stale_requests }) = self.nodes {
            writeln!(f, "nodes                {nodes}, {takeovers} connections taken over within {takeover_s:.1} s")?;
            writeln!(f, "stale requests       {stale_requests}")?;
        }
        writeln!(f, "elapsed              {:.1} s", self.elapsed_s)?;
        write!(f, "peak memory          {} MiB", self.peak_rss_bytes / (1024 * 1024))
    }
}

/// The peak memory of a process by its id, or of this one by `self`.
pub(super) fn peak_rss_bytes(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
