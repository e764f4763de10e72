//! `…/platform/{service}/{path}`: the login's access to the platform's other HTTP services.

use std::{io, pin::pin};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, StatusCode, header},
    route,
    web::{Bytes, Path, Payload},
};
use futures_util::{Stream, StreamExt as _, stream, stream::BoxStream};
use http::{HeaderMap, HeaderName, Request, Response};
use tertulia_actors::{
    connection::{ConnectionError, RequestError},
    core::id::ConnectionId,
};
use tokio::{sync::mpsc, time::timeout};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    config::Scope,
    gateway::{
        body::{self, WITHIN},
        problem::{Forwarded, Problem},
        state::Caller,
    },
};

/// Pieces of a caller's body that wait for the platform; at this limit reading from the caller pauses.
const WAITING: usize = 2;
/// Headers by which a page of the platform could give a browser orders in the name of the gateway, or which the gateway
/// sets itself.
const OF_GATEWAY: [&str; 18] = [
    "age",
    "cache-control",
    "clear-site-data",
    "content-length",
    "content-security-policy",
    "content-security-policy-report-only",
    "expires",
    "nel",
    "permissions-policy",
    "pragma",
    "referrer-policy",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
];

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(forward);
}

/// Sends a request to a service of the platform in the name of the connection's login, and returns the service's answer
/// as it is: status, headers and body. The gateway adds the domain and the token, renews the token once if the service
/// refuses it, and never shows it. Query, body and answer pass as streams. Every answer of the service has the header
/// `X-Platform-Service`; an answer without it is a problem of the gateway. Needs a token of scope `write` for every
/// method.
#[utoipa::path(
    operation_id = "platformService",
    tag = "connections",
    params(
        ("connection" = String, Path),
        ("service" = String, Path, description = "A name of the account's discovery", example = "accountConfigReadWrite"),
        ("path" = String, Path, description = "The path at the service; may have slashes",
            example = "api/account/12345678/configuration/le-users/skills")
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "Passes as it is, with its own content type"),
    responses((status = 200, description = "The answer of the service, with its own status and content type", content_type = "application/octet-stream", body = String))
)]
#[route(
    "/connections/{connection}/platform/{service}/{path:.*}",
    method = "GET",
    method = "HEAD",
    method = "OPTIONS",
    method = "POST",
    method = "PUT",
    method = "PATCH",
    method = "DELETE"
)]
async fn forward(
    caller: Caller,
    request: HttpRequest,
    place: Path<(ConnectionId, String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    if caller.scope() < Scope::Write {
        let detail = "a request to a service of the platform needs a token with the scope write";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not-permitted", detail));
    }
    let (id, service, _) = place.into_inner();
    let connection = caller.connection(&id)?;
    if request.headers().contains_key("idempotency-key") {
        let detail = "a request to a service of the platform acts each time, so it takes no Idempotency-Key";
        return Err(Problem::bad_request(detail));
    }
    let max = caller.forwarded_bytes();
    if body::declared(&request).is_some_and(|bytes| bytes > max) {
        return Err(body::too_large(max));
    }
    let (prefix, target) = split(&request).ok_or_else(|| Problem::bad_request("the path is malformed"))?;
    let mut outgoing = Request::builder().method(request.method().clone()).uri(target);
    for (name, value) in request.headers() {
        outgoing = outgoing.header(name.clone(), value.clone());
    }
    let (pieces, body) = mpsc::channel(WAITING);
    let outgoing = outgoing.body(arriving(body)).map_err(|error| Problem::bad_request(error.to_string()))?;
    let mut asking = pin!(connection.platform_request(&service, outgoing));
    let answer = tokio::select! {
        // The service may answer before it has read everything.
        answer = &mut asking => answer,
        fed = feed(payload, max, pieces) => {
            fed?;
            asking.await
        }
    };
    Ok(passed_on(answer.map_err(refused)?, request.method(), &service, prefix))
}

/// Splits the path of a request after the name of the service. The path at the service stays as the caller wrote it:
/// decoded and encoded again it could be another.
fn split(request: &HttpRequest) -> Option<(&str, &str)> {
    let whole = request.uri().path_and_query()?.as_str();
    let slashes = whole.match_indices('/').map(|(place, _)| place);
    // The sixth slash of `/v1/connections/{connection}/platform/{service}/{path}` begins the path.
    let place = { slashes }.nth(5)?;
    Some(whole.split_at(place))
}

/// A piece of the body. An empty piece is its end, which a caller who leaves never sends.
type Piece = Bytes;

/// Reads the body of the caller as fast as the platform takes it.
///
/// # Errors
/// The body is too large, arrives too slowly, or is malformed.
async fn feed(mut payload: Payload, max: u64, pieces: mpsc::Sender<Piece>) -> Result<(), Problem> {
    let mut bytes = 0;
    while let Some(piece) = timeout(WITHIN, payload.next()).await.map_err(|_| body::too_slow())? {
        let piece = piece.map_err(|error| Problem::bad_request(error.to_string()))?;
        bytes += piece.len() as u64;
        if bytes > max {
            return Err(body::too_large(max));
        }
        if !piece.is_empty() && pieces.send(piece).await.is_err() {
            // The platform does not want the rest.
            return Ok(());
        }
    }
    let _ = pieces.send(Piece::new()).await;
    Ok(())
}

/// The body on its way to the platform. A body that breaks off ends in an error.
fn arriving(pieces: mpsc::Receiver<Piece>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(piece) if piece.is_empty() => None,
            Some(piece) => Some((Ok(piece), Some(pieces))),
            None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
        }
    })
}

