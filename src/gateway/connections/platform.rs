//! `…/platform/{service}/{path}`: requests to the platform's other HTTP services with the token of a connection's
//! login.

use std::{io, pin::pin};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
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
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    config::Scope,
    gateway::{
        body::{self, WITHIN},
        problem::{AsItIs, Problem},
        state::Caller,
    },
};

/// The most pieces of a caller's body that wait for the platform. At this limit, reading from the caller pauses.
const WAITING: usize = 2;
/// Headers that would set browser policies for the gateway's origin, or that the gateway sets itself.
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

/// A body of any content type, for the OpenAPI document.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only for the OpenAPI document")]
struct Octets(Bytes);

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(forward);
}

/// Sends a request to a service of the platform with the token of the connection's login, and returns the service's
/// answer with its status, headers and body. The gateway adds the domain and the token. It renews the token once if the
/// service refuses the token, and never returns the token. The query is forwarded unchanged; both bodies are streamed.
/// Every answer of the service has the header `X-Platform-Service`; an answer without this header is a problem of the
/// gateway. Needs a token of scope `write` for every method.
#[utoipa::path(
    operation_id = "platformService",
    tag = "connections",
    params(
        ("connection" = String, Path),
        ("service" = String, Path, description = "The service's name in the discovery", example = "accountConfigReadWrite"),
        ("path" = String, Path, description = "The path at the service; may have slashes",
            example = "api/account/12345678/configuration/le-users/skills")
    ),
    request_body(content = inline(Octets), content_type = "application/octet-stream", description = "Forwarded unchanged"),
    responses((status = 200, description = "The answer of the service, with its own status", content_type = "application/octet-stream", body = inline(Octets)))
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
        let detail =
            "a request to a service of the platform cannot have an Idempotency-Key: each repetition acts again";
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
        // The service may answer before it has read the whole body.
        answer = &mut asking => answer,
        fed = feed(payload, max, pieces) => {
            fed?;
            asking.await
        }
    };
    Ok(passed_on(answer.map_err(refused)?, request.method(), &service, prefix))
}

/// Splits the path of a request after the name of the service. The path at the service is not decoded, because a path
/// that is decoded and encoded again may differ.
fn split(request: &HttpRequest) -> Option<(&str, &str)> {
    let whole = request.uri().path_and_query()?.as_str();
    let slashes = whole.match_indices('/').map(|(place, _)| place);
    // The sixth slash of `/v1/connections/{connection}/platform/{service}/{path}` begins the path.
    let place = { slashes }.nth(5)?;
    Some(whole.split_at(place))
}

/// A piece of the body. An empty piece is the end of the body. A caller that disconnects never sends the end.
type Piece = Bytes;

/// Reads the body of the caller as fast as the platform accepts it.
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
            // The platform does not read the rest.
            return Ok(());
        }
    }
    let _ = pieces.send(Piece::new()).await;
    Ok(())
}

/// Returns the body as a stream for the platform. A body that breaks off ends in an error.
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

/// Makes the response to the caller from the answer of the service. `prefix` is the path of the service at this
/// gateway.
fn passed_on(
    answer: Response<BoxStream<'static, io::Result<Bytes>>>,
    method: &Method,
    service: &str,
    prefix: &str,
) -> HttpResponse {
    let (head, content) = answer.into_parts();
    let mut response = HttpResponse::build(head.status);
    response.extensions_mut().insert(AsItIs);
    copy(&head.headers, &mut response, prefix);
    response
        .insert_header(("x-platform-service", service))
        // A browser must never treat an answer of the platform as a page of this service.
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    if [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status) {
        return response.finish();
    }
    let size = head.headers.get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
    if method == Method::HEAD {
        // The headers describe the body that a GET would get.
        let nothing = stream::empty::<io::Result<Bytes>>();
        return match size {
            Some(size) => response.body(SizedStream::new(size, nothing)),
            None => response.streaming(nothing),
        };
    }
    if let Some(size) = size {
        response.no_chunking(size);
    }
    response.streaming(content)
}

fn copy(headers: &HeaderMap, response: &mut HttpResponseBuilder, prefix: &str) {
    for (name, value) in headers {
        if *name == header::LOCATION {
            // The value is a path at the service. At this gateway, that path begins with the prefix.
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
    fn an_answer_of_the_platform_sets_no_browser_policies_of_the_gateway() {
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
