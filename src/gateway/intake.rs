//! `POST /v1/intake/{connection}`: webhooks of the platform ([WH-1](crate::rules#wh-1)). The platform sends no token of
//! the gateway; instead, its signature authenticates the body.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    middleware::from_fn,
    post,
    web::{Data, Path, Payload},
};
use tertulia_actors::{connection::ConnectionError, core::id::ConnectionId};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{State, body, clients::Client, nodes, problem::Problem};

/// The largest accepted webhook, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// The header with the platform's signature (protocol [§10.4](crate::protocol#104)).
const SIGNATURE: &str = "x-liveperson-signature";

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(receive);
}

/// Accepts a webhook of the platform. The signature over the body authenticates it.
#[utoipa::path(
    operation_id = "receivePlatformWebhook",
    tag = "intake",
    params(
        ("connection" = String, Path, description = "A connection whose role is connector or intake"),
        ("x-liveperson-signature" = Option<String>, Header, description = "The platform's HMAC of the body"),
    ),
    request_body(content = Object, description = "The webhook of the platform"),
    responses((status = 200, description = "The webhook was accepted"))
)]
#[post("/v1/intake/{connection}", wrap = "from_fn(nodes::forward)")]
async fn receive(
    state: Data<State>,
    connection: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let connection = ConnectionId::from(connection.as_str());
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok());
    let reach = state.access.load().reach_shown(request.headers());
    if reach.is_some_and(|reach| !reach.sees(connection.as_str())) {
        return Err(refused(ConnectionError::UnknownConnection(connection)));
    }
    // The body is not authenticated yet, so it is read only if the connection expects it, and from a smaller memory.
    let handle = state.everything().connection(&connection);
    handle.expects_webhook(signature).map_err(refused)?;
    let (body, _memory) = body::read(&request, payload, MAX_BYTES, &state.unknown_bodies).await?;
    handle.receive_webhook(signature, body).await.map_err(refused)?;
    if let Some(client) = request.conn_data::<Client>() {
        client.know();
    }
    Ok(HttpResponse::Ok().finish())
}

fn refused(error: ConnectionError) -> Problem {
    let (status, code) = match &error {
        // The sender of a webhook does not learn which other connections exist.
        ConnectionError::UnknownConnection(id) | ConnectionError::NotSupported { connection: id, .. } => {
            let detail = format!("connection {id} does not accept webhooks");
            return Problem::new(StatusCode::NOT_FOUND, "unknown-connection", detail);
        }
        ConnectionError::BadSignature(_) => (StatusCode::UNAUTHORIZED, "bad-signature"),
        ConnectionError::MalformedNotification(_) => (StatusCode::BAD_REQUEST, "bad-request"),
        // The platform tries again.
        ConnectionError::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        _ => return error.into(),
    };
    Problem::new(status, code, error.to_string())
}
