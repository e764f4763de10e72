//! The headers of every response, which keep a browser from misusing it: no guessing of types, no frames, no reading by
//! pages of other origins, no caching of `/v1`. A resource's own value of a header is kept. Only [`cors`](super::cors)
//! allows pages of other origins anything.

use actix_web::{
    body::BoxBody,
    dev::ServiceResponse,
    http::header::{self, HeaderName, HeaderValue},
};

const SHUT: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
];

/// Adds the missing headers.
pub(super) fn shut(response: &mut ServiceResponse<BoxBody>) {
    let path = response.request().path();
    let is_data = path.starts_with("/v1") || path == "/mcp";
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let headers = response.headers_mut();
    let no_store = (is_data || is_error).then_some((header::CACHE_CONTROL, "no-store"));
    for (name, value) in SHUT.into_iter().chain(no_store) {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
