//! Receipts of messages, and the chat state of this side.

use actix_web::{post, web::Json};
use serde::Deserialize;
use serde_json::Value;
use tertulia_actors::core::{
    command::Command,
    id::DialogId,
    ums::{ChatState, DeliveryStatus},
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::acting::{Acted, Acting};
use crate::gateway::{body::Body, problem::Problem};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(read).service(accept).service(chat_state);
}

#[derive(Deserialize, ToSchema)]
#[schema(as = MessageReceipt)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Receipt {
    /// The sequences of the messages; if empty, nothing happens.
    sequences: Vec<u64>,
    /// The dialog; if absent, the open dialog, or MAIN if no dialog is open.
    #[schema(value_type = Option<String>)]
    dialog: Option<DialogId>,
    #[serde(default)]
    metadata: Vec<Value>,
}

impl Receipt {
    fn into_command(self, status: DeliveryStatus) -> Command {
        let Self { sequences, dialog, metadata } = self;
        Command::AcceptStatus { dialog, status, sequences, metadata }
    }
}

/// Reports that messages were read.
#[utoipa::path(
    operation_id = "markRead",
    tag = "conversations",
    params(Acting),
    request_body = Receipt,
    responses((status = 200, description = "The platform has accepted the report", body = Acted))
)]
#[post("/conversations/{conversation}/read")]
async fn read(acting: Acting, body: Body<Receipt>) -> Result<Json<Acted>, Problem> {
    acting.act(&body.digest, body.value.into_command(DeliveryStatus::Read)).await
}

/// Reports that messages arrived.
#[utoipa::path(
    operation_id = "markAccepted",
    tag = "conversations",
    params(Acting),
    request_body = Receipt,
    responses((status = 200, description = "The platform has accepted the report", body = Acted))
)]
#[post("/conversations/{conversation}/accept")]
async fn accept(acting: Acting, body: Body<Receipt>) -> Result<Json<Acted>, Problem> {
    acting.act(&body.digest, body.value.into_command(DeliveryStatus::Accept)).await
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChatStateChange)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Doing {
    /// `COMPOSING` while somebody types, `PAUSE`, `ACTIVE`, `INACTIVE`, `GONE` or `BACKGROUND`.
    #[schema(value_type = String, example = "COMPOSING")]
    chat_state: ChatState,
    /// The dialog; the open dialog if absent.
    #[schema(value_type = Option<String>)]
    dialog: Option<DialogId>,
}

/// Reports the chat state of this side, such as typing.
#[utoipa::path(
    operation_id = "setChatState",
    tag = "conversations",
    params(Acting),
    request_body = Doing,
    responses((status = 200, description = "The platform has accepted the report", body = Acted))
)]
#[post("/conversations/{conversation}/chat-state")]
async fn chat_state(acting: Acting, body: Body<Doing>) -> Result<Json<Acted>, Problem> {
    let Doing { chat_state, dialog } = body.value;
    acting.act(&body.digest, Command::ChatState { dialog, chat_state }).await
}
