//! `GET /v1/conversations`: the conversations in memory, filtered and in pages. No conversation is asked, so unloaded
//! conversations stay unloaded.

use actix_web::{
    get,
    web::{self, Json, Query},
};
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    conversation::{Assignee, ConversationFilter, ConversationHandle, Outline},
    core::{
        conversation::LastMessage,
        id::{AgentId, ConnectionId, ConversationId, ExternalConsumerId, SkillId, UserId},
        time::Timestamp,
        ums::{ParticipantRole, Stage},
    },
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::gateway::{
    page::{self, Cursor, Page, Place},
    problem::Problem,
    state::Caller,
    words::check_stage,
};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[param(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    /// `OPEN`, `CLOSE` or `LOCKED`; `OPEN` includes conversations whose stage is not known yet.
    #[param(value_type = Option<String>, example = "OPEN")]
    stage: Option<Stage>,
    /// Only conversations of this skill.
    #[param(value_type = Option<String>)]
    skill: Option<SkillId>,
    /// Only conversations assigned to this agent: a public id, `account.user` or the user alone.
    agent: Option<String>,
    /// Only conversations of this consumer, by the consumer's id or a connector's own id of the consumer.
    consumer: Option<String>,
    /// Only conversations whose id, consumer, skill or agent contains this text, ignoring case.
    text: Option<String>,
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// A conversation in brief.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationInBrief)]
#[serde(rename_all = "camelCase")]
struct Brief {
    #[schema(value_type = String)]
    connection: ConnectionId,
    #[schema(value_type = String)]
    conversation_id: ConversationId,
    /// The stage; null before the first state.
    #[schema(value_type = Option<String>)]
    stage: Option<Stage>,
    /// The skill; `-1` means no skill.
    #[schema(value_type = Option<String>)]
    skill_id: Option<SkillId>,
    /// The assigned agent; in a closed conversation the last one.
    assigned_agent: Option<Agent>,
    /// The consumer; in a closed conversation the last one.
    consumer: Option<Consumer>,
    /// A connector's own id of the consumer; null for other roles.
    #[schema(value_type = Option<String>)]
    external_consumer_id: Option<ExternalConsumerId>,
    /// In milliseconds since the epoch, like all times.
    #[schema(value_type = Option<i64>)]
    start_time: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    update_time: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    close_time: Option<Timestamp>,
    /// The time until which the agent must respond.
    #[schema(value_type = Option<i64>)]
    ttr_effective: Option<Timestamp>,
    /// The messages that the assigned agent has not read; null if no agent is assigned, or if the platform does not
    /// report the count.
    unread: Option<u32>,
    /// The newest message; null if no message is known.
    last_message: Option<Last>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LastMessage)]
#[serde(rename_all = "camelCase")]
struct Last {
    /// The message's sequence in its dialog.
    sequence: u64,
    /// The author's role.
    #[schema(value_type = Option<String>)]
    role: Option<ParticipantRole>,
    /// The beginning of the text, at most 160 characters; null if the message is not text.
    text: Option<String>,
    #[schema(value_type = Option<i64>)]
    time: Option<Timestamp>,
}

impl From<&LastMessage> for Last {
    fn from(message: &LastMessage) -> Self {
        let LastMessage { sequence, role, text, time } = message.clone();
        Self { sequence, role, text: text.map(String::from), time }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AgentInBrief)]
#[serde(rename_all = "camelCase")]
struct Agent {
    /// The public id.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The id as `account.user`.
    #[schema(value_type = Option<String>)]
    agent_id: Option<AgentId>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConsumerInBrief)]
#[serde(rename_all = "camelCase")]
struct Consumer {
    #[schema(value_type = String)]
    user_id: UserId,
}

impl Brief {
    fn of(handle: &ConversationHandle) -> Self {
        let outline = handle.outline();
        let agent = outline
            .agent()
            .map(|Assignee { user_id, agent_id }| Agent { user_id: user_id.clone(), agent_id: agent_id.clone() });
        Self {
            connection: handle.connection().clone(),
            conversation_id: handle.id().clone(),
            stage: outline.stage().cloned(),
            skill_id: outline.skill_id().cloned(),
            assigned_agent: agent,
            start_time: outline.start_time.when_set(),
            update_time: outline.update_time.when_set(),
            close_time: outline.close_time.when_set(),
            ttr_effective: outline.ttr_effective.when_set(),
            unread: outline.unread,
            last_message: outline.last_message.as_deref().map(Last::from),
            external_consumer_id: outline.external_consumer,
            consumer: outline.consumer.map(|user_id| Consumer { user_id }),
        }
    }
}

/// Whether one of the conversation's names contains `text`.
fn is_in(text: &str, handle: &ConversationHandle, outline: &Outline) -> bool {
    let agent = outline.agent();
    [
        Some(handle.id().as_str()),
        outline.consumer.as_ref().map(UserId::as_str),
        outline.external_consumer.as_ref().map(ExternalConsumerId::as_str),
        outline.skill_id().map(SkillId::as_str),
        agent.map(|agent| agent.user_id.as_str()),
        agent.and_then(|agent| agent.agent_id.as_ref()).map(AgentId::as_str),
    ]
    .into_iter()
    .flatten()
    .any(|name| contains(name.as_bytes(), text.as_bytes()))
}

/// Ignores the case of ASCII letters only, because names are nearly always ASCII.
fn contains(name: &[u8], text: &[u8]) -> bool {
    text.is_empty() || name.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text))
}

/// Lists the conversations in memory, loaded or unloaded, in brief. A conversation has one item for each connection
/// that sees it.
#[utoipa::path(
    operation_id = "listConversations",
    tag = "conversations",
    params(ListQuery),
    responses((status = 200, description = "A page", body = Page<Brief>))
)]
#[get("/conversations")]
async fn list(caller: Caller, asked: Query<ListQuery>) -> Result<Json<Page<Brief>>, Problem> {
    let ListQuery { connection, stage, skill, agent, consumer, text, limit, cursor } = asked.into_inner();
    let limit = page::limit(limit)?;
    check_stage(stage.as_ref())?;
    let connections = caller.candidates(connection.as_ref())?;
    let filter = ConversationFilter { stage, skill, agent, consumer, ..ConversationFilter::default() };
    let is_meant = move |handle: &ConversationHandle| {
        let outline = handle.outline();
        filter.matches(&outline) && text.as_ref().is_none_or(|text| is_in(text, handle, &outline))
    };
    // A selective filter reads all conversations, so it runs on its own thread and does not delay other requests.
    let looking = web::block(move || {
        let after = cursor.as_deref().map(Place::of_cursor);
        let after = after.as_ref().map(|after| (after.id.as_str(), after.connection.as_deref().unwrap_or_default()));
        let (handles, is_more) = caller.conversations_page(&connections, after, limit, is_meant);
        let last = handles.last().filter(|_| is_more);
        let place = |last: &ConversationHandle| Place::new(last.id().as_str(), Some(last.connection().as_str()));
        let next_cursor = last.map(|last| Cursor::name(&place(last).to_string()));
        Page::new(handles.iter().map(Brief::of).collect(), next_cursor)
    });
    Ok(Json(looking.await.map_err(|_| Problem::stopping())?))
}
