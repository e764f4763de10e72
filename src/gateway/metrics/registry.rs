//! The registry of the metrics that belong to no connection.

use std::sync::Arc;

use prometheus_client::{metrics::info::Info, registry::Registry};
use tertulia_actors::Tertulia;

use super::{
    http::HttpMetrics,
    journal::JournalState,
    process::{Process, Spans},
};
use crate::webhooks::WebhookMetrics;

/// The prefix of the service's metrics.
pub(super) const PREFIX: &str = "tertulia";

/// Registers the metrics of all parts under `tertulia_`, and the process's metrics under their usual names. The metrics
/// of connections are not among them, because the caller of `/metrics` gets them as configured.
pub(in crate::gateway) fn registry(
    tertulia: &Arc<Tertulia>,
    webhooks: &WebhookMetrics,
    http: &HttpMetrics,
) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process::own()));
    let own = registry.sub_registry_with_prefix(PREFIX);
    own.register("build", "Version of the program, as a label", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    tertulia.metrics().register(own);
    webhooks.register(own);
    http.register(own);
    own.register_collector(Box::new(JournalState(Arc::clone(tertulia.journal()))));
    own.register_collector(Box::new(Spans));
    registry
}
