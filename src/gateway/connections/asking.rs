//! Requests to a connection that concern no existing conversation: an agent's state, a new conversation, any protocol
//! request, a step-up.

use actix_web::{HttpResponse, http::StatusCode, post, put, web::Path};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tertulia_actors::{
    connection::{SteppedUp, Takeover},
    core::{
        id::{ConnectionId, ConversationId, ExternalConsumerId, SkillId, UserId},
        ums::{AgentState, ConversationRequest, TtrType, UserProfile},
    },
    platform::StepUp,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::gateway::{
    body::Body,
    codes::ProblemCode,
    keyed::{Once, Reply},
    problem::Problem,
    state::Caller,
};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(set_agent_state).service(create_conversation).service(ask).service(step_up);
}

#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = AgentAvailability)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Availability {
    /// `ONLINE`, `OCCUPIED`, `BACK_SOON`, `AWAY` or `OFFLINE`.
    #[schema(value_type = String, example = "ONLINE")]
    agent_state: AgentState,
}

/// Sets the agent's state, now and after each reconnect.
#[utoipa::path(
    operation_id = "setAgentState",
    tag = "connections",
    params(("connection" = String, Path), Once),
    request_body = Availability,
    responses((status = 200, description = "The platform has set the state", body = Availability))
)]
#[put("/connections/{connection}/agent-state")]
async fn set_agent_state(
    caller: Caller,
    once: Once,
    id: Path<ConnectionId>,
    body: Body<Availability>,
) -> Result<HttpResponse, Problem> {
    let connection = caller.connection(&id)?;
    let agent_state = body.value.agent_state;
    if !AgentState::KNOWN.contains(&agent_state) {
        let detail = "agentState must be one of ONLINE, OCCUPIED, BACK_SOON, AWAY, OFFLINE";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-agent-state", detail));
    }
    once.act(&body.digest, async move {
        connection.set_agent_state(agent_state.clone()).await?;
        Ok(Reply::ok(json!(Availability { agent_state })))
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewConversation)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Opening {
    /// The skill; the account's default if absent.
    #[schema(value_type = Option<String>)]
    skill_id: Option<SkillId>,
    /// The context that the consumer comes from.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
    /// The campaign and engagement.
    #[schema(value_type = Option<Object>)]
    campaign_info: Option<Map<String, Value>>,
    /// `NORMAL`, `URGENT` or `PRIORITIZED`.
    #[schema(value_type = Option<String>)]
    ttr_type: Option<TtrType>,
    /// The consumer; only for a connector, which acts for many consumers.
    consumer: Option<OfConnector>,
}

/// A consumer of a connector.
#[derive(Deserialize, ToSchema)]
#[schema(as = ConnectorConsumer)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfConnector {
    /// The connector's own id of the consumer.
    #[schema(value_type = String)]
    id: ExternalConsumerId,
    first_name: Option<String>,
    last_name: Option<String>,
}

/// The opened conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenedConversation)]
#[serde(rename_all = "camelCase")]
struct Opened {
    connection: String,
    conversation_id: String,
}

/// Opens a conversation as a consumer.
#[utoipa::path(
    operation_id = "createConversation",
    tag = "connections",
    params(("connection" = String, Path), Once),
    request_body = Opening,
    responses((status = 201, description = "The conversation is open", body = Opened))
)]
#[post("/connections/{connection}/conversations")]
async fn create_conversation(
    caller: Caller,
    once: Once,
    id: Path<ConnectionId>,
    body: Body<Opening>,
) -> Result<HttpResponse, Problem> {
    let connection = caller.connection(&id)?;
    let Opening { skill_id, context, campaign_info, ttr_type, consumer } = body.value;
    let opening = ConversationRequest {
        skill_id,
        conversation_context: context.map(Value::Object),
        campaign_info: campaign_info.map(Value::Object),
        ttr_def_name: ttr_type,
        ..ConversationRequest::default()
    };
    once.act(&body.digest, async move {
        let handle = match consumer {
            None => connection.create_conversation(opening).await?,
            Some(OfConnector { id: consumer, first_name, last_name }) => {
                let (first_name, last_name) = (first_name.map(Into::into), last_name.map(Into::into));
                let profile = UserProfile { first_name, last_name, ..UserProfile::default() };
                connection.create_conversation_for(consumer, profile, opening).await?
            }
        };
        let opened = Opened { connection: id.to_string(), conversation_id: handle.id().to_string() };
        let location = format!("/v1/conversations/{}?connection={}", opened.conversation_id, opened.connection);
        Ok(Reply::created(location, json!(opened)))
    })
    .await
}

