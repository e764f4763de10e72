//! Errors as callers get them: RFC 9457 problem details with a stable `code`.

use std::{borrow::Cow, fmt};

use actix_web::{
    Error, HttpRequest, HttpResponse, Responder, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::Next,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use tertulia_actors::core::id::ConnectionId;
use utoipa::ToSchema;

use super::codes::{self, ProblemCode};

pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// One error.
#[derive(Debug)]
pub(super) struct Problem(Box<Details>);

/// The body of an error. `type` is `about:blank`: `code` names the kind of error, and `detail` describes this error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    #[schema(value_type = String)]
    detail: Cow<'static, str>,
    #[schema(value_type = ProblemCode)]
    code: &'static str,
    /// Additional members of some errors.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    more: Map<String, Value>,
    #[serde(skip)]
    headers: Vec<(header::HeaderName, Cow<'static, str>)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        debug_assert!(codes::is_listed(code), "the code {code} is not on the list of codes");
        Self(Box::new(Details {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            code,
            more: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// The problem for a malformed request.
    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// The problem for something that does not exist.
    pub(super) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// The problem for an action in a conversation that several connections see.
    pub(super) fn ambiguous_connection<'c>(connections: impl Iterator<Item = &'c ConnectionId>) -> Self {
        let detail = "several connections see this conversation: choose the one that acts with ?connection=";
        let names: Vec<String> = connections.map(ToString::to_string).collect();
        Self::new(StatusCode::CONFLICT, "ambiguous-connection", detail).with("connections", names)
    }

    /// The problem for requests while the service is stopping.
    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the service is stopping")
    }

    /// Whether the outcome is unknown: the request may have had its effect.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        self.0.status == StatusCode::GATEWAY_TIMEOUT
    }

    #[must_use]
    pub(super) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(member.to_owned(), value.into());
        self
    }

    #[must_use]
    pub(super) fn header(mut self, name: header::HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }
}

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        self.error_response()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.0.headers {
            response.insert_header((name.clone(), value.as_ref()));
        }
        response.insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).json(&self.0)
    }
}

fn number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// Marks a response whose body is not changed: it comes from a service of the platform, or another protocol says what its
/// errors look like.
pub(super) struct AsItIs;

/// Turns every other error response into a problem, for example for an unknown path.
pub(super) async fn tell(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| content_type == CONTENT_TYPE);
    let is_as_it_is = response.response().extensions().contains::<AsItIs>();
    if is_problem || is_as_it_is || !(status.is_client_error() || status.is_server_error()) {
        return Ok(response);
    }
    let detail = response.response().error().map(ToString::to_string);
    let problem = match status {
        StatusCode::NOT_FOUND => {
            Problem::new(status, "not-found", detail.unwrap_or("no resource has this path".into()))
        }
        _ if status.is_client_error() => {
            Problem::new(status, "bad-request", detail.unwrap_or("the request is malformed".into()))
        }
        // Internal errors are not shown to callers.
        _ => Problem::new(status, "internal", "the request failed inside the service"),
    };
    Ok(response.into_response(problem.error_response()))
}
