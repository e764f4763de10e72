//! `/v1/rings`: conversations that the platform offers to agents, to be accepted or rejected ([RG-1](crate::rules#rg-1)
//! to [RG-5](crate::rules#rg-5)).

use std::time::Duration;

use actix_web::{
    HttpResponse, get, post,
    web::{Json, Path, Query},
};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tertulia_actors::{
    ConnectionHandle,
    connection::ConnectionError,
    core::id::{ConnectionId, RingId},
    subscriber::Offer,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    conversations::Through,
    keyed::{Once, Reply},
    page::{self, Cursor, Page, Place},
    problem::Problem,
    state::Caller,
};

/// How long the conversation of an accepted ring may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(25);
/// Connections that are asked at the same time.
const PARALLEL: usize = 64;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(accept).service(reject);
}

/// An offer that waits for an answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Ring {
    id: String,
    connection: String,
    conversation_id: Option<String>,
    skill_id: Option<String>,
    consumer_id: Option<String>,
    /// When the offer expires, in milliseconds.
    ring_expiration_ts: Option<i64>,
}

impl Ring {
    fn new(connection: &ConnectionId, offer: Offer) -> Self {
        Self {
            id: offer.ring_id.to_string(),
            connection: connection.to_string(),
            conversation_id: offer.conversation_id.map(|id| id.to_string()),
            skill_id: offer.skill_id.map(|id| id.to_string()),
            consumer_id: offer.consumer_id.map(|id| id.to_string()),
            ring_expiration_ts: offer.ring_expiration_ts.map(|time| time.0),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[param(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    limit: Option<usize>,
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// The outcome of an accepted ring.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedRing)]
#[serde(rename_all = "camelCase")]
struct Taken {
    connection: String,
    conversation_id: String,
}

/// Lists the offers that wait for an answer.
#[utoipa::path(operation_id = "listRings", tag = "rings", params(ListQuery), responses((status = 200, description = "A page", body = Page<Ring>)))]
#[get("/rings")]
async fn list(caller: Caller, asked: Query<ListQuery>) -> Result<Json<Page<Ring>>, Problem> {
    let ListQuery { connection, limit, cursor } = asked.into_inner();
    let limit = page::limit(limit)?;
    let mut rings = all(&caller, connection.as_ref()).await?;
    let after = cursor.as_deref().map(Place::of_cursor);
    rings.retain(|ring| after.as_ref().is_none_or(|after| position(ring) > *after));
    let (items, next_cursor) = page::cut(rings, limit, position, |ring| position(ring).to_string());
    Ok(Json(Page::new(items, next_cursor)))
}

/// Accepts an offer, and responds once its conversation is there.
#[utoipa::path(
    operation_id = "acceptRing",
    tag = "rings",
    params(("ring" = String, Path), Through, Once),
    responses((status = 200, description = "The conversation of the accepted offer", body = Taken))
)]
#[post("/rings/{ring}/accept")]
async fn accept(
    caller: Caller,
    once: Once,
    ring: Path<RingId>,
    through: Query<Through>,
) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        let connection = whose(&caller, &ring, through.connection.as_ref()).await?;
        let handle = connection.accept_ring(ring.into_inner(), ARRIVES_WITHIN).await?;
        let connection = connection.id().to_string();
        Ok(Reply::ok(json!(Taken { connection, conversation_id: handle.id().to_string() })))
    })
    .await
}

/// Rejects an offer.
#[utoipa::path(
    operation_id = "rejectRing",
    tag = "rings",
    params(("ring" = String, Path), Through, Once),
    responses((status = 204, description = "The offer was rejected"))
)]
#[post("/rings/{ring}/reject")]
async fn reject(
    caller: Caller,
    once: Once,
    ring: Path<RingId>,
    through: Query<Through>,
) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        let connection = whose(&caller, &ring, through.connection.as_ref()).await?;
        connection.answer_ring(ring.into_inner(), false).await?;
        Ok(Reply::no_content())
    })
    .await
}

/// The sort key of pages.
fn position(ring: &Ring) -> Place {
    Place::new(&ring.id, Some(&ring.connection))
}

async fn all(caller: &Caller, asked: Option<&ConnectionId>) -> Result<Vec<Ring>, Problem> {
    let of_each = stream::iter(caller.candidates(asked)?).map(|connection| async move {
        let offers = connection.rings().await;
        offers.into_iter().map(|offer| Ring::new(connection.id(), offer)).collect::<Vec<_>>()
    });
    Ok(of_each.buffer_unordered(PARALLEL).concat().await)
}

/// Finds the connection to which a ring was offered.
async fn whose(caller: &Caller, ring: &RingId, asked: Option<&ConnectionId>) -> Result<ConnectionHandle, Problem> {
    let rings = all(caller, asked).await?;
    let found = rings.into_iter().find(|known| known.id == ring.as_str());
    caller.connection(&found.ok_or(ConnectionError::UnknownRing)?.connection.into())
}
