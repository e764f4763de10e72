//! Snapshots of conversations: taken, loaded on any service, and unloaded ([CV-F15](crate::rules#cv-f15),
//! [SR-1](crate::rules#sr-1), [CN-F13](crate::rules#cn-f13)).

use std::time::Duration;

use actix_web::{
    HttpResponse, get,
    http::{StatusCode, header::ContentType},
    post,
    web::{Path, Query},
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use tertulia_actors::core::id::{ConnectionId, ConversationId};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    acting::{Acting, Named},
    find::{Through, find_to_act, find_to_look},
    view::Snapshot,
};
use crate::gateway::{
    body::{Body, Digest},
    keyed::{Once, Reply},
    problem::Problem,
    state::Caller,
};

/// How long a connection may take to load or unload.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(snapshot).service(load).service(unload);
}

/// Returns the conversation as text, which any service of this version can load.
#[utoipa::path(
    operation_id = "getSnapshot",
    tag = "conversations",
    params(Named, Through),
    responses((status = 200, description = "The snapshot", body = Snapshot))
)]
#[get("/conversations/{conversation}/snapshot")]
async fn snapshot(caller: Caller, id: Path<ConversationId>, through: Query<Through>) -> Result<HttpResponse, Problem> {
    let text = find_to_look(&caller, &id, through.into_inner())?.snapshot().await?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(text))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Loading {
    /// The connection that loads the conversation; its role must be connector or intake.
    #[param(value_type = String)]
    connection: ConnectionId,
}

/// The loaded or unloaded conversation, and its connection.
#[derive(Serialize, ToSchema)]
#[schema(as = LoadedConversation)]
#[serde(rename_all = "camelCase")]
struct Loaded {
    #[schema(value_type = String)]
    connection: ConnectionId,
    #[schema(value_type = String)]
    conversation_id: ConversationId,
}

/// Loads a conversation into memory from its snapshot. The conversation stays until it is unloaded as often as it was
/// loaded. If it is already in memory, its state does not change.
#[utoipa::path(
    operation_id = "loadConversation",
    tag = "conversations",
    params(Loading, Once),
    request_body(content = Snapshot, description = "A snapshot"),
    responses((status = 200, description = "The conversation is in memory", body = Loaded))
)]
#[post("/conversations/load")]
async fn load(
    caller: Caller,
    once: Once,
    into: Query<Loading>,
    body: Body<Box<RawValue>>,
) -> Result<HttpResponse, Problem> {
    let Loading { connection } = into.into_inner();
    let text = body.value;
    let digest = digest(&once, Some(&connection), text.get());
    once.act(&digest, async move {
        let loading = caller.connection(&connection)?;
        let handle = timeout(PATIENCE, loading.load(text.get())).await.map_err(|_| late())??;
        Ok(Reply::ok(json!(Loaded { connection, conversation_id: handle.id().clone() })))
    })
    .await
}

/// Unloads a conversation that was loaded, or that a notification to an intake created. Commands that wait in the
/// conversation fail.
#[utoipa::path(
    operation_id = "unloadConversation",
    tag = "conversations",
    params(Acting),
    responses((status = 200, description = "The conversation has one load fewer", body = Loaded))
)]
#[post("/conversations/{conversation}/unload")]
async fn unload(
    caller: Caller,
    once: Once,
    id: Path<ConversationId>,
    through: Query<Through>,
) -> Result<HttpResponse, Problem> {
    let (id, through) = (id.into_inner(), through.into_inner());
    let digest = digest(&once, through.connection.as_ref(), "");
    once.act(&digest, async move {
        // Only inside the keyed action: a repeated request must get its stored response although the conversation is
        // gone.
        let handle = find_to_act(&caller, &id, through)?;
        let connection = caller.connection(handle.connection())?;
        timeout(PATIENCE, connection.unload(&id)).await.map_err(|_| late())??;
        Ok(Reply::ok(json!(Loaded { connection: handle.connection().clone(), conversation_id: id })))
    })
    .await
}

fn digest(once: &Once, connection: Option<&ConnectionId>, body: &str) -> Digest {
    let connection = connection.map(ConnectionId::as_str).unwrap_or_default();
    Digest::of(once.resource(), [connection.as_bytes(), body.as_bytes()])
}

fn late() -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", "the connection did not answer in time")
}
