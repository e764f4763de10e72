//! Participants and assignment of a conversation: join, leave, transfer, and the consumer's takeover
//! ([CV-F1](crate::rules#cv-f1), [CV-F3](crate::rules#cv-f3), [CV-F14](crate::rules#cv-f14)).

use actix_web::{post, web::Json};
use serde::Deserialize;
use tertulia_actors::core::{
    command::Command,
    id::{AgentId, DialogId, SkillId, UserId},
    ums::ParticipantRole,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::acting::{Acted, Acting};
use crate::gateway::{
    body::{Body, BodyOrNone},
    problem::Problem,
};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(join).service(leave).service(transfer).service(consumer_takeover);
}

#[derive(Deserialize, ToSchema)]
#[schema(as = JoinRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Join {
    /// The role, such as `AGENT`, `MANAGER` or `READER`.
    #[schema(value_type = String, example = "MANAGER")]
    role: ParticipantRole,
    /// The dialog; the open dialog if absent.
    #[schema(value_type = Option<String>)]
    dialog: Option<DialogId>,
}

/// Makes the connection's agent join the conversation.
#[utoipa::path(
    operation_id = "joinConversation",
    tag = "conversations",
    params(Acting),
    request_body = Join,
    responses((status = 200, description = "The agent has joined", body = Acted))
)]
#[post("/conversations/{conversation}/join")]
async fn join(acting: Acting, body: Body<Join>) -> Result<Json<Acted>, Problem> {
    let Join { role, dialog } = body.value;
    acting.act(&body.digest, Command::Join { role, dialog }).await
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = LeaveRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Leave {
    /// The dialog; the open dialog if absent.
    #[schema(value_type = Option<String>)]
    dialog: Option<DialogId>,
}

/// Makes the connection's agent leave the conversation, whatever its role.
#[utoipa::path(
    operation_id = "leaveConversation",
    tag = "conversations",
    params(Acting),
    request_body(content = Option<Leave>),
    responses((status = 200, description = "The agent has left", body = Acted))
)]
#[post("/conversations/{conversation}/leave")]
async fn leave(acting: Acting, body: BodyOrNone<Leave>) -> Result<Json<Acted>, Problem> {
    let Leave { dialog } = body.value;
    acting.act(&body.digest, Command::Leave { dialog }).await
}

#[derive(Deserialize, ToSchema)]
#[schema(as = TransferRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Transfer {
    /// The agent, as `account.user` or as the user alone.
    #[schema(value_type = Option<String>, example = "12345678.bot2")]
    agent_id: Option<AgentId>,
    /// The skill.
    #[schema(value_type = Option<String>)]
    skill_id: Option<SkillId>,
}

/// Transfers the conversation to an agent, a skill or both, and removes the current assignment. If both are absent,
/// nothing happens.
#[utoipa::path(
    operation_id = "transferConversation",
    tag = "conversations",
    params(Acting),
    request_body = Transfer,
    responses((status = 200, description = "The platform has accepted the transfer", body = Acted))
)]
#[post("/conversations/{conversation}/transfer")]
async fn transfer(acting: Acting, body: Body<Transfer>) -> Result<Json<Acted>, Problem> {
    let Transfer { agent_id: agent, skill_id: skill } = body.value;
    acting.act(&body.digest, Command::Transfer { agent, skill }).await
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ConsumerTakeover)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Takeover {
    /// The consumer's new identity.
    #[schema(value_type = String)]
    new_consumer_user_id: UserId,
}

/// Gives the conversation to another identity of its consumer, as a step-up requires.
#[utoipa::path(
    operation_id = "takeOverConsumer",
    tag = "conversations",
    params(Acting),
    request_body = Takeover,
    responses((status = 200, description = "The new identity has the conversation", body = Acted))
)]
#[post("/conversations/{conversation}/consumer-takeover")]
async fn consumer_takeover(acting: Acting, body: Body<Takeover>) -> Result<Json<Acted>, Problem> {
    let Takeover { new_consumer_user_id: new_consumer } = body.value;
    acting.act(&body.digest, Command::ConsumerTakeover { new_consumer }).await
}
