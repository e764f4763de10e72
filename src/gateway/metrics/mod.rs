//! `/metrics`: OpenMetrics text for Prometheus. `metrics.md` in this directory lists every name, and
//! `tests/operations/metrics.rs` compares the two.

mod connections;
mod http;
mod journal;
mod process;

use std::sync::Arc;

use actix_web::{HttpResponse, get, http::header, middleware::from_fn};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tertulia_actors::Tertulia;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{access, problem::Problem, state::Caller};
use connections::Connections;
use journal::JournalState;
pub(super) use process::resident_bytes;
use process::{ProcessMemory, Spans};

use crate::{reach::Reach, webhooks::WebhookMetrics};
pub(super) use http::HttpMetrics;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The prefix of the service's metrics.
const PREFIX: &str = "tertulia";

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(scrape);
}

/// Registers all metrics under `tertulia_`, and the process's memory under the standard name.
pub(super) fn registry(tertulia: &Arc<Tertulia>, webhooks: &WebhookMetrics, http: &HttpMetrics) -> Registry {
    let mut registry = Registry::default();
    let own = registry.sub_registry_with_prefix(PREFIX);
    tertulia.metrics().register(own);
    webhooks.register(own);
    http.register(own);
    own.register_collector(Box::new(JournalState(Arc::clone(tertulia.journal()))));
    own.register_collector(Box::new(Connections { tertulia: Arc::clone(tertulia), reach: Reach::EVERYTHING }));
    own.register_collector(Box::new(Spans));
    registry.register_collector(Box::new(ProcessMemory));
    registry
}

/// The metrics of a caller's connections. All other metrics count for connections that the caller does not see.
fn of_connections(caller: &Caller) -> Registry {
    let (tertulia, reach) = (Arc::clone(caller.state().everything()), caller.reach().clone());
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Connections { tertulia, reach }));
    registry
}

/// Returns the metrics for Prometheus; to a token that does not reach every connection, those of its connections.
#[utoipa::path(tag = "service", responses((status = 200, description = "OpenMetrics", body = String, content_type = CONTENT_TYPE)))]
#[get("/metrics", wrap = "from_fn(access::require)")]
async fn scrape(caller: Caller) -> Result<HttpResponse, Problem> {
    let mut text = String::new();
    let part = (!caller.reach().is_everything()).then(|| of_connections(&caller));
    // Writing into a string does not fail.
    let _ = encode(&mut text, part.as_ref().unwrap_or(&caller.state().registry));
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text))
}
