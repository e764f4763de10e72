//! The overview of several nodes, put together. Pure.

use serde::{Deserialize, Serialize};

use super::{
    counts::Counts,
    numbers::Overview,
    recent::{Counted, Latencies},
};

/// The overview of one node, as nodes give it to each other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    #[serde(flatten)]
    pub(super) overview: Overview,
    /// The histograms of `latency`, because quantiles cannot be added up.
    pub(super) counted: Option<Counted>,
}

impl Part {
    /// The overview of this node alone.
    pub(super) fn alone(self) -> Overview {
        Overview { latency: self.counted.as_ref().map(Latencies::of), ..self.overview }
    }

    /// The overview of this node and the others. What the store has, the first one knows for all.
    pub(super) fn with(self, others: Vec<Self>, incomplete: Vec<String>) -> Overview {
        let mut all = others.into_iter().fold(self, |mut all, other| {
            all.overview.add(other.overview);
            all.counted = match (all.counted, other.counted) {
                (Some(one), Some(other)) => Some(one.plus(&other)),
                (one, other) => one.or(other),
            };
            all
        });
        all.overview.incomplete = incomplete;
        all.alone()
    }
}

impl Overview {
    fn add(&mut self, other: Self) {
        self.uptime_seconds = self.uptime_seconds.max(other.uptime_seconds);
        sum(&mut self.resident_bytes, other.resident_bytes);
        let (connections, more) = (&mut self.connections, other.connections);
        connections.total += more.total;
        connections.ready += more.ready;
        connections.working += more.working;
        connections.failed += more.failed;
        connections.stopped += more.stopped;
        let (conversations, more) = (&mut self.conversations, other.conversations);
        conversations.in_memory += more.in_memory;
        sum(&mut conversations.asleep, more.asleep);
        sum(&mut conversations.quarantined, more.quarantined);
        sum(&mut self.journal.waiting, other.journal.waiting);
        self.journal.healthy &= other.journal.healthy;
        self.counts.add(&other.counts);
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        sum(&mut self.events, other.events);
        self.commands_done += other.commands_done;
        self.commands_failed += other.commands_failed;
        self.reconnects += other.reconnects;
        self.restarts += other.restarts;
        sum(&mut self.message_gaps, other.message_gaps);
        sum(&mut self.messages_back_filled, other.messages_back_filled);
        sum(&mut self.dead_letters, other.dead_letters);
    }
}

/// Adds a number that is null for a token that does not reach every connection.
fn sum<T: std::ops::Add<Output = T>>(all: &mut Option<T>, more: Option<T>) {
    *all = match (all.take(), more) {
        (Some(all), Some(more)) => Some(all + more),
        (all, more) => all.or(more),
    };
}
