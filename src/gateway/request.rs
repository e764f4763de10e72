//! One request from its head to the head of its response: id, span, access log line and metrics.
//!
//! A log line has the method, path template, status, duration and caller (the token's name), and the path of a request
//! that acts; never a query, a body or a token.

use std::{fmt, sync::Arc, time::Instant};

use actix_http::ConnectionType;
use actix_web::{
    Error, HttpMessage as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use tracing::{Instrument as _, field::Empty};
use uuid::Uuid;

use super::{access::Holder, clients::Client, headers, state::State};

/// The header with the request's id, which the response repeats.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is accepted from a caller.
const MAX_ID: usize = 128;
/// The target of the access log, by which its lines can be filtered.
const LOG: &str = "tertulia::access";
/// Probes and scrapes; their lines are not logged by default.
const QUIET: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// A request's id: the caller's id if it is short and harmless, otherwise a new one.
#[derive(Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The id of a request that is being answered.
    pub(super) fn value(&self) -> &HeaderValue {
        &self.0
    }

    fn of(headers: &HeaderMap) -> Self {
        let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let own = headers.get(REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=MAX_ID).contains(&bytes.len()) && bytes.iter().copied().all(is_harmless)
        });
        Self(own.cloned().unwrap_or_else(given))
    }
}

/// A new id for a request without one.
fn given() -> HeaderValue {
    // A UUID is always a valid header value.
    HeaderValue::from_str(&Uuid::now_v7().to_string()).unwrap_or(HeaderValue::from_static("none"))
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Wraps a request with its id, span, log line and metrics.
pub(super) async fn accompany(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let _busy = request.request().conn_data::<Client>().map(Client::asks);
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let span = tracing::info_span!("request", request_id = %id, %method, route = Empty, status = Empty);
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).instrument(span.clone()).await?.map_into_boxed_body();

    response.headers_mut().insert(REQUEST_ID, id.0.clone());
    headers::shut(&mut response);
    if response.status() == StatusCode::UNAUTHORIZED {
        // A caller without a valid token keeps no connection.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let status = response.status().as_u16();
    span.record("route", route.as_str()).record("status", status);
    let took = began.elapsed();
    if let Some(state) = response.request().app_data::<Data<State>>() {
        let labels =
            [("method", known(method.as_str()).to_owned()), ("route", route.clone()), ("status", status.to_string())];
        state.http.requests.get_or_create(&labels).inc();
        state.http.durations.observe(took);
    }
    let duration_ms = took.as_secs_f64() * 1e3;
    let extensions = response.request().extensions();
    let caller = extensions.get::<Arc<Holder>>().and_then(|holder| holder.name.as_deref()).unwrap_or("-");
    // The path of a request that acts says on what it acted, for an audit.
    let path = (!method.is_safe()).then(|| response.request().path());
    span.in_scope(|| {
        if QUIET.contains(&route.as_str()) {
            tracing::debug!(target: LOG, %method, route, status, duration_ms, caller, "answered");
        } else {
            tracing::info!(target: LOG, %method, route, path, status, duration_ms, caller, "answered");
        }
    });
    drop(extensions);
    Ok(response)
}

/// A method as a label. Callers can invent methods, so unknown methods share one label.
fn known(method: &str) -> &str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if KNOWN.contains(&method) { method } else { "other" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(own: &'static [u8]) -> String {
        let mut headers = HeaderMap::new();
        if let Ok(own) = HeaderValue::from_bytes(own) {
            headers.insert(REQUEST_ID, own);
        }
        RequestId::of(&headers).to_string()
    }

    #[test]
    fn a_callers_id_is_kept_if_it_is_short_and_harmless() {
        assert_eq!(id(b"abc-DEF_1.2:3"), "abc-DEF_1.2:3");
        for harmful in [&b""[..], b"with space", b"quote\"", b"new\tline", "\u{e9}".as_bytes(), &[b'x'; MAX_ID + 1]] {
            let made = id(harmful);
            assert!(Uuid::parse_str(&made).is_ok(), "{made}");
        }
    }
}
