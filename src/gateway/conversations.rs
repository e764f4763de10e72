//! `/v1/conversations`: the conversations in memory, in pages or one by one, and which one a path means.

use actix_web::{
    get,
    http::{StatusCode, header},
    web::{Data, Json, Path, Query},
};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Map, Value};
use tertulia_actors::{
    connection::ConnectionStatus,
    conversation::ConversationHandle,
    core::{
        id::{ConnectionId, ConversationId},
        session::Phase,
    },
};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
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
    config.service(list).service(one);
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

/// By which connection; any where it is not told.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Through {
    #[param(value_type = Option<String>)]
    pub(super) connection: Option<ConnectionId>,
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

/// All members of a conversation under the class page's names.
#[utoipa::path(
    tag = "conversations",
    params(("conversation" = String, Path), Through),
    responses((status = 200, description = "The conversation", body = Object))
)]
#[get("/conversations/{conversation}")]
async fn one(
    state: Data<State>,
    id: Path<ConversationId>,
    through: Query<Through>,
) -> Result<Json<Map<String, Value>>, Problem> {
    let through = through.into_inner();
    // Whichever connection sees it, it is the same conversation.
    let handle = find(&state, &id, through)?.into_iter().next().ok_or_else(|| not_found(&state, &id))?;
    Ok(Json(members(&handle).await?))
}

fn order(handle: &ConversationHandle) -> (&str, &str) {
    (handle.id().as_str(), handle.connection().as_str())
}

/// All members, and by which connection they are known.
async fn members(handle: &ConversationHandle) -> Result<Map<String, Value>, Problem> {
    let mut members = match handle.members().await? {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.insert("connection".to_owned(), handle.connection().as_str().into());
    Ok(members)
}

fn brief(mut members: Map<String, Value>) -> Value {
    members.retain(|name, _| name == "connection" || IN_LISTS.contains(&name.as_str()));
    Value::Object(members)
}

fn find(state: &State, id: &ConversationId, through: Through) -> Result<Vec<ConversationHandle>, Problem> {
    let candidates = connections::candidates(state, through.connection)?;
    Ok(candidates.iter().filter_map(|connection| state.tertulia.conversation(connection, id)).collect())
}

/// The conversation that a command is for. It matters who acts: where several connections could, one must be named.
pub(super) fn find_to_act(state: &State, id: &ConversationId, through: Through) -> Result<ConversationHandle, Problem> {
    let mut found = find(state, id, through)?;
    match (found.pop(), found.is_empty()) {
        (Some(handle), true) => Ok(handle),
        (Some(handle), false) => {
            let names = found.iter().chain([&handle]).map(|handle| handle.connection().to_string());
            let detail = "several connections see the conversation: name the one to act by with ?connection=";
            let problem = Problem::new(StatusCode::CONFLICT, "ambiguous-connection", detail);
            Err(problem.with("connections", names.collect::<Vec<_>>()))
        }
        (None, _) => Err(not_found(state, id)),
    }
}

/// Why a conversation is not there: for whoever asks while an earlier life's conversations are being taken up, it may be
/// there soon.
fn not_found(state: &State, id: &ConversationId) -> Problem {
    let is_beginning = |status: ConnectionStatus| status.state == Phase::Idle;
    if state.tertulia.connections().iter().filter_map(|id| state.tertulia.status(id)).any(is_beginning) {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-connected", "connections are being started");
        return problem.header(header::RETRY_AFTER, "1");
    }
    unknown(id)
}

fn unknown(id: &ConversationId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown-conversation", format!("there is no conversation {id} in memory"))
}
