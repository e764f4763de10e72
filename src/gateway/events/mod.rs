//! `/v1/events` and `/v1/events/socket`: what happens, as Server-Sent Events and over a WebSocket (interfaces §4), from
//! any place of the log on.
//!
//! Every event is durable before it is sent. A caller who comes back with the id of the last event that they saw goes on
//! behind it, also after a restart; one who reads slowly is served from the store and holds nobody up. One who reads
//! nothing costs a few buffers of fixed size, until the [transport](super::transport) ends the connection.
//!
//! **Where a stream begins.** At the id that the caller names: by the header `Last-Event-ID`, which a browser sends when it
//! comes back, or by `after` in the address, which is older where both are there. Without one, or with an empty one, it
//! begins with what happens from now on. An id that this log never issued (of another epoch, of an offset that was never
//! given, or no id at all) is answered with a `tertulia.gap` event whose `missed` is null; one that is older than what is
//! kept, with a gap that tells how many events are missing. Both go on behind the gap.
//!
//! **Tokens in a browser.** Neither `EventSource` nor `WebSocket` can set a header, and an address with a token in it ends
//! up in logs and histories, so none is taken there. A page reads `/v1/events` with `fetch`, which can set
//! `Authorization`, and takes the body apart as it comes; or it opens the socket and offers two subprotocols, `tertulia`
//! and `bearer.` with the token in unpadded base64url behind it. The first of them is the one that is chosen.
//!
//! **Pages of other sites.** A browser lets any page open a WebSocket to anywhere. Without tokens the socket is therefore
//! refused where `Origin` names another host than `Host` does.

mod asked;
mod following;
mod handshake;
pub(super) mod places;
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
    web::{Data, Payload, Query},
};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{asked::Asked, server_sent::ServerSent, socket::Socket};
use super::{problem::Problem, state::State};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(follow).service(open);
}

/// What happens, as Server-Sent Events, from any place of the log on.
#[utoipa::path(
    tag = "events",
    params(
        ("connection" = Option<Vec<String>>, Query, description = "Only of these connections"),
        ("conversation" = Option<Vec<String>>, Query, description = "Only of these conversations"),
        ("type" = Option<Vec<String>>, Query, description = "Only of these types"),
        ("after" = Option<String>, Query, description = "The id of the last event that was seen"),
        ("Last-Event-ID" = Option<String>, Header, description = "As `after`, and before it"),
    ),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream"))
)]
#[get("/events")]
async fn follow(
    state: Data<State>,
    request: HttpRequest,
    parameters: Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(parameters.into_inner(), request.headers())?;
    let place = state.places.take()?;
    let body = place.hold(ServerSent::new(asked.follow(&state)).body(), request.conn_data());
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // Whoever is between must neither keep it nor hold it back to compress it.
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming::<_, Infallible>(body))
}

/// What happens, over a WebSocket: each event is one text message; the caller sends none.
#[utoipa::path(
    tag = "events",
    params(
        ("connection" = Option<Vec<String>>, Query, description = "Only of these connections"),
        ("conversation" = Option<Vec<String>>, Query, description = "Only of these conversations"),
        ("type" = Option<Vec<String>>, Query, description = "Only of these types"),
        ("after" = Option<String>, Query, description = "The id of the last event that was seen"),
        (
            "Sec-WebSocket-Protocol" = Option<String>, Header,
            description = "`tertulia`; and, where no `Authorization` can be sent, `bearer.` and the token in base64url"
        ),
    ),
    responses((status = 101, description = "A WebSocket of events"))
)]
#[get("/events/socket")]
async fn open(
    state: Data<State>,
    request: HttpRequest,
    parameters: Query<Vec<(String, String)>>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(parameters.into_inner(), request.headers())?;
    let mut response = handshake::answer(&request)?;
    let place = state.places.take()?;
    let body = place.hold(Socket::new(asked.follow(&state), payload).body(), request.conn_data());
    // What was not begun cannot fail.
    let response = response.message_body(BodyStream::new(body).boxed());
    response.map(HttpResponse::from).map_err(|error| Problem::bad_request(error.to_string()))
}
