//! What browsers ask before they let a page speak to discovery, identity and storage: any page may.

use actix_web::Error;
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;

/// Middleware of every listener: answers `OPTIONS` and echoes the origin, for the services that pages use.
pub(crate) async fn cors(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let origin = request.headers().get(header::ORIGIN).cloned().filter(|_| is_for_pages(request.path()));
    let Some(origin) = origin else { return next.call(request).await };
    let mut response = if request.method() == Method::OPTIONS {
        let (request, _) = request.into_parts();
        let mut response = HttpResponse::NoContent().finish();
        allow(request.headers(), response.headers_mut());
        ServiceResponse::new(request, response)
    } else {
        next.call(request).await?
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

fn is_for_pages(path: &str) -> bool {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let identity =
        ["signup", "signup.jsonp", "anonymous", "authenticate", "app", "consumer", "login", "refresh", "logout"];
    match segments[..] {
        ["api", "account", _, service, ..] => service == "service" || identity.contains(&service),
        ["csdr", "account", _, service, ..] => service == "service",
        _ => segments.starts_with(&["v1", "AUTH_async-images"]),
    }
}

/// Everything that was asked for is allowed.
fn allow(asked: &HeaderMap, allowed: &mut HeaderMap) {
    let methods = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD).cloned();
    allowed.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        methods.unwrap_or_else(|| HeaderValue::from_static("GET, POST, PUT")),
    );
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}
