//! The control interface for tests in any language: traffic, faults, the ground truth.

mod apps;
mod faults;
mod ledger;
mod traffic;

use actix_web::web::{self, JsonConfig, ServiceConfig};
use actix_web::{HttpResponse, error::InternalError};

/// Everything the control listener serves.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.app_data(JsonConfig::default().content_type_required(false).error_handler(|error, _| {
        let body = serde_json::json!({"error": error.to_string()});
        InternalError::from_response(error, HttpResponse::BadRequest().json(body)).into()
    }));
    config.route("/healthz", web::get().to(alive));
    apps::routes(config);
    traffic::routes(config);
    faults::routes(config);
    ledger::routes(config);
}

/// Reports that the stand-in listens.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"alive": true}))
}

fn refused(code: u16, text: &str) -> HttpResponse {
    use actix_web::http::StatusCode;
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status).json(serde_json::json!({"error": text}))
}
