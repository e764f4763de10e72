//! Metrics of the HTTP interface.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tertulia_actors::metrics::Latency;

/// A method, a path template and a status; each has few values.
pub(in crate::gateway) type Request = [(&'static str, String); 3];

/// Metrics of the HTTP interface.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct HttpMetrics {
    /// Answered requests.
    pub(in crate::gateway) requests: Family<Request, Counter>,
    /// Durations until the head of the response.
    pub(in crate::gateway) durations: Latency,
    /// Requests refused because their token's limit was reached.
    pub(in crate::gateway) limited: Counter,
    /// Open event streams.
    pub(in crate::gateway) streams: Gauge,
    /// Connections closed because their callers did not read a response.
    pub(in crate::gateway) stalled: Counter,
}

impl HttpMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { requests, durations, limited, streams, stalled } = self;
        let help = "Requests to the gateway, by method, path template and status";
        registry.register("http_requests", help, requests.clone());
        let help = "Time from the headers of a request to the headers of its response";
        registry.register("http_request_duration_seconds", help, durations.clone());
        let help = "Requests refused because their token's limit was reached";
        registry.register("http_requests_limited", help, limited.clone());
        registry.register("event_streams", "Event streams that are open", streams.clone());
        let help = "Connections closed because their callers did not read an answer";
        registry.register("http_connections_stalled", help, stalled.clone());
    }
}
