//! Metrics of bulk jobs.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The operation and the outcome, as labels.
type Result = [(&'static str, &'static str); 2];

/// Metrics of bulk jobs.
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
        registry.register("bulk_items", "Finished items of bulk jobs, by operation and outcome", self.items.clone());
        registry.register("bulk_retries", "Retries of items of bulk jobs", self.retries.clone());
        registry.register("bulk_in_flight", "Items of bulk jobs that are in progress", self.in_flight.clone());
        registry.register("bulk_jobs_active", "Bulk jobs that have not ended", self.active.clone());
        registry.register(
            "bulk_slowed_down",
            "Times that bulk jobs slowed down because the platform throttled requests",
            self.slowed_down.clone(),
        );
    }
}
