//! The account's HTTP endpoints, all on the TLS listener. Discovery is on the plain listener too.

mod account_config;
mod auth;
mod cors;
mod discovery;
mod errors;
mod history;
mod idp;
mod login;
mod messaging;
mod messaging_rest;
mod reporting;
mod ruled;
mod send_api;
mod storage;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};

pub(crate) use cors::cors;
pub(crate) use errors::json_errors;
pub(crate) use ruled::{html_page, ruled};

use crate::platform::Refusal;
use crate::socket;

/// Everything the TLS listener serves.
pub(crate) fn platform(config: &mut ServiceConfig) {
    discovery::routes(config);
    login::routes(config);
    messaging::routes(config);
    messaging_rest::routes(config);
    idp::routes(config);
    account_config::routes(config);
    reporting::routes(config);
    history::routes(config);
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

/// A refusal as an answer by HTTP.
fn refused(refusal: &Refusal) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::BAD_REQUEST))
        .json(error_body(&refusal.text))
}

/// An error body some clients insist on: `error` is a plain text (protocol [§2.1](crate::protocol#21)).
fn error_body(text: &str) -> serde_json::Value {
    serde_json::json!({"error": text})
}
