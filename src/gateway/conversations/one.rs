//! `GET /v1/conversations/{id}`: all members of a conversation.

use actix_web::{
    get,
    web::{Json, Path, Query},
};
use serde_json::{Map, Value};
use tertulia_actors::{conversation::ConversationHandle, core::id::ConversationId};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    acting::Named,
    find::{Through, find_to_look},
    view::ConversationView,
};
use crate::gateway::{problem::Problem, state::Caller};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(one);
}

/// Returns all members of a conversation, including stage, skill, dialogs and participants, under the names of the
/// SDK's class page.
#[utoipa::path(
    operation_id = "getConversation",
    tag = "conversations",
    params(Named, Through),
    responses((status = 200, description = "The conversation", body = ConversationView))
)]
#[get("/conversations/{conversation}")]
async fn one(
    caller: Caller,
    id: Path<ConversationId>,
    through: Query<Through>,
) -> Result<Json<Map<String, Value>>, Problem> {
    let handle = find_to_look(&caller, &id, through.into_inner())?;
    Ok(Json(members(&handle).await?))
}

/// All members, with the connection that reported them and the sequence of the last event.
pub(super) async fn members(handle: &ConversationHandle) -> Result<Map<String, Value>, Problem> {
    let (members, sequence) = handle.members_at().await?;
    let mut members = match members {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.insert("sequence".to_owned(), sequence.to_string().into());
    members.insert("connection".to_owned(), handle.connection().as_str().into());
    Ok(members)
}
