//! What every answer carries so that a browser makes nothing of it that it is not: no guessing of types, no frames, no
//! reading by pages of other origins, nothing kept of `/v1`. A resource that sets one of them itself, such as a page's
//! own policy, is left alone. No answer allows another origin anything (CORS).

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

/// Adds what is missing.
pub(super) fn shut(response: &mut ServiceResponse<BoxBody>) {
    let is_data = response.request().path().starts_with("/v1");
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let headers = response.headers_mut();
    let no_store = (is_data || is_error).then_some((header::CACHE_CONTROL, "no-store"));
    for (name, value) in SHUT.into_iter().chain(no_store) {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
