//! Cross-origin requests (CORS): pages of the configured origins may call from a browser, and pages of no other origin.

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

use super::state::State;

/// What a preflight request is answered with: the methods and headers of all resources, for ten minutes.
const PREFLIGHT: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Mcp-Method, Mcp-Name, \
         Mcp-Protocol-Version, X-Request-Id",
    ),
    (header::ACCESS_CONTROL_MAX_AGE, "600"),
];
/// The headers of responses that a page may read.
const EXPOSED: &str = "Content-Disposition, ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id";

/// Answers preflight requests, and lets pages of the allowed origins read every response, errors and streams included.
pub(super) async fn allow(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let access = request.app_data::<Data<State>>().map(|state| state.access.load_full());
    let Some(access) = access.filter(|access| !access.origins().is_empty()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let origin = request.headers().get(header::ORIGIN).cloned().filter(|_| access.origins().allow(request.headers()));
    let is_preflight = request.method() == Method::OPTIONS
        && origin.is_some()
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let mut answer = HttpResponse::NoContent();
        PREFLIGHT.into_iter().for_each(|header| _ = answer.insert_header(header));
        request.into_response(answer.finish())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = response.headers_mut();
    // Caches must not give the response for one origin to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    Ok(response)
}
