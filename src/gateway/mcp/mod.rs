//! `POST /mcp`: the Model Context Protocol over HTTP (Streamable HTTP), for models.
//!
//! There are no sessions: each request is answered by itself, with one JSON object. So every worker and every node
//! answers every request. The tools are in `crate::mcp`.

mod headers;
mod inner;

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, middleware::from_fn, post};
use rmcp::{
    RoleServer,
    model::{
        ClientCapabilities, ClientJsonRpcMessage, ErrorData, Implementation, InitializeRequestParams, JsonRpcMessage,
        RequestId, ServerJsonRpcMessage,
    },
    service::serve_directly,
    transport::OneshotTransport,
};
use serde_json::Value;
use tokio::time::timeout;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    admission,
    body::Body,
    problem::{AsItIs, Problem},
    state::Caller,
};
use crate::mcp::{IN_ALL, Server};
use headers::{Refusal, Version};
use inner::Within;

pub(super) use inner::Inner;

/// How long a message may take: longer than the server waits for the endpoints.
const WITHIN: Duration = IN_ALL.saturating_add(Duration::from_secs(5));

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(receive);
}

/// Answers one message of the Model Context Protocol, for a caller of any scope.
#[utoipa::path(
    operation_id = "receiveModelContextMessage",
    tag = "internal",
    responses(
        (status = 200, description = "The response to a request", body = Object),
        (status = 202, description = "A notification was received"),
    )
)]
#[post("/mcp", wrap = "from_fn(admission::admit)")]
async fn receive(caller: Caller, request: HttpRequest, body: Body<Value>) -> Result<HttpResponse, Problem> {
    let version = match headers::check(request.headers(), &body.value) {
        Ok(version) => version,
        Err(Refusal::Malformed(detail)) => return Err(Problem::bad_request(detail)),
        Err(Refusal::Error(error)) => return Ok(error_response(id(&body.value), error)),
    };
    let message: ClientJsonRpcMessage = serde_json::from_value(body.value)
        .map_err(|_| Problem::bad_request("the body is not a message of the Model Context Protocol"))?;
    match message {
        JsonRpcMessage::Request(_) => {}
        JsonRpcMessage::Notification(_) => return Ok(HttpResponse::Accepted().finish()),
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {
            return Err(Problem::bad_request("the gateway sends no requests, so it takes no responses"));
        }
    }
    let interface = Within::of(&request, &caller).await?;
    let (transport, mut answers) = OneshotTransport::<RoleServer>::new(message);
    // Dropping `running` cancels the request, for example if the caller is gone.
    let running = serve_directly(Server::new(interface), transport, Some(peer(&version)));
    // No answer comes if the endpoint panics.
    let answer = timeout(WITHIN, answers.recv()).await.ok().flatten();
    drop(running);
    let answer = answer.ok_or_else(|| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request failed inside the service")
    })?;
    Ok(response(headers::status(&version, &answer), &answer))
}

/// The client, as far as one request shows it.
fn peer(version: &Version) -> InitializeRequestParams {
    let mut peer = InitializeRequestParams::new(ClientCapabilities::default(), Implementation::new("", ""));
    peer.protocol_version = match version {
        Version::Session(version) | Version::Request(version) => version.clone(),
    };
    peer
}

fn id(message: &Value) -> Option<RequestId> {
    serde_json::from_value(message["id"].clone()).ok()
}

fn error_response(id: Option<RequestId>, error: ErrorData) -> HttpResponse {
    response(StatusCode::BAD_REQUEST, &ServerJsonRpcMessage::error(error, id))
}

fn response(status: StatusCode, message: &ServerJsonRpcMessage) -> HttpResponse {
    let mut response = HttpResponse::build(status).json(message);
    // The protocol says what an error looks like.
    response.extensions_mut().insert(AsItIs);
    response
}
