//! `/v1/bulk`: one operation on many conversations, at a limited rate.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpResponse, get,
    http::{StatusCode, header},
    post,
    web::{Json, Path, Query},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tertulia_actors::core::{
    id::{AgentId, ConnectionId, ConversationId, LONGEST_ID, SkillId},
    ums::Stage,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    body::Body,
    keyed::{Once, Reply},
    page::{self, Cursor, Page},
    problem::Problem,
    state::Caller,
    words::{check, check_stage},
};
use crate::bulk::{
    AskedAs, BulkError, DryRun, End, Filter, Item, ItemOutcome, JobId, LISTED_AT_MOST, Operation, Order, Progress,
    Rate, State as JobState,
};
use crate::reach::Reach;

/// The outcomes by which items can be filtered.
const OUTCOMES: [&str; 4] = ["left", "done", "refused", "unknown"];

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(begin).service(list).service(one).service(items);
    config.service(pause).service(resume).service(cancel);
}

/// An operation and the conversations that it applies to.
#[derive(Deserialize, ToSchema)]
#[schema(as = BulkOrder)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BulkOrder {
    operation: Name,
    filter: Conditions,
    #[serde(default)]
    arguments: Arguments,
    /// Conversations started per second, from 1 to 100.
    #[schema(minimum = 1, maximum = 100, default = 10)]
    rate: Option<u32>,
    /// If true, only reports which conversations match.
    #[serde(default)]
    dry_run: bool,
}

/// The operation on each conversation.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[schema(as = BulkOperation)]
#[serde(rename_all = "kebab-case")]
enum Name {
    Close,
    Transfer,
}

/// The operation's arguments: `survey` for a close; `agentId`, `skillId` or both for a transfer.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[schema(as = BulkArguments)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Arguments {
    /// Whether the survey starts if the account has one; false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    survey: Option<bool>,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<AgentId>,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    skill_id: Option<SkillId>,
}

/// Selects conversations that satisfy all given conditions. At least one condition or `all` is required.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[schema(as = BulkFilter)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Conditions {
    /// Selects every open conversation; required if there is no other condition.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    /// The connection that sees the conversations and acts on them. Without it, if several connections see a
    /// conversation, the one whose agent is assigned acts, else one whose agent participates, else the first by name.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionId>,
    /// `OPEN`, `CLOSE` or `LOCKED`. By default only open conversations, but all stages if `conversations` is given.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    skill: Option<SkillId>,
    /// The assigned agent: a public id, `account.user`, or the user alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Only conversations that began before this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    started_before: Option<Timestamp>,
    /// Only conversations that have not changed since this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_before: Option<Timestamp>,
    /// Only these conversations, from 1 to 10,000 ids.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    conversations: Option<Vec<ConversationId>>,
}

impl BulkOrder {
    fn into_order(self) -> Result<Order, Problem> {
        let operation = self.arguments.into_operation(self.operation)?;
        let rate = self.rate.map_or(Some(Rate::default()), Rate::new).ok_or_else(|| {
            let detail = format!("rate must be from 1 to {}", Rate::MAX);
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-rate", detail)
        })?;
        Ok(Order { operation, filter: self.filter.into_filter()?, rate, reach: Reach::EVERYTHING, caller: None })
    }
}

impl Arguments {
    fn into_operation(self, name: Name) -> Result<Operation, Problem> {
        match (name, self) {
            (Name::Close, Self { survey, agent_id: None, skill_id: None }) => {
                Ok(Operation::Close { survey: survey.unwrap_or_default() })
            }
            (Name::Close, _) => Err(Problem::bad_request("the only argument of close is survey")),
            (Name::Transfer, Self { survey: Some(_), .. }) => {
                Err(Problem::bad_request("the arguments of transfer are agentId and skillId"))
            }
            (Name::Transfer, Self { survey: None, agent_id, skill_id }) => {
                let is_named = |id: Option<&str>| id.is_some_and(|id| !id.is_empty());
                let named = [agent_id.as_ref().map(AgentId::as_str), skill_id.as_ref().map(SkillId::as_str)];
                if !named.into_iter().any(is_named) || named.contains(&Some("")) {
                    return Err(Problem::bad_request("a transfer needs an agentId, a skillId or both"));
                }
                Ok(Operation::Transfer { agent_id, skill_id })
            }
        }
    }