fn refused(error: ConnectionError) -> Problem {
    let (status, code) = match &error {
        ConnectionError::Request(RequestError::NotConnected) => (StatusCode::CONFLICT, "not-connected"),
        ConnectionError::Request(RequestError::TimedOut) => (StatusCode::GATEWAY_TIMEOUT, "timed-out"),
        _ => return error.into(),
    };
    Problem::new(status, code, error.to_string())
}

/// The answer of the service for the caller. `prefix` is the path of the service at this gateway.
fn passed_on(
    answer: Response<BoxStream<'static, io::Result<Bytes>>>,
    method: &Method,
    service: &str,
    prefix: &str,
) -> HttpResponse {
    let (head, content) = answer.into_parts();
    let mut response = HttpResponse::build(head.status);
    response.extensions_mut().insert(Forwarded);
    copy(&head.headers, &mut response, prefix);
    response
        .insert_header(("x-platform-service", service))
        // Whatever the platform answers, no browser may treat it as a page of this service.
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    let has_body = method != Method::HEAD && ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
    if !has_body {
        return response.finish();
    }
    let size = head.headers.get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
    if let Some(size) = size {
        response.no_chunking(size);
    }
    response.streaming(content)
}

fn copy(headers: &HeaderMap, response: &mut HttpResponseBuilder, prefix: &str) {
    for (name, value) in headers {
        if *name == header::LOCATION {
            // At the service it is a path, and here the path is under the prefix.
            let path = value.to_str().unwrap_or_default();
            response.insert_header((header::LOCATION, format!("{prefix}{path}")));
        } else if !is_of_gateway(name) {
            response.append_header((name.clone(), value.clone()));
        }
    }
}

fn is_of_gateway(name: &HeaderName) -> bool {
    let name = name.as_str();
    OF_GATEWAY.contains(&name) || name.starts_with("access-control-") || name.starts_with("cross-origin-")
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;

    use super::*;

    #[test]
    fn a_connection_without_a_token_and_a_late_answer_have_codes_of_their_own() {
        for (error, status, code) in [
            (RequestError::NotConnected, 409, "not-connected"),
            (RequestError::TimedOut, 504, "timed-out"),
            (RequestError::Overloaded, 429, "overloaded"),
        ] {
            let problem = refused(error.into());
            assert_eq!(problem.status_code().as_u16(), status);
            assert!(problem.to_string().starts_with(code), "{problem}");
        }
    }

    #[test]
    fn a_page_of_the_platform_gives_no_orders_in_the_name_of_the_gateway() {
        let mut headers = HeaderMap::new();
        for name in ["access-control-allow-origin", "cross-origin-resource-policy", "clear-site-data", "cache-control"]
        {
            headers.insert(HeaderName::from_static(name), "*".parse().unwrap());
        }
        headers.insert("etag", "\"1\"".parse().unwrap());
        headers.insert("location", "/next?x=1".parse().unwrap());
        let mut response = HttpResponse::Ok();
        copy(&headers, &mut response, "/v1/connections/b/platform/s");
        let response = response.finish();
        let mut passed: Vec<_> =
            response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        passed.sort_unstable();
        assert_eq!(passed, [("etag", "\"1\""), ("location", "/v1/connections/b/platform/s/next?x=1")]);
    }
}
