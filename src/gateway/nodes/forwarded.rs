//! Metrics of requests to other nodes.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tertulia_actors::metrics::Latency;

use crate::cluster::peers::{PeerError, PeerResponse};

/// The outcome of a request, as a label.
type Outcomes = Family<[(&'static str, &'static str); 1], Counter>;

const ANSWERED: &str = "answered";
const MOVED: &str = "moved";
const NOT_REACHED: &str = "not-reached";
const NO_ANSWER: &str = "no-answer";

/// Metrics of requests to other nodes.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct ForwardMetrics {
    outcomes: Outcomes,
    durations: Latency,
}

impl Default for ForwardMetrics {
    fn default() -> Self {
        let outcomes = Outcomes::default();
        // Counters that exist from the start, so that their first increase is visible.
        for outcome in [ANSWERED, MOVED, NOT_REACHED, NO_ANSWER] {
            drop(outcomes.get_or_create(&[("outcome", outcome)]));
        }
        Self { outcomes, durations: Latency::default() }
    }
}

impl ForwardMetrics {
    pub(in crate::gateway) fn register(&self, registry: &mut Registry) {
        let help = "Requests to other nodes for a caller of this one, by outcome";
        registry.register("forwarded", help, self.outcomes.clone());
        let help = "Time from a request to another node to the headers of its response";
        registry.register("forward_seconds", help, self.durations.clone());
    }

    /// Counts a request to another node.
    pub(super) fn count(&self, answered: &Result<PeerResponse, PeerError>, took: Duration) {
        let outcome = match answered {
            Ok(response) if response.status() == actix_web::http::StatusCode::MISDIRECTED_REQUEST => MOVED,
            Ok(_) => ANSWERED,
            Err(PeerError::NotSent(_)) => NOT_REACHED,
            Err(PeerError::NoAnswer(_)) => NO_ANSWER,
        };
        self.outcomes.get_or_create(&[("outcome", outcome)]).inc();
        if answered.is_ok() {
            self.durations.observe(took);
        }
    }
}
