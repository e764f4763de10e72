//! A histogram of durations, for Prometheus and for callers in this process that need quantiles. The histogram of
//! `prometheus-client` locks for each observation and cannot be read.

use std::{
    fmt, iter,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The upper bounds of the buckets, in nanoseconds: from 10 microseconds to a minute. One more bucket counts longer
/// durations.
const BOUNDS: [u64; 21] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];
const BUCKETS: usize = BOUNDS.len() + 1;
const NANOS: f64 = 1e9;

/// A histogram of durations. Clones share their counts; counting takes no lock.
#[derive(Clone, Debug, Default)]
pub struct Latency(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Latency {
    /// Counts a duration.
    pub fn observe(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some(count) = self.0.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
            self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    /// Returns a copy with the present counts, which does not change when this histogram counts further.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self::of(self.counts(), self.nanos())
    }

    /// The number of durations counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// Returns a copy with the counts since `earlier`, a snapshot of this histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.counts();
        for (count, then) in counts.iter_mut().zip(earlier.counts()) {
            *count = count.saturating_sub(then);
        }
        Self::of(counts, self.nanos().saturating_sub(earlier.nanos()))
    }

    /// Returns a copy with the counts of both. Histograms of several processes can be added up, because all have the same
    /// buckets.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut counts = self.counts();
        for (count, more) in counts.iter_mut().zip(other.counts()) {
            *count = count.saturating_add(more);
        }
        Self::of(counts, self.nanos().saturating_add(other.nanos()))
    }

    /// Returns an estimate of the quantile `quantile` (from 0 to 1), as exact as the buckets allow: durations within a
    /// bucket are assumed to be evenly distributed. `None` if nothing was counted.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let counts = self.counts();
        let count: u64 = counts.iter().sum();
        if count == 0 {
            return None;
        }
        let rank = quantile.clamp(0.0, 1.0) * as_f64(count);
        let (mut below, mut lower) = (0.0, 0.0);
        for (bound, count) in iter::zip(BOUNDS, counts) {
            let (upper, inside) = (as_f64(bound) / NANOS, as_f64(count));
            if inside > 0.0 && below + inside >= rank {
                return Some(Duration::from_secs_f64(lower + (upper - lower) * ((rank - below) / inside).max(0.0)));
            }
            (below, lower) = (below + inside, upper);
        }
        Some(Duration::from_secs_f64(lower))
    }

    fn of(counts: [u64; BUCKETS], nanos: u64) -> Self {
        Self(Arc::new(Buckets { counts: counts.map(AtomicU64::new), nanos: AtomicU64::new(nanos) }))
    }

    /// The count of each bucket, not cumulative.
    fn counts(&self) -> [u64; BUCKETS] {
        self.0.counts.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    fn nanos(&self) -> u64 {
        self.0.nanos.load(Ordering::Relaxed)
    }
}

/// Counts stay far below 2^52, the limit of exact conversion.
#[expect(clippy::cast_precision_loss, reason = "exact for every count that can be reached")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

impl PartialEq for Latency {
    /// Whether both have counted the same.
    fn eq(&self, other: &Self) -> bool {
        (self.counts(), self.nanos()) == (other.counts(), other.nanos())
    }
}

impl Serialize for Latency {
    /// Serializes the count of each bucket, and the sum in nanoseconds.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.counts(), self.nanos()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (counts, nanos) = Deserialize::deserialize(deserializer)?;
        Ok(Self::of(counts, nanos))
    }
}

impl TypedMetric for Latency {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.counts();
        let bounds = BOUNDS.into_iter().map(|bound| as_f64(bound) / NANOS).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        encoder.encode_histogram::<NoLabelSet>(as_f64(self.nanos()) / NANOS, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    #[test]
    fn quantiles_are_as_exact_as_the_buckets() {
        let latency = Latency::default();
        assert_eq!(latency.snapshot().quantile(0.5), None);
        for _ in 0..98 {
            latency.observe(Duration::from_micros(90));
        }
        latency.observe(Duration::from_millis(40));
        latency.clone().observe(Duration::from_secs(3_600));
        let snapshot = latency.snapshot();
        assert_eq!(snapshot.count(), 100);
        let quantile = |quantile| snapshot.quantile(quantile).unwrap();
        assert!((Duration::from_micros(50)..=Duration::from_micros(100)).contains(&quantile(0.5)));
        assert!((Duration::from_millis(25)..=Duration::from_millis(50)).contains(&quantile(0.99)));
        assert_eq!(quantile(1.0), Duration::from_secs(60));
    }

    #[test]
    fn the_last_bucket_holds_every_duration_for_prometheus() {
        let latency = Latency::default();
        latency.observe(Duration::from_secs(3_600));
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register("wait_seconds", "Time", latency);
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("wait_seconds_bucket{le=\"60.0\"} 0\nwait_seconds_bucket{le=\"+Inf\"} 1\n"), "{text}");
    }

    #[test]
    fn histograms_of_several_processes_add_up() {
        let (one, other) = (Latency::default(), Latency::default());
        (0..3).for_each(|_| one.observe(Duration::from_millis(1)));
        other.observe(Duration::from_secs(30));
        let sent = serde_json::to_vec(&other).unwrap();
        let both = one.plus(&serde_json::from_slice(&sent).unwrap());
        assert_eq!((both.count(), both.nanos()), (4, 30_003_000_000));
        assert_eq!(both.quantile(1.0), Some(Duration::from_secs(30)));
        assert!(serde_json::from_str::<Latency>("[[1,2],3]").is_err(), "a version with other buckets");
    }

    #[test]
    fn a_time_on_a_bound_is_within_it() {
        let latency = Latency::default();
        latency.observe(Duration::from_millis(1));
        latency.observe(Duration::ZERO);
        assert!(latency.snapshot().quantile(1.0).unwrap() <= Duration::from_millis(1));
    }

    #[test]
    fn only_what_was_counted_since_a_snapshot_is_reported() {
        let latency = Latency::default();
        latency.observe(Duration::from_secs(1));
        let earlier = latency.snapshot();
        latency.observe(Duration::from_millis(1));
        let since = latency.snapshot().since(&earlier);
        assert_eq!(since.count(), 1);
        assert!(since.quantile(1.0).unwrap() <= Duration::from_millis(1));
    }
}
