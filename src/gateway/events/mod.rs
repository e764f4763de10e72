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
//! `earliest` and `latest` stand for the two ends of the log. **A page**, for a caller that asks for
//! `application/json`, has at most `limit` of the events that are already in the log, and the cursor after them. An
//! unchanged cursor means the end of the log. Before the end, a page may have fewer events than `limit` if the caller's
//! filter excludes some.
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
    http::header::{self, Accept, ContentType, Quality},
    web::{Header, Payload, Query},
};
use bytes::Bytes;
use tertulia_actors::subscriber::EventId;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use self::{following::Excerpt, query::EventQuery, server_sent::ServerSent, socket::Socket};
use super::{problem::Problem, state::Caller};

pub(super) use following::LogGap;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(follow).service(open);
}

/// A page of the log, in its order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only for the OpenAPI document: events are kept as JSON")]
struct EventPage {
    items: Vec<AnyEvent>,
    /// Give this cursor as `after` to get the next page. If the cursor does not change, there are no more events yet.
    cursor: String,
}

/// Every kind of event. The schemas in the document are derived from the types of the events.
#[derive(ToSchema)]
#[schema(as = Event)]
struct AnyEvent {}

/// Streams events as Server-Sent Events, from any position of the log. A caller that asks for `application/json` gets
/// one page of the events in the log.
#[utoipa::path(
    operation_id = "readEvents",
    tag = "events",
    params(
        ("connection" = Option<Vec<String>>, Query, description = "Only events of these connections"),
        ("conversation" = Option<Vec<String>>, Query, description = "Only events of these conversations"),
        ("type" = Option<Vec<String>>, Query, description = "Only events of these types"),
        (
            "after" = Option<String>, Query,
            description = "The id of the last event that the caller saw; `earliest` for the whole log, `latest` (the \
                           default) for what happens from now on"
        ),
        (
            "limit" = Option<usize>, Query,
            description = "The most events of a page, 1 to 1,000; 100 by default. Not allowed for a stream"
        ),
        ("Last-Event-ID" = Option<String>, Header, description = "Like `after`, which it overrides"),
    ),
    responses((status = 200, description = "Events", content((String = "text/event-stream"), (EventPage = "application/json"))))
)]
#[get("/events")]
async fn follow(
    caller: Caller,
    request: HttpRequest,
    accept: Option<Header<Accept>>,
    parameters: Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let asked = EventQuery::read(parameters.into_inner(), request.headers())?;
    if accept.is_some_and(|accept| prefers_page(&accept)) {
        let Excerpt { items, cursor } = asked.excerpt(&caller).await?;
        return Ok(HttpResponse::Ok()
            .content_type(ContentType::json())
            .insert_header((header::VARY, "accept"))
            .body(page(&items, &cursor)));
    }
    let following = asked.follow(&caller).await?;
    let place = caller.state().places.take()?;
    let body = place.hold(ServerSent::new(following).body(), request.conn_data());
    Ok(HttpResponse::Ok()
        .insert_header((header::VARY, "accept"))
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // Proxies must neither store the stream nor delay it for compression.
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming::<_, Infallible>(body))
}

/// Whether a caller accepts JSON and does not prefer a stream.
fn prefers_page(accept: &Accept) -> bool {
    let quality = |kind: &str, subtype: &str| {
        let named = accept.iter().filter(|range| range.item.type_() == kind && range.item.subtype() == subtype);
        named.map(|range| range.quality).max()
    };
    let json = quality("application", "json").filter(|quality| *quality > Quality::ZERO);
    json.is_some() && json >= quality("text", "event-stream")
}

/// Makes a page. The events are already JSON.
fn page(items: &[Bytes], cursor: &EventId) -> Vec<u8> {
    let mut page = Vec::with_capacity(items.iter().map(|event| event.len() + 1).sum::<usize>() + 64);
    page.extend_from_slice(br#"{"items":["#);
    for (number, event) in items.iter().enumerate() {
        if number > 0 {
            page.push(b',');
        }
        page.extend_from_slice(event);
    }
    page.extend_from_slice(format!(r#"],"cursor":"{cursor}"}}"#).as_bytes());
    page
}

/// Streams events over a WebSocket: each event is one text message, and the caller sends no messages.
#[utoipa::path(
    operation_id = "openEventSocket",
    tag = "events",
    params(
        ("connection" = Option<Vec<String>>, Query, description = "Only events of these connections"),
        ("conversation" = Option<Vec<String>>, Query, description = "Only events of these conversations"),
        ("type" = Option<Vec<String>>, Query, description = "Only events of these types"),
        (
            "after" = Option<String>, Query,
            description = "The id of the last event that the caller saw; `earliest` for the whole log, `latest` (the \
                           default) for what happens from now on"
        ),
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
    let following = asked.follow(&caller).await?;
    let place = caller.state().places.take()?;
    let body = place.hold(Socket::new(following, payload).body(), request.conn_data());
    // Completing a response that was not started cannot fail.
    let response = response.message_body(BodyStream::new(body).boxed());
    response.map(HttpResponse::from).map_err(|error| Problem::bad_request(error.to_string()))
}
