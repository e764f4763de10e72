//! `/v1/conversations/{id}/messages`: says something in a conversation (CV-F6, CV-F7, CV-F8).

use std::time::Duration;

use actix_web::{
    HttpRequest, post,
    web::{Data, Json, Path, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tertulia_actors::core::{
    command::{Command, SendRichText, SendText},
    id::{ConversationId, DialogId},
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    body::Body,
    conversations::{Through, find_to_act},
    idempotency,
    problem::Problem,
    state::State,
};

/// How long a message may take, waiting for a reconnect included: less than what callers usually wait for an answer.
const PATIENCE: Duration = Duration::from_secs(25);

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(send);
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Message {
    text: Option<String>,
    rich_text: Option<Value>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    metadata: Vec<Value>,
    quick_replies: Option<Value>,
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
            _ => Err(Problem::bad_request("a message has either a text or a richText")),
        }
    }
}

/// Says something: text, or structured content.
#[utoipa::path(
    tag = "conversations",
    params(("conversation" = String, Path), Through, idempotency::Key),
    request_body = Message,
    responses((status = 200, description = "It was published", body = Object))
)]
#[post("/conversations/{conversation}/messages")]
async fn send(
    state: Data<State>,
    request: HttpRequest,
    id: Path<ConversationId>,
    through: Query<Through>,
    body: Body<Message>,
) -> Result<Json<Value>, Problem> {
    let key = idempotency::key(request.headers())?;
    let command = body.value.into_command()?;
    let handle = find_to_act(&state, &id, through.into_inner())?;
    let done = idempotency::once(&handle, key, &body.digest, command, PATIENCE).await?;
    Ok(Json(json!({ "sequence": done.sequence })))
}
