//! `/v1/events` and `/v1/events/socket`: events as Server-Sent Events and over a WebSocket, from any position of the
//! log.
//!
//! Every event is durable before it is sent. A caller who reconnects with the id of the last event they saw continues
//! after that event, even after a restart. A slow caller is served from the store and delays nobody. A caller who reads
//! nothing costs a few buffers of fixed size, until the [transport](super::transport) closes the connection.
//!
//! **Where a stream begins.** After the id that the caller gives: in the header `Last-Event-ID`, which a browser sends
//! when it reconnects, or in the parameter `after`; the header wins if both are present. Without an id, or with an
//! empty one, the stream begins with the next new event. For an id that this log never issued (another epoch, an unused
//! offset, or not an id at all) the stream begins with a `tertulia.gap` event whose `missed` is null. For an id older
//! than the retained events, it begins with a gap event that has the number of missing events. In both cases the stream
//! continues after the gap.
//!
//! **Tokens in a browser.** Neither `EventSource` nor `WebSocket` can set a header. A token in an address would end up
//! in logs and histories, so the gateway accepts none there. A page reads `/v1/events` with `fetch`, which can set
//! `Authorization`, and parses the body as it arrives. Or the page opens the socket and offers two subprotocols:
//! `tertulia`, and `bearer.` followed by the token in unpadded base64url. The gateway chooses the first.
//!
//! **Pages of other sites.** A browser lets any page open a WebSocket to any host. Without tokens the socket is
//! therefore refused if `Origin` names another host than `Host` and is not among the allowed origins.

mod following;
mod handshake;
pub(super) mod places;
mod query;
mod server_sent;
mod socket;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use actix_http::body::BodyStream;
use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody as _,
    get,
    http::header,
    web::{Payload, Query},
};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{query::EventQuery, server_sent::ServerSent, socket::Socket};
use super::{problem::Problem, state::Caller};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(follow).service(open);
}

/// Streams events as Server-Sent Events, from any position of the log.
#[utoipa::path(
    tag = "events",
    params(
        ("connection" = Option<Vec<String>>, Query, description = "Only events of these connections"),
        ("conversation" = Option<Vec<String>>, Query, description = "Only events of these conversations"),
        ("type" = Option<Vec<String>>, Query, description = "Only events of these types"),
        ("after" = Option<String>, Query, description = "The id of the last event that the caller saw"),
        ("Last-Event-ID" = Option<String>, Header, description = "Like `after`, which it overrides"),
    ),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream"))
)]
#[get("/events")]
async fn follow(
    caller: Caller,
    request: HttpRequest,
    parameters: Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let asked = EventQuery::read(parameters.into_inner(), request.headers())?;
    let place = caller.state().places.take()?;
    let body = place.hold(ServerSent::new(asked.follow(&caller)).body(), request.conn_data());
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // Proxies must neither store the stream nor delay it for compression.
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming::<_, Infallible>(body))
}

/// Streams events over a WebSocket: each event is one text message, and the caller sends no messages.
#[utoipa::path(
    tag = "events",
    params(
        ("connection" = Option<Vec<String>>, Query, description = "Only events of these connections"),
        ("conversation" = Option<Vec<String>>, Query, description = "Only events of these conversations"),
        ("type" = Option<Vec<String>>, Query, description = "Only events of these types"),
        ("after" = Option<String>, Query, description = "The id of the last event that the caller saw"),
        (
            "Sec-WebSocket-Protocol" = Option<String>, Header,
            description = "`tertulia`; also `bearer.` and the token in base64url if `Authorization` cannot be sent"
        ),
    ),
    responses((status = 101, description = "A WebSocket of events"))
)]
#[get("/events/socket")]
async fn open(
    caller: Caller,
    request: HttpRequest,
    parameters: Query<Vec<(String, String)>>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let asked = EventQuery::read(parameters.into_inner(), request.headers())?;
    let mut response = handshake::answer(&request)?;
    let place = caller.state().places.take()?;
    let body = place.hold(Socket::new(asked.follow(&caller), payload).body(), request.conn_data());
    // Completing a response that was not started cannot fail.
    let response = response.message_body(BodyStream::new(body).boxed());
    response.map(HttpResponse::from).map_err(|error| Problem::bad_request(error.to_string()))
}
