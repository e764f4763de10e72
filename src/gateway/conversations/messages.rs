//! `/v1/conversations/{id}/messages`: publishes a message ([CV-F6](crate::rules#cv-f6), [CV-F7](crate::rules#cv-f7),
//! [CV-F8](crate::rules#cv-f8)) and reads the history ([CV-F5](crate::rules#cv-f5)).

use std::sync::Arc;

use actix_web::{
    get, post,
    web::{Json, Path, Query},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tertulia_actors::{
    conversation::ConversationError,
    core::{
        command::{Command, MessageRange, SendRichText, SendText},
        conversation,
        id::{ConnectionId, ConversationId, DialogId},
    },
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    acting::{Acting, Named, PATIENCE, new_key},
    find::{Through, find_all, not_found},
};
use crate::gateway::{body::Body, problem::Problem, state::Caller};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(send).service(history);
}

/// A message to publish: either a text or structured content.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewMessage)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Message {
    text: Option<String>,
    /// Structured content.
    #[schema(value_type = Option<Object>)]
    rich_text: Option<Value>,
    /// Whether only agents see the message.
    #[serde(default)]
    private: bool,
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    metadata: Vec<Value>,
    #[schema(value_type = Option<Object>)]
    quick_replies: Option<Value>,
    /// The dialog; the open dialog if absent.
    #[schema(value_type = Option<String>)]
    dialog: Option<DialogId>,
}

impl Message {
    fn into_command(self) -> Result<Command, Problem> {
        let Self { text, rich_text, private, metadata, quick_replies, dialog } = self;
        match (text, rich_text) {
            (Some(text), None) => Ok(Command::SendText(SendText { text, private, metadata, quick_replies, dialog })),
            (None, Some(content)) => {
                Ok(Command::SendRichText(SendRichText { content, private, metadata, quick_replies, dialog }))
            }
            _ => Err(Problem::bad_request("a message must have either a text or a richText")),
        }
    }
}

/// Where the message was published.
#[derive(Serialize, ToSchema)]
#[schema(as = PublishedMessage)]
pub(super) struct Published {
    /// The message's sequence in the dialog, if the platform reports it.
    pub(super) sequence: Option<u64>,
}

/// Publishes a message: text or structured content.
#[utoipa::path(
    operation_id = "sendMessage",
    tag = "conversations",
    params(Acting),
    request_body = Message,
    responses((status = 200, description = "The message was published", body = Published))
)]
#[post("/conversations/{conversation}/messages")]
async fn send(acting: Acting, body: Body<Message>) -> Result<Json<Published>, Problem> {
    let done = acting.perform(&body.digest, body.value.into_command()?).await?;
    Ok(Json(Published { sequence: done.sequence }))
}

/// Which messages; both bounds are inclusive.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HistoryQuery {
    #[param(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    /// The dialog; the open dialog if absent.
    #[param(value_type = Option<String>)]
    dialog: Option<DialogId>,
    /// The first sequence; by default the first of the dialog.
    sequence_min: Option<u64>,
    /// The last sequence; by default the last of the dialog.
    sequence_max: Option<u64>,
    /// The most messages; by default as many as the platform returns.
    max_quantity: Option<u64>,
}

/// The requested messages, in the order of their dialog.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageHistory)]
struct History {
    /// Each message as in the event `tertulia.message`.
    items: Vec<Arc<conversation::Message>>,
}

/// Returns the messages of a dialog from the platform. Only agents can read it: a consumer's connection cannot.
#[utoipa::path(
    operation_id = "listMessages",
    tag = "conversations",
    params(Named, HistoryQuery),
    responses((status = 200, description = "The messages", body = History))
)]
#[get("/conversations/{conversation}/messages")]
async fn history(
    caller: Caller,
    id: Path<ConversationId>,
    asked: Query<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let HistoryQuery { connection, dialog, sequence_min: from, sequence_max: to, max_quantity: max } =
        asked.into_inner();
    if [from, to, max].into_iter().flatten().any(|number| i64::try_from(number).is_err()) {
        return Err(Problem::bad_request("a sequence must be at most 9223372036854775807"));
    }
    let command = Command::QueryMessages { dialog, range: MessageRange { from, to, max } };
    let mut failed = None;
    for handle in find_all(&caller, &id, Through { connection })? {
        match handle.perform_as(new_key(), command.clone(), PATIENCE).await {
            Ok(done) => return Ok(Json(History { items: done.messages })),
            // Another connection may be able to read the history. If none is, `not-connected` counts more, because the
            // caller can try again.
            Err(ConversationError::NotConnected) => failed = Some(ConversationError::NotConnected),
            Err(failure) if failure.code() == "not-supported" => failed = failed.or(Some(failure)),
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(failed.map_or_else(|| not_found(&caller, &id), Problem::from))
}
