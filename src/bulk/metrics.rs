//! What is counted of bulk work.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// What was done and what became of it, as labels.
type Result = [(&'static str, &'static str); 2];

/// What is counted of bulk work.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) items: Family<Result, Counter>,
    pub(super) retries: Counter,
    pub(super) in_flight: Gauge,
    pub(super) active: Gauge,
    pub(super) slowed_down: Counter,
}

impl Metrics {
    pub(super) fn settled(&self, operation: &'static str, outcome: &'static str) {
        self.items.get_or_create(&[("operation", operation), ("outcome", outcome)]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "bulk_items",
            "Items of bulk jobs that are over, by operation and outcome",
            self.items.clone(),
        );
        registry.register("bulk_retries", "Items of bulk jobs that are to be tried again", self.retries.clone());
        registry.register("bulk_in_flight", "Items of bulk jobs that are being carried out", self.in_flight.clone());
        registry.register("bulk_jobs_active", "Bulk jobs that have not ended", self.active.clone());
        registry.register(
            "bulk_slowed_down",
            "Times that bulk jobs were slowed down because the platform was asked too much of",
            self.slowed_down.clone(),
        );
    }
}
