//! The account's HTTP endpoints, all on the TLS listener. Discovery is on the plain listener too.

mod cors;
mod discovery;
mod idp;
mod login;
mod messaging;
mod rest;
mod ruled;
mod send_api;
mod storage;

use actix_web::web::{self, ServiceConfig};

pub(crate) use cors::cors;
pub(crate) use ruled::{html_page, ruled};

use crate::socket;

/// Everything the TLS listener serves.
pub(crate) fn platform(config: &mut ServiceConfig) {
    discovery::routes(config);
    login::routes(config);
    messaging::routes(config);
    idp::routes(config);
    rest::routes(config);
    send_api::routes(config);
    storage::routes(config);
    config
        .route("/ws_api/account/{account}/messaging/brand/{bearer}", web::get().to(socket::brand))
        .route("/ws_api/account/{account}/messaging/consumer", web::get().to(socket::consumer));
}

/// What the plain listener serves.
pub(crate) fn discovery_only(config: &mut ServiceConfig) {
    discovery::routes(config);
}

/// An error body some clients insist on: `error` is a plain text (protocol [§2.1](crate::protocol#21)).
fn error_body(text: &str) -> serde_json::Value {
    serde_json::json!({"error": text})
}
