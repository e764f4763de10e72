//! `GET /v1/conversations`: the conversations in memory, in pages.

use actix_web::{
    get,
    web::{Data, Json, Query},
};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Map, Value};
use tertulia_actors::{conversation::ConversationHandle, core::id::ConnectionId};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::one::members;
use crate::gateway::{
    connections,
    page::{self, Page},
    problem::Problem,
    state::State,
};

/// Conversations that one list asks at a time.
const PARALLEL: usize = 64;
/// What a list tells of each conversation.
const IN_LISTS: [&str; 8] =
    ["conversationId", "stage", "skillId", "assignedAgent", "consumer", "startTime", "updateTime", "closeTime"];

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[param(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The conversations in memory, briefly.
#[utoipa::path(
    tag = "conversations",
    params(Asked),
    responses((status = 200, description = "A page", body = Page<Value>))
)]
#[get("/conversations")]
async fn list(state: Data<State>, asked: Query<Asked>) -> Result<Json<Page<Value>>, Problem> {
    let Asked { connection, limit, cursor } = asked.into_inner();
    let limit = page::limit(limit)?;
    let cursor = match &cursor {
        Some(cursor) => Some(cursor.rsplit_once('/').ok_or_else(|| Problem::bad_request("this is no cursor"))?),
        None => None,
    };
    let behind = |handle: &ConversationHandle| cursor.is_none_or(|cursor| order(handle) > cursor);
    let handles = connections::candidates(&state, connection)?;
    let handles = handles.iter().flat_map(|connection| state.tertulia.conversations(connection));
    let handles: Vec<ConversationHandle> = handles.filter(behind).collect();
    let owned = |handle: &ConversationHandle| (handle.id().clone(), handle.connection().clone());
    let (handles, next_cursor) =
        page::cut(handles, limit, owned, |handle| format!("{}/{}", handle.id(), handle.connection()));
    let items = stream::iter(handles).map(|handle| async move { members(&handle).await.ok() }).buffered(PARALLEL);
    let items = items.filter_map(|members| async { members.map(brief) }).collect().await;
    Ok(Json(Page { items, next_cursor }))
}

fn order(handle: &ConversationHandle) -> (&str, &str) {
    (handle.id().as_str(), handle.connection().as_str())
}

fn brief(mut members: Map<String, Value>) -> Value {
    members.retain(|name, _| name == "connection" || IN_LISTS.contains(&name.as_str()));
    Value::Object(members)
}