    fn of(operation: &Operation) -> (Name, Self) {
        match operation.clone() {
            Operation::Close { survey } => (Name::Close, Self { survey: Some(survey), ..Self::default() }),
            Operation::Transfer { agent_id, skill_id } => (Name::Transfer, Self { survey: None, agent_id, skill_id }),
        }
    }
}

impl Conditions {
    fn into_filter(self) -> Result<Filter, Problem> {
        let Self { all, connection, stage, skill, agent, started_before, updated_before, conversations } = self;
        check_stage(stage.as_ref())?;
        let conversations: Option<Arc<[ConversationId]>> = conversations.map(Arc::from);
        if conversations.as_ref().is_some_and(|listed| !(1..=LISTED_AT_MOST).contains(&listed.len())) {
            let detail = format!("conversations must list from 1 to {LISTED_AT_MOST} ids");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too-many-items", detail));
        }
        let is_too_long = |id: &ConversationId| id.as_str().len() > LONGEST_ID;
        if conversations.as_ref().is_some_and(|listed| listed.iter().any(is_too_long)) {
            let detail = format!("a conversation's id has more than {LONGEST_ID} bytes");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "filter-too-long", detail));
        }
        let filter = Filter { connection, stage, skill, agent, started_before, updated_before, conversations, all };
        if !filter.has_condition() {
            let detail = "the filter has no condition: give one, or \"all\": true";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no-condition", detail));
        }
        Ok(filter)
    }

    fn of(filter: Filter) -> Self {
        let Filter { connection, stage, skill, agent, started_before, updated_before, all, .. } = filter;
        Self { all, connection, stage, skill, agent, started_before, updated_before, conversations: None }
    }
}

/// A job and its progress.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkJob)]
#[serde(rename_all = "camelCase")]
struct View {
    id: String,
    operation: Name,
    arguments: Arguments,
    /// The job's filter, without the listed conversations, which are the job's items.
    filter: Conditions,
    /// The number of listed conversations, if the filter has a list.
    listed: Option<usize>,
    /// `matching`, `running`, `paused`, `finished`, `cancelled` or `failed`.
    state: &'static str,
    /// Why the job failed, as a stable code.
    failure: Option<&'static str>,
    rate: u32,
    /// Conversations that matched.
    matched: usize,
    /// Conversations that are now in the wanted state.
    done: usize,
    /// Conversations that are not in the wanted state and will not be retried.
    refused: usize,
    /// Conversations whose state could not be determined.
    unknown: usize,
    /// Conversations that are not processed yet.
    left: usize,
    /// Conversations of `left` that are being processed now.
    in_flight: usize,
    created: String,
    started: Option<String>,
    ended: Option<String>,
    /// The estimated end, if the job continues at its current rate.
    estimated_end: Option<String>,
}

impl From<Progress> for View {
    fn from(progress: Progress) -> Self {
        let Progress { job, counts, in_flight, estimated_end } = progress;
        let (operation, arguments) = Arguments::of(&job.operation);
        let (ended, failure) = match job.state {
            JobState::Ended { at, end: End::Failed(failure) } => (Some(at), Some(failure.code())),
            JobState::Ended { at, end: End::Finished | End::Cancelled } => (Some(at), None),
            JobState::Active { .. } => (None, None),
        };
        let text = |time: Timestamp| time.to_string();
        Self {
            id: job.id.to_string(),
            operation,
            arguments,
            listed: job.filter.conversations.as_ref().map(|listed| listed.len()),
            filter: Conditions::of(job.filter),
            state: job.state.name(),
            failure,
            rate: job.rate.per_second().get(),
            matched: counts.matched,
            done: counts.done,
            refused: counts.refused,
            unknown: counts.unknown,
            left: counts.left(),
            in_flight,
            created: text(job.created),
            started: job.started.map(text),
            ended: ended.map(text),
            estimated_end: estimated_end.map(text),
        }
    }
}

