//! `/v1/supervision`: restarts, restart policies, and conversations in quarantine, which can be released.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::StatusCode,
    post,
    web::{Json, Path, Query},
};
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};
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
    nodes::{ask_others, is_for_part},
    problem::Problem,
    state::Caller,
};

/// The most quarantined conversations reported per connection.
const QUARANTINED: usize = 1_000;
/// The total that no node counts for itself.
const LETTERS: &str = "deadLetters";

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(tree).service(release);
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Supervision {
    connections: Vec<Supervised>,
    /// Counted since the process began; of several nodes, the sums.
    totals: Totals,
    /// The restart policies, by kind of actor.
    policies: BTreeMap<&'static str, Policy>,
    /// The nodes that did not answer in time, so that their connections and totals are missing; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    incomplete: Vec<String>,
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

/// Reports the supervision tree: connections, restarts in each, and the conversations in quarantine. Of several nodes, the
/// trees of all together.
#[utoipa::path(operation_id = "getSupervision", tag = "supervision", responses((status = 200, description = "The tree", body = Supervision)))]
#[get("/supervision")]
async fn tree(caller: Caller, request: HttpRequest) -> Result<Json<Value>, Problem> {
    let own = json!(own_tree(&caller).await?);
    match &caller.state().neighbours {
        Some(neighbours) if !is_for_part(&request) => {
            let parse = |text: &[u8]| serde_json::from_slice::<Value>(text).ok().filter(Value::is_object);
            let parts = ask_others(&request, neighbours, parse).await;
            Ok(Json(put_together(own, parts.answered, &parts.incomplete)))
        }
        _ => Ok(Json(own)),
    }
}

/// Puts the tree of this node and those of others together. The dead letters are in the store that all share.
fn put_together(mut own: Value, others: Vec<Value>, incomplete: &[String]) -> Value {
    let mut connections = own["connections"].as_array().cloned().unwrap_or_default();
    for other in others {
        connections.extend(other["connections"].as_array().into_iter().flatten().cloned());
        for (name, count) in other["totals"].as_object().into_iter().flatten().filter(|(name, _)| *name != LETTERS) {
            own["totals"][name] = match (own["totals"][name].as_i64(), count.as_i64()) {
                (Some(own), Some(more)) => json!(own.saturating_add(more)),
                _ => continue,
            };
        }
    }
    let id = |connection: &Value| connection["id"].as_str().unwrap_or_default().to_owned();
    connections.sort_by_cached_key(id);
    // A connection that has just moved may be in two trees.
    connections.dedup_by_key(|connection| id(connection));
    own["connections"] = Value::Array(connections);
    if !incomplete.is_empty() {
        own["incomplete"] = json!(incomplete);
    }
    own
}

/// The tree of this process.
async fn own_tree(caller: &Caller) -> Result<Supervision, Problem> {
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
    Ok(Supervision {
        connections,
        totals: Totals {
            connection_restarts,
            conversation_restarts,
            dead_letters: caller.dead_letters().count().await?,
            process: if is_whole { process() } else { ProcessTotals::default() },
        },
        policies: kinds.into_iter().map(|kind| (kind, policy(kind))).collect(),
        incomplete: Vec::new(),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trees_of_all_nodes_are_one_tree_and_their_totals_add_up() {
        let own = json!({
            "connections": [{ "id": "b", "restarts": 1 }],
            "totals": { "connectionRestarts": 1, "deadLetters": 7 }, "policies": { "fleet": 1 },
        });
        let other = json!({
            "connections": [{ "id": "a" }, { "id": "b", "restarts": 0 }],
            "totals": { "connectionRestarts": 2, "deadLetters": 7, "escalations": 9 }, "policies": { "fleet": 2 },
        });
        let whole = put_together(own, vec![other], &["c".to_owned()]);
        let expected = json!({
            "connections": [{ "id": "a" }, { "id": "b", "restarts": 1 }],
            "totals": { "connectionRestarts": 3, "deadLetters": 7 }, "policies": { "fleet": 1 }, "incomplete": ["c"],
        });
        assert_eq!(whole, expected);
    }
}
