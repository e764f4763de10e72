//! Which resource serves which path.

use actix_web::middleware::from_fn;
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::{
    admission, backup, bulk, connections, conversations, dashboard, dead_letters, events, health, intake, mcp, metrics,
    nodes, openapi, overview, rings, supervision, webhooks,
};

/// Everything that clients may call.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.configure(interface).configure(mcp::routes);
}

/// The HTTP interface. Other nodes and the tools for models call it too.
pub(super) fn interface(config: &mut ServiceConfig<'_>) {
    config
        .configure(health::routes)
        .configure(metrics::routes)
        .configure(openapi::serve)
        .configure(intake::routes)
        .configure(dashboard::routes);
    config.service(
        scope("/v1")
            .wrap(from_fn(nodes::forward))
            .wrap(from_fn(admission::require))
            .configure(nodes::routes)
            .configure(overview::routes)
            .configure(backup::routes)
            .configure(connections::routes)
            .configure(conversations::routes)
            .configure(rings::routes)
            .configure(supervision::routes)
            .configure(dead_letters::routes)
            .configure(webhooks::routes)
            .configure(bulk::routes)
            .configure(events::routes),
    );
}
