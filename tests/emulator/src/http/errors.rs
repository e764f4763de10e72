//! Gives every error a JSON body, whether a service, an extractor or the router refuses the request.

use actix_web::Error;
use actix_web::HttpResponse;
use actix_web::body::{BoxBody, to_bytes_limited};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::middleware::Next;

use super::error_body;

/// The longest text of an error that is read.
const LONGEST: usize = 64 * 1024;

/// Middleware of every listener: replaces an empty body or a plain text of an error by a JSON body with the text.
pub(crate) async fn json_errors(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match next.call(request).await {
        Ok(response) => {
            let (request, response) = response.into_parts();
            Ok(ServiceResponse::new(request, in_json(response).await))
        }
        Err(error) => {
            let response = in_json(error.error_response()).await;
            Err(InternalError::from_response(error, response).into())
        }
    }
}

async fn in_json(response: HttpResponse) -> HttpResponse {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_plain = kind.is_none_or(|kind| kind.starts_with("text/plain"));
    if !is_plain || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let body = to_bytes_limited(body, LONGEST).await;
    let text = body.ok().and_then(Result::ok).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let text = if text.is_empty() { status.canonical_reason().unwrap_or("Error") } else { &text };
    head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.set_body(BoxBody::new(error_body(text).to_string()))
}
