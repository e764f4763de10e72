//! `POST /v1/intake/{connection}`: webhooks of the platform ([WH-1](crate::rules#wh-1)). The platform sends no token of
//! the gateway; instead, its signature authenticates the body.

mod any_node;
mod report;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    http::StatusCode,
    post,
    web::{Bytes, Data, Path, Payload},
};
use tertulia_actors::{connection::ConnectionError, core::id::ConnectionId};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{State, body, clients::Client, nodes::ForCaller, problem::Problem, room::Room};

/// The largest accepted webhook, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// The header with the platform's signature (protocol [§10.4](crate::protocol#104)).
const SIGNATURE: &str = "x-liveperson-signature";

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(receive);
}

/// A webhook whose body may still be on its way.
struct Arriving {
    state: Data<State>,
    connection: ConnectionId,
    request: HttpRequest,
    payload: Payload,
}

/// A webhook with its body.
struct Arrived {
    state: Data<State>,
    connection: ConnectionId,
    request: HttpRequest,
    body: Bytes,
}

impl Arriving {
    fn signature(&self) -> Option<&str> {
        signature(&self.request)
    }

    /// Reads the body with the memory of `room`, and passes it to `take`.
    async fn read<T>(self, room: &Room, take: impl AsyncFnOnce(Arrived) -> Result<T, Problem>) -> Result<T, Problem> {
        let Self { state, connection, request, payload } = self;
        let (body, _memory) = body::read(&request, payload, MAX_BYTES, room).await?;
        take(Arrived { state, connection, request, body }).await
    }
}

impl Arrived {
    fn signature(&self) -> Option<&str> {
        signature(&self.request)
    }

    /// Lets the connection of this process take the webhook.
    async fn take_here(&self) -> Result<(), ConnectionError> {
        let handle = self.state.everything().connection(&self.connection);
        handle.receive_webhook(self.signature(), self.body.clone()).await
    }

    /// The sender was authenticated by the signature.
    fn is_known(&self) {
        if let Some(client) = self.request.conn_data::<Client>() {
            client.know();
        }
    }
}

fn signature(request: &HttpRequest) -> Option<&str> {
    request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok())
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
#[post("/v1/intake/{connection}")]
async fn receive(
    state: Data<State>,
    connection: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let connection = ConnectionId::from(connection.as_str());
    let reach = state.access.load().reach_shown(request.headers());
    if reach.is_some_and(|reach| !reach.sees(connection.as_str())) {
        return Err(refused(ConnectionError::UnknownConnection(connection)));
    }
    let (neighbours, is_of_a_node) = (state.neighbours.clone(), request.extensions().contains::<ForCaller>());
    let arriving = Arriving { state, connection, request, payload };
    match neighbours {
        Some(neighbours) if is_of_a_node => any_node::take_for_another(arriving, &neighbours).await,
        Some(neighbours) => any_node::take(arriving, &neighbours).await,
        None => take_here(arriving).await,
    }
}

async fn take_here(arriving: Arriving) -> Result<HttpResponse, Problem> {
    // The body is not authenticated yet, so it is read only if the connection expects it, and from a smaller memory.
    let handle = arriving.state.everything().connection(&arriving.connection);
    handle.expects_webhook(arriving.signature()).map_err(refused)?;
    let room = arriving.state.unknown_bodies.clone();
    let taken = arriving.read(&room, async |arrived| {
        arrived.take_here().await.map_err(refused)?;
        arrived.is_known();
        Ok(())
    });
    taken.await?;
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