/// What a job would do.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkDryRun)]
#[serde(rename_all = "camelCase")]
struct WouldMatch {
    dry_run: bool,
    matched: usize,
    /// The number of conversations that each connection would act on.
    #[schema(value_type = HashMap<String, usize>)]
    by_connection: BTreeMap<String, usize>,
    /// Listed conversations that no connection sees.
    unseen: usize,
    /// The first 100 matching conversations, by id.
    items: Vec<ItemView>,
}

impl From<DryRun> for WouldMatch {
    fn from(DryRun { matched, by_connection, unseen, sample }: DryRun) -> Self {
        let by_connection = by_connection.into_iter().map(|(id, count)| (id.to_string(), count)).collect();
        Self { dry_run: true, matched, by_connection, unseen, items: sample.into_iter().map(ItemView::from).collect() }
    }
}

/// One conversation of a job.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkItem)]
#[serde(rename_all = "camelCase")]
struct ItemView {
    conversation: String,
    /// The connection that acts; null if no connection sees the conversation.
    connection: Option<String>,
    /// `left`, `done`, `refused` or `unknown`.
    outcome: &'static str,
    /// How the operation succeeded, or why it failed, as a stable code.
    code: Option<String>,
    detail: Option<String>,
    platform_code: Option<u16>,
    at: Option<String>,
}

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        let outcome = item.outcome();
        let at = item.settled.as_ref().map(|settled| settled.at.to_string());
        let (code, detail, platform_code) = match item.settled.map(|settled| settled.outcome) {
            None => (None, None, None),
            Some(ItemOutcome::Done { code }) => (Some(code), None, None),
            Some(ItemOutcome::Refused { code, detail, platform_code }) => (Some(code), Some(detail), platform_code),
            Some(ItemOutcome::Unknown { code, detail }) => (Some(code), Some(detail), None),
        };
        let (conversation, connection) = (item.conversation.to_string(), item.connection.map(|id| id.to_string()));
        Self { conversation, connection, outcome, code, detail, platform_code, at }
    }
}

impl From<BulkError> for Problem {
    fn from(error: BulkError) -> Self {
        let detail = error.to_string();
        match error {
            BulkError::UnknownJob(_) => Self::new(StatusCode::NOT_FOUND, "unknown-job", detail),
            BulkError::UnknownConnection(id) => Problem::unknown_connection(&id),
            BulkError::HasEnded(_) => Self::new(StatusCode::CONFLICT, "job-ended", detail),
            BulkError::TooManyJobs(_) => Self::new(StatusCode::CONFLICT, "too-many-jobs", detail),
            BulkError::TooManyItems => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too-many-items", detail),
            BulkError::KeyReused(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail),
            BulkError::TimedOut => Self::new(StatusCode::GATEWAY_TIMEOUT, "timed-out", detail),
            BulkError::Starting => {
                let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-connected", detail);
                problem.header(header::RETRY_AFTER, "1")
            }
            BulkError::Store(error) => {
                tracing::error!(%error, "bulk jobs cannot be stored or read");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "not-kept",
                    "the store cannot be written or read now; try again",
                )
            }
        }
    }
}

