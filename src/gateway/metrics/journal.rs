//! Metrics of the journal: its backlog and its health.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Unit,
};
use tertulia_actors::engine::Journal;

/// The journal, read at each scrape.
pub(super) struct JournalState(pub(super) Arc<Journal>);

impl fmt::Debug for JournalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalState").finish_non_exhaustive()
    }
}

impl Collector for JournalState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Self(journal) = self;
        let waiting = i64::try_from(journal.waiting()).unwrap_or(i64::MAX);
        let damaged = i64::try_from(journal.damaged()).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("journal_waiting", "Steps that are not yet durable.", waiting),
            (
                "journal_healthy",
                "1 if the last commit succeeded and the store's files are still in place, else 0.",
                i64::from(journal.is_healthy()),
            ),
            ("events_damaged", "Events of the log that were found damaged; readers get a gap in their place.", damaged),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        let help = "Memory of the store and of the newest events, by part.";
        let mut gauges = encoder.encode_descriptor("store_memory", help, Some(&Unit::Bytes), MetricType::Gauge)?;
        for (name, bytes) in journal.memory() {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            ConstGauge::new(bytes).encode(gauges.encode_family(&[("part", name)])?)?;
        }
        let help = "Duration of a commit of the store.";
        let histogram = encoder.encode_descriptor("store_commit_seconds", help, None, MetricType::Histogram)?;
        journal.commits().encode(histogram)?;
        let help = "Steps that one commit of the store has made durable.";
        let histogram = encoder.encode_descriptor("commit_steps", help, None, MetricType::Histogram)?;
        journal.commit_steps().encode(histogram)
    }
}
