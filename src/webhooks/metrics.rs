//! Metrics of all webhooks together, because labels for up to 100 webhooks would be too many.

use std::time::Duration;

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::verdict::KINDS;

type Outcomes = Family<[(&'static str, &'static str); 1], Counter>;

const DELIVERED: &str = "delivered";
const GIVEN_UP: &str = "given-up";
const CARRIED_OUT: &str = "carried-out";
const REFUSED: &str = "refused";
const UNUSABLE: &str = "unusable";

/// Counters that exist from the start, so that their first increase is visible.
fn outcomes(words: &[&'static str]) -> Outcomes {
    let outcomes = Outcomes::default();
    for word in words {
        drop(outcomes.get_or_create(&[("outcome", *word)]));
    }
    outcomes
}

/// Metrics of webhooks.
#[derive(Debug)]
pub struct WebhookMetrics {
    attempts: Outcomes,
    attempt_duration: Histogram,
    deliveries: Outcomes,
    delivery_latency: Histogram,
    replies: Outcomes,
    pub(super) pending: Gauge,
    pub(super) webhooks: Gauge,
    pub(super) disabled: Gauge,
    pub(super) down: Gauge,
}

impl Default for WebhookMetrics {
    fn default() -> Self {
        Self {
            attempts: outcomes(&KINDS),
            // From 2 ms to 33 s.
            attempt_duration: Histogram::new(exponential_buckets(0.002, 2.0, 15)),
            deliveries: outcomes(&[DELIVERED, GIVEN_UP]),
            // From 5 ms to 23 hours.
            delivery_latency: Histogram::new(exponential_buckets(0.005, 4.0, 13)),
            replies: outcomes(&[CARRIED_OUT, REFUSED, UNUSABLE]),
            pending: Gauge::default(),
            webhooks: Gauge::default(),
            disabled: Gauge::default(),
            down: Gauge::default(),
        }
    }
}

impl WebhookMetrics {
    /// Registers all metrics in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("webhook");
        registry.register("attempts", "Attempts to deliver an event, by outcome", self.attempts.clone());
        registry.register_with_unit(
            "attempt_duration",
            "Duration of attempts to deliver an event",
            Unit::Seconds,
            self.attempt_duration.clone(),
        );
        registry.register("deliveries", "Events that were delivered or given up, by outcome", self.deliveries.clone());
        registry.register_with_unit(
            "delivery_latency",
            "Time from an event to its delivery, retries included",
            Unit::Seconds,
            self.delivery_latency.clone(),
        );
        registry.register("replies", "Receivers' answers that ask for commands, by outcome", self.replies.clone());
        registry.register(
            "pending",
            "Events that were read from the log and are not yet delivered",
            self.pending.clone(),
        );
        registry.register("webhooks", "Webhooks that exist", self.webhooks.clone());
        registry.register("disabled", "Webhooks that are disabled", self.disabled.clone());
        registry.register("receivers_down", "Webhooks whose receiver seems down and is only probed", self.down.clone());
    }

    /// The number of attempts that failed.
    pub(crate) fn failures(&self) -> u64 {
        let failed = KINDS.iter().filter(|kind| **kind != DELIVERED);
        failed.map(|kind| self.attempts.get_or_create(&[("outcome", *kind)]).get()).sum()
    }

    pub(super) fn attempted(&self, outcome: &'static str, took: Duration) {
        self.attempts.get_or_create(&[("outcome", outcome)]).inc();
        self.attempt_duration.observe(took.as_secs_f64());
    }

    pub(super) fn delivered(&self, age: Option<Duration>) {
        self.deliveries.get_or_create(&[("outcome", DELIVERED)]).inc();
        if let Some(age) = age {
            self.delivery_latency.observe(age.as_secs_f64());
        }
    }

    /// Counts a reply that has ended: either all its commands succeeded, or at least one failed.
    pub(super) fn replied(&self, is_carried_out: bool) {
        let outcome = if is_carried_out { CARRIED_OUT } else { REFUSED };
        self.replies.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub(super) fn unusable(&self) {
        self.replies.get_or_create(&[("outcome", UNUSABLE)]).inc();
    }

    pub(super) fn given_up(&self) {
        self.deliveries.get_or_create(&[("outcome", GIVEN_UP)]).inc();
    }
}