/// Creates a job, or reports what the job would do if `dryRun` is true. A job runs in the background and continues
/// after a restart.
#[utoipa::path(
    operation_id = "startBulkJob",
    tag = "bulk",
    params(Once),
    request_body = BulkOrder,
    responses(
        (status = 201, description = "The job", body = View),
        (status = 200, description = "What the job would do, if dryRun is true", body = WouldMatch),
    )
)]
#[post("/bulk")]
async fn begin(caller: Caller, once: Once, body: Body<BulkOrder>) -> Result<HttpResponse, Problem> {
    let is_dry_run = body.value.dry_run;
    let order = body.value.into_order()?;
    if is_dry_run {
        return Ok(HttpResponse::Ok().json(WouldMatch::from(caller.jobs().dry_run(order).await?)));
    }
    let asked_as =
        once.key().map(|key| AskedAs { key: key.as_str().to_owned(), digest: body.digest.as_str().to_owned() });
    // A repeated request gets the same job as it is now, so the job keeps the key and no response is stored.
    let view = View::from(caller.jobs().add(order, asked_as).await?);
    Ok(Reply::created(format!("/v1/bulk/{}", view.id), json!(view)).into())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Listed {
    limit: Option<usize>,
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Lists the jobs, the newest first. A job is kept for a week after its end.
#[utoipa::path(operation_id = "listBulkJobs", tag = "bulk", params(Listed), responses((status = 200, description = "A page", body = Page<View>)))]
#[get("/bulk")]
async fn list(caller: Caller, asked: Query<Listed>) -> Result<Json<Page<View>>, Problem> {
    let limit = page::limit(asked.limit)?;
    let before = asked.cursor.as_deref().map(JobId::from);
    let mut jobs: Vec<View> = caller.jobs().list(before.as_ref()).await?.into_iter().map(View::from).collect();
    let is_more = jobs.len() > limit;
    jobs.truncate(limit);
    let next_cursor = jobs.last().filter(|_| is_more).map(|last| Cursor::name(&last.id));
    Ok(Json(Page::new(jobs, next_cursor)))
}

/// Reports a job's progress.
#[utoipa::path(
    operation_id = "getBulkJob",
    tag = "bulk",
    params(("job" = String, Path)),
    responses((status = 200, description = "The job", body = View))
)]
#[get("/bulk/{job}")]
async fn one(caller: Caller, id: Path<String>) -> Result<Json<View>, Problem> {
    Ok(Json(caller.jobs().progress(&JobId::from(id.as_str())).await?.into()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ItemsAsked {
    /// `left`, `done`, `refused` or `unknown`; all outcomes by default.
    outcome: Option<String>,
    limit: Option<usize>,
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Lists a job's conversations and their outcomes, by id.
#[utoipa::path(
    operation_id = "listBulkItems",
    tag = "bulk",
    params(("job" = String, Path), ItemsAsked),
    responses((status = 200, description = "A page", body = Page<ItemView>))
)]
#[get("/bulk/{job}/items")]
async fn items(caller: Caller, id: Path<String>, asked: Query<ItemsAsked>) -> Result<Json<Page<ItemView>>, Problem> {
    let ItemsAsked { outcome, limit, cursor } = asked.into_inner();
    if let Some(outcome) = &outcome {
        check("outcome", outcome, &OUTCOMES)?;
    }
    let (limit, after) = (page::limit(limit)?, cursor.map(|cursor| ConversationId::from(cursor.into_place())));
    let (found, next) = caller.jobs().items(&JobId::from(id.as_str()), outcome, after, limit).await?;
    let found = found.into_iter().map(ItemView::from).collect();
    Ok(Json(Page::new(found, next.map(|conversation| Cursor::name(conversation.as_str())))))
}

/// Pauses a job: no further conversation is started, and those in progress are completed.
#[utoipa::path(
    operation_id = "pauseBulkJob",
    tag = "bulk",
    params(("job" = String, Path), Once),
    responses((status = 200, description = "The job", body = View))
)]
#[post("/bulk/{job}/pause")]
async fn pause(caller: Caller, once: Once, id: Path<String>) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        let progress = caller.jobs().pause(&JobId::from(id.as_str())).await?;
        Ok(Reply::ok(json!(View::from(progress))))
    })
    .await
}

/// Resumes a paused job.
#[utoipa::path(
    operation_id = "resumeBulkJob",
    tag = "bulk",
    params(("job" = String, Path), Once),
    responses((status = 200, description = "The job", body = View))
)]
#[post("/bulk/{job}/resume")]
async fn resume(caller: Caller, once: Once, id: Path<String>) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        let progress = caller.jobs().resume(&JobId::from(id.as_str())).await?;
        Ok(Reply::ok(json!(View::from(progress))))
    })
    .await
}

/// Cancels a job: conversations in progress are completed, the others are left alone.
#[utoipa::path(
    operation_id = "cancelBulkJob",
    tag = "bulk",
    params(("job" = String, Path), Once),
    responses((status = 200, description = "The job", body = View))
)]
#[post("/bulk/{job}/cancel")]
async fn cancel(caller: Caller, once: Once, id: Path<String>) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        let progress = caller.jobs().cancel(&JobId::from(id.as_str())).await?;
        Ok(Reply::ok(json!(View::from(progress))))
    })
    .await
}
