//! `/v1/supervision`: restarts, restart policies, and conversations in quarantine, which can be released.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse, get,
    http::StatusCode,
    post,
    web::{Json, Path, Query},
};
use futures_util::future::join_all;
use serde::Serialize;
use tertulia_actors::{
    ConnectionHandle,
    connection::{ConnectionError, QuarantinedConversation},
    core::id::{ConnectionId, ConversationId},
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    connections::Life,
    conversations::Through,
    keyed::{Once, Reply},
    problem::Problem,
    state::Caller,
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
#[schema(as = SupervisedConnection)]
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
    quarantined: Vec<QuarantinedConversation>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SupervisionTotals)]
#[serde(rename_all = "camelCase")]
struct Totals {
    connection_restarts: u64,
    conversation_restarts: u64,
    dead_letters: usize,
    #[serde(flatten)]
    process: ProcessTotals,
}

/// Totals that belong to no connection; absent for a token that does not reach every connection.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProcessTotals {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_restarts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet_restarts: Option<u64>,
    /// Times that a connection restarted because many of its conversations failed together.
    #[serde(skip_serializing_if = "Option::is_none")]
    escalations: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections_moved: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arbiters_replaced: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arbiters_frozen: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RestartPolicy)]
#[serde(rename_all = "camelCase")]
struct Policy {
    /// Restarts allowed within the window.
    restarts: i64,
    window_seconds: i64,
}

/// Reports the supervision tree: connections, restarts in each, and the conversations in quarantine.
#[utoipa::path(operation_id = "getSupervision", tag = "supervision", responses((status = 200, description = "The tree", body = Supervision)))]
#[get("/supervision")]
async fn tree(caller: Caller) -> Result<Json<Supervision>, Problem> {
    let supervised = caller.candidates(None)?.into_iter().map(supervised);
    let connections: Vec<Supervised> = join_all(supervised).await.into_iter().flatten().collect();
    let metrics = caller.state().everything().metrics();
    let policy = |kind| Policy {
        restarts: metrics.restarts_allowed.get_or_create(&[("kind", kind)]).get(),
        window_seconds: metrics.restart_window_seconds.get_or_create(&[("kind", kind)]).get(),
    };
    let kinds = ["conversation", "connection", "subscriber", "fleet"];
    let process = || ProcessTotals {
        subscriber_restarts: Some(metrics.subscriber_restarts.get()),
        fleet_restarts: Some(metrics.fleet_restarts.get()),
        escalations: Some(metrics.escalations.get()),
        connections_moved: Some(metrics.connections_moved.get()),
        arbiters_replaced: Some(metrics.arbiters_replaced.get()),
        arbiters_frozen: Some(metrics.arbiters_frozen.get()),
    };
    let is_whole = caller.reach().is_everything();
    let (connection_restarts, conversation_restarts) = if is_whole {
        (metrics.connection_restarts.get(), metrics.conversation_restarts.get())
    } else {
        let restarts = connections.iter().map(|connection| (connection.restarts, connection.conversation_restarts));
        restarts.fold((0, 0), |(own, of_conversations), (more, of_more)| (own + more, of_conversations + of_more))
    };
    Ok(Json(Supervision {
        connections,
        totals: Totals {
            connection_restarts,
            conversation_restarts,
            dead_letters: caller.dead_letters().count().await?,
            process: if is_whole { process() } else { ProcessTotals::default() },
        },
        policies: kinds.into_iter().map(|kind| (kind, policy(kind))).collect(),
    }))
}

async fn supervised(connection: ConnectionHandle) -> Option<Supervised> {
    let status = connection.status()?;
    let mut quarantined = connection.quarantined().await;
    quarantined.sort_unstable_by(|one, other| one.conversation.cmp(&other.conversation));
    quarantined.truncate(QUARANTINED);
    Some(Supervised {
        id: connection.id().clone(),
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
    operation_id = "releaseConversation",
    tag = "supervision",
    params(("conversation" = String, Path), Through, Once),
    responses((status = 204, description = "The conversation was released"))
)]
#[post("/conversations/{conversation}/release")]
async fn release(
    caller: Caller,
    once: Once,
    id: Path<ConversationId>,
    through: Query<Through>,
) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        let mut released = false;
        // Without a named connection, releases the conversation on every connection that has it in quarantine.
        for connection in caller.candidates(through.connection.as_ref())? {
            match connection.release(&id).await {
                Ok(()) => released = true,
                Err(ConnectionError::UnknownConnection(_) | ConnectionError::NotQuarantined(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if released {
            return Ok(Reply::no_content());
        }
        let detail = format!("conversation {} is not in quarantine", *id);
        Err(Problem::new(StatusCode::CONFLICT, "not-quarantined", detail))
    })
    .await
}
