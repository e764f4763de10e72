//! `POST /v1/intake/{connection}`: webhooks of the platform ([WH-1](crate::rules#wh-1)). The platform sends no token of
//! the gateway; instead, its signature authenticates the body.

mod any_node;
mod report;
mod webhook;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse, post,
    web::{Data, Path, Payload},
};
use tertulia_actors::{connection::ConnectionError, core::id::ConnectionId};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{State, nodes::ForCaller, problem::Problem};
use webhook::{Arriving, refused};

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