/// A request of the platform's protocol.
#[derive(Deserialize, ToSchema)]
#[schema(as = PlatformRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    /// The type, such as `cqm.SubscribeExConversations`.
    #[serde(rename = "type")]
    kind: String,
    #[schema(value_type = Object)]
    body: Value,
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    headers: Vec<Value>,
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    metadata: Vec<Value>,
}

/// Sends any protocol request and returns the body of the platform's answer.
#[utoipa::path(
    operation_id = "sendRequest",
    tag = "connections",
    params(("connection" = String, Path), Once),
    request_body = Wire,
    responses((status = 200, description = "The body of the platform's answer", body = Value))
)]
#[post("/connections/{connection}/requests")]
async fn ask(caller: Caller, once: Once, id: Path<ConnectionId>, body: Body<Wire>) -> Result<HttpResponse, Problem> {
    let connection = caller.connection(&id)?;
    let Wire { kind, body: content, headers, metadata } = body.value;
    once.act(&body.digest, async move { Ok(Reply::ok(connection.request(kind, content, headers, metadata).await?)) })
        .await
}

/// The proof of the consumer's identity.
#[derive(Deserialize, ToSchema)]
#[schema(as = StepUp)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SteppingUp {
    /// The connector of authenticated consumers.
    connector_id: String,
    /// The brand's proof of the consumer's identity: an authorisation code or a signed JWT.
    #[schema(value_type = String)]
    code: SecretString,
}

/// The consumer after a step-up.
#[derive(Serialize, ToSchema)]
#[schema(as = SteppedUp)]
#[serde(rename_all = "camelCase")]
struct SteppedUpView {
    /// The consumer's new id.
    user_id: UserId,
    /// What happened to each open conversation of the previous consumer.
    conversations: Vec<TakenOver>,
}

/// A conversation of a consumer who stepped up.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TakenOver {
    conversation_id: ConversationId,
    outcome: TakeoverOutcome,
    /// The code of the error, if the conversation could not be transferred to the new consumer.
    #[schema(value_type = Option<ProblemCode>)]
    code: Option<&'static str>,
}

/// What happened to a conversation at a step-up.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum TakeoverOutcome {
    /// The conversation has the new consumer.
    Done,
    /// The conversation was closed during the step-up.
    Closed,
    /// The conversation still has the previous consumer.
    Failed,
}

/// Turns an anonymous consumer into an authenticated one, with their open conversations.
#[utoipa::path(
    operation_id = "stepUpConsumer",
    tag = "connections",
    params(("connection" = String, Path), Once),
    request_body = SteppingUp,
    responses((status = 200, description = "The consumer's new identity", body = SteppedUpView))
)]
#[post("/connections/{connection}/step-up")]
async fn step_up(
    caller: Caller,
    once: Once,
    id: Path<ConnectionId>,
    body: Body<SteppingUp>,
) -> Result<HttpResponse, Problem> {
    let connection = caller.connection(&id)?;
    let step_up = StepUp { connector: body.value.connector_id, code: body.value.code };
    once.act(&body.digest, async move {
        let SteppedUp { user_id, conversations } = connection.step_up(step_up).await?;
        let conversations = conversations.into_iter().map(|(conversation_id, outcome)| {
            let (outcome, code) = match outcome {
                Takeover::Done => (TakeoverOutcome::Done, None),
                Takeover::Closed => (TakeoverOutcome::Closed, None),
                Takeover::Failed(failure) => (TakeoverOutcome::Failed, Some(failure.code())),
            };
            TakenOver { conversation_id, outcome, code }
        });
        Ok(Reply::ok(json!(SteppedUpView { user_id, conversations: conversations.collect() })))
    })
    .await
}
