//! `/v1/conversations/{id}/messages`: says something in a conversation (CV-F6, CV-F7, CV-F8).

use actix_web::{post, web::Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tertulia_actors::core::{
    command::{Command, SendRichText, SendText},
    id::DialogId,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::acting::Acting;
use crate::gateway::{body::Body, problem::Problem};

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

/// Where it was published.
#[derive(Serialize, ToSchema)]
pub(super) struct Published {
    /// Its place in the dialog, where the platform tells.
    sequence: Option<u64>,
}

/// Says something: text, or structured content.
#[utoipa::path(
    tag = "conversations",
    params(Acting),
    request_body = Message,
    responses((status = 200, description = "It was published", body = Published))
)]
#[post("/conversations/{conversation}/messages")]
async fn send(acting: Acting, body: Body<Message>) -> Result<Json<Published>, Problem> {
    let done = acting.perform(&body.digest, body.value.into_command()?).await?;
    Ok(Json(Published { sequence: done.sequence }))
}
