//! `/metrics`: metrics for Prometheus, in its own text format or as OpenMetrics. `metrics.md` in this directory lists
//! every name, and `tests/service/operations/metrics.rs` compares the two.

mod connections;
mod exposition;
mod http;
mod journal;
mod nodes;
mod process;
mod registry;

use std::sync::Arc;

use actix_web::{
    HttpResponse, get,
    http::header::{self, Accept},
    middleware::from_fn,
    web::Header,
};
use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    registry::Registry,
};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{admission, problem::Problem, state::Caller};
use connections::Connections;
use exposition::{Format, OPEN_METRICS, TEXT};
use registry::PREFIX;

pub(super) use http::HttpMetrics;
pub(super) use nodes::register_node;
pub(super) use process::resident_bytes;
pub(super) use registry::registry;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(scrape);
}

/// The metrics of a caller's connections.
fn of_connections(caller: &Caller) -> Registry {
    let (state, reach) = (caller.state(), caller.reach().clone());
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Connections {
        tertulia: Arc::clone(state.everything()),
        per_connection: state.per_connection,
        reach,
    }));
    registry
}

/// Returns the metrics for Prometheus, as OpenMetrics if the caller prefers it; to a token that does not reach every
/// connection, those of its connections.
#[utoipa::path(operation_id = "getMetrics", tag = "service", responses((status = 200, description = "Metrics",
    content((String = TEXT), (String = OPEN_METRICS)))))]
#[get("/metrics", wrap = "from_fn(admission::require)")]
async fn scrape(caller: Caller, accept: Option<Header<Accept>>) -> Result<HttpResponse, Problem> {
    // All other metrics count for connections that the caller may not see.
    let whole = caller.reach().is_everything().then(|| &caller.state().registry);
    let mut metrics = String::new();
    // Writing into a string does not fail.
    let _ = whole
        .map_or(Ok(()), |whole| encode_registry(&mut metrics, whole))
        .and_then(|()| encode_registry(&mut metrics, &of_connections(&caller)))
        .and_then(|()| encode_eof(&mut metrics));
    let format = accept.map_or(Format::Text, |accept| Format::preferred(&accept));
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, format.content_type()))
        .insert_header((header::VARY, "accept"))
        .body(format.of_open_metrics(metrics)))
}
