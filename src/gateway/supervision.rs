//! `/v1/supervision`: restarts, restart policies, and conversations in quarantine, which can be released.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse, get,
    http::StatusCode,
    post,
    web::{Data, Json, Path, Query},
};
use futures_util::future::join_all;
use serde::Serialize;
use tertulia_actors::{
    connection::{ConnectionError, QuarantinedConversation},
    core::id::{ConnectionId, ConversationId},
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    connections::{self, Life},
    conversations::Through,
    problem::Problem,
    state::State,
};

/// The most quarantined conversations reported per connection.
const QUARANTINED: usize = 1_000;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(tree).service(release);
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Supervision {
    connections: Vec<Supervised>,
    /// Counted since the process began.
    totals: Totals,
    /// The restart policies, by kind of actor.
    policies: BTreeMap<&'static str, Policy>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Supervised {
    #[schema(value_type = String)]
    id: ConnectionId,
    #[serde(flatten)]
    life: Life,
    since: String,
    restarts: u64,
    conversation_restarts: u64,
    conversations: usize,
    #[schema(value_type = Vec<Object>)]
    quarantined: Vec<QuarantinedConversation>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Totals {
    connection_restarts: u64,
    conversation_restarts: u64,
    subscriber_restarts: u64,
    fleet_restarts: u64,
    /// Times that a connection restarted because many of its conversations failed together.
    escalations: u64,
    connections_moved: u64,
    arbiters_replaced: u64,
    arbiters_frozen: i64,
    dead_letters: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Policy {
    /// Restarts allowed within the window.
    restarts: i64,
    window_seconds: i64,
}

/// Reports the supervision tree: connections, restarts in each, and the conversations in quarantine.
#[utoipa::path(tag = "supervision", responses((status = 200, description = "The tree", body = Supervision)))]
#[get("/supervision")]
async fn tree(state: Data<State>) -> Json<Supervision> {
    let mut ids = state.tertulia.connections();
    ids.sort_unstable();
    let supervised = ids.into_iter().map(|id| supervised(&state, id));
    let connections = join_all(supervised).await.into_iter().flatten().collect();
    let metrics = state.tertulia.metrics();
    let policy = |kind| Policy {
        restarts: metrics.restarts_allowed.get_or_create(&[("kind", kind)]).get(),
        window_seconds: metrics.restart_window_seconds.get_or_create(&[("kind", kind)]).get(),
    };
    let kinds = ["conversation", "connection", "subscriber", "fleet"];
    Json(Supervision {
        connections,
        totals: Totals {
            connection_restarts: metrics.connection_restarts.get(),
            conversation_restarts: metrics.conversation_restarts.get(),
            subscriber_restarts: metrics.subscriber_restarts.get(),
            fleet_restarts: metrics.fleet_restarts.get(),
            escalations: metrics.escalations.get(),
            connections_moved: metrics.connections_moved.get(),
            arbiters_replaced: metrics.arbiters_replaced.get(),
            arbiters_frozen: metrics.arbiters_frozen.get(),
            dead_letters: metrics.dead_letters_held.get(),
        },
        policies: kinds.into_iter().map(|kind| (kind, policy(kind))).collect(),
    })
}

async fn supervised(state: &State, id: ConnectionId) -> Option<Supervised> {
    let status = state.tertulia.connection(&id).status()?;
    let mut quarantined = state.tertulia.connection(&id).quarantined().await;
    quarantined.sort_unstable_by(|one, other| one.conversation.cmp(&other.conversation));
    quarantined.truncate(QUARANTINED);
    Some(Supervised {
        id,
        life: Life::from(&status.state),
        since: status.since.to_string(),
        restarts: status.restarts,
        conversation_restarts: status.conversation_restarts,
        conversations: status.conversations,
        quarantined,
    })
}

/// Releases a conversation from quarantine, which restarts it.
#[utoipa::path(
    tag = "supervision",
    params(("conversation" = String, Path), Through),
    responses((status = 204, description = "The conversation was released"))
)]
#[post("/conversations/{conversation}/release")]
async fn release(
    state: Data<State>,
    id: Path<ConversationId>,
    through: Query<Through>,
) -> Result<HttpResponse, Problem> {
    let asked = through.into_inner().connection;
    let mut released = false;
    // Without a named connection, releases the conversation on every connection that has it in quarantine.
    for connection in connections::candidates(&state, asked)? {
        match state.tertulia.connection(&connection).release(&id).await {
            Ok(()) => released = true,
            Err(ConnectionError::UnknownConnection(_) | ConnectionError::NotQuarantined(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if released {
        return Ok(HttpResponse::NoContent().finish());
    }
    let detail = format!("conversation {} is not in quarantine", *id);
    Err(Problem::new(StatusCode::CONFLICT, "not-quarantined", detail))
}
