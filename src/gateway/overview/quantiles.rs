//! Quantiles of counted latencies.

use serde::{Deserialize, Serialize};
use tertulia_actors::metrics::Latency;
use utoipa::ToSchema;

/// Quantiles in seconds, as precise as the buckets of `/metrics`; null if nothing was counted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Quantiles {
    pub(super) count: u64,
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
}

impl Quantiles {
    pub(super) fn of(counted: &Latency) -> Self {
        let seconds = |quantile| counted.quantile(quantile).map(|time| time.as_secs_f64());
        Self { count: counted.count(), p50: seconds(0.5), p99: seconds(0.99) }
    }
}
