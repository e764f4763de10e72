//! `/v1/dead-letters`: items that could not be handled, to be read, handed over again, or deleted.

mod brief;
mod cause;

use actix_web::{
    HttpResponse, delete, get,
    http::StatusCode,
    post,
    web::{Json, Path, Query},
};
use serde::{Deserialize, Serialize};
use tertulia_actors::dead_letters::{DeadLetter, DeadLetterId, ReplayError};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    keyed::{Once, Reply},
    page::{self, Cursor, Page},
    problem::Problem,
    state::Caller,
};

use brief::Brief;
pub(super) use cause::{Cause, CauseId};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(causes).service(one).service(replay).service(discard).service(discard_all);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only letters of this cause.
    #[param(value_type = Option<String>)]
    cause: Option<CauseId>,
    limit: Option<usize>,
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Lists the dead letters, the oldest first.
#[utoipa::path(
    operation_id = "listDeadLetters",
    tag = "dead letters",
    params(ListQuery),
    responses((status = 200, description = "A page", body = Page<Brief>))
)]
#[get("/dead-letters")]
async fn list(caller: Caller, asked: Query<ListQuery>) -> Result<Json<Page<Brief>>, Problem> {
    let limit = page::limit(asked.limit)?;
    let after = asked.cursor.as_deref().map(DeadLetterId::from);
    let letters = caller.dead_letters().list(asked.cause.as_ref(), after.as_ref(), limit + 1).await?;
    let next_cursor =
        letters.get(limit - 1).filter(|_| letters.len() > limit).map(|last| Cursor::name(&last.id.to_string()));
    let items = letters.iter().take(limit).map(Brief::from).collect();
    Ok(Json(Page::new(items, next_cursor)))
}

/// Dead letters of one cause. They differ only in the conversation and in the numbers and ids in their reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterCause)]
#[serde(rename_all = "camelCase")]
struct CauseView {
    /// The id of the cause.
    id: String,
    /// The number of letters.
    count: usize,
    /// When the oldest letter became a dead letter.
    first: String,
    /// The connections of the letters, the first ten.
    connections: Vec<String>,
    /// The newest letter.
    newest: Brief,
}

impl From<Cause> for CauseView {
    fn from(cause: Cause) -> Self {
        Self {
            id: cause.id.as_str().to_owned(),
            count: cause.count,
            first: cause.first.to_string(),
            connections: cause.connections,
            newest: cause.newest,
        }
    }
}

/// Lists the causes of the dead letters, the cause with the newest letter first.
#[utoipa::path(
    operation_id = "listDeadLetterCauses",
    tag = "dead letters",
    params(page::PageQuery),
    responses((status = 200, description = "A page", body = Page<CauseView>))
)]
#[get("/dead-letters/causes")]
async fn causes(caller: Caller, asked: Query<page::PageQuery>) -> Result<Json<Page<CauseView>>, Problem> {
    let limit = page::limit(asked.limit)?;
    let mut causes = caller.dead_letters().causes().await?;
    // The cursor is the id of a letter and not a position, because a new letter moves its cause to the first place.
    if let Some(cursor) = &asked.cursor {
        causes.retain(|cause| cause.newest.id.as_str() < &**cursor);
    }
    let is_more = causes.len() > limit;
    causes.truncate(limit);
    let next_cursor = causes.last().filter(|_| is_more).map(|last| Cursor::name(&last.newest.id));
    Ok(Json(Page::new(causes.into_iter().map(CauseView::from).collect(), next_cursor)))
}

/// Returns a whole dead letter, its content in base64.
#[utoipa::path(
    operation_id = "getDeadLetter",
    tag = "dead letters",
    params(("letter" = String, Path)),
    responses((status = 200, description = "The dead letter", body = DeadLetter))
)]
#[get("/dead-letters/{letter}")]
async fn one(caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = DeadLetterId::from(id.as_str());
    let letter = caller.dead_letters().get(&id).await?;
    Ok(HttpResponse::Ok().json(letter))
}

/// Hands a dead letter over to its recipient again and deletes it. If the item fails again, it becomes a new dead
/// letter.
#[utoipa::path(
    operation_id = "replayDeadLetter",
    tag = "dead letters",
    params(("letter" = String, Path), Once),
    responses((status = 204, description = "The dead letter was handed over"))
)]
#[post("/dead-letters/{letter}/replay")]
async fn replay(caller: Caller, once: Once, id: Path<String>) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        caller.dead_letters().replay(&DeadLetterId::from(id.as_str())).await?;
        Ok(Reply::no_content())
    })
    .await
}

/// Deletes a dead letter.
#[utoipa::path(
    operation_id = "discardDeadLetter",
    tag = "dead letters",
    params(("letter" = String, Path)),
    responses((status = 204, description = "The dead letter was deleted"))
)]
#[delete("/dead-letters/{letter}")]
async fn discard(caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = DeadLetterId::from(id.as_str());
    caller.dead_letters().remove(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfCause {
    /// The id of the cause.
    #[param(value_type = String)]
    cause: CauseId,
}

/// How many dead letters were deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = DiscardedDeadLetters)]
struct Discarded {
    discarded: usize,
}

/// Deletes all dead letters of one cause.
#[utoipa::path(
    operation_id = "discardDeadLetters",
    tag = "dead letters",
    params(OfCause),
    responses((status = 200, description = "The letters were deleted", body = Discarded))
)]
#[delete("/dead-letters")]
async fn discard_all(caller: Caller, asked: Query<OfCause>) -> Result<Json<Discarded>, Problem> {
    let discarded = caller.dead_letters().remove_all(&asked.cause).await?;
    Ok(Json(Discarded { discarded }))
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        let (status, code) = match &error {
            ReplayError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown-dead-letter"),
            ReplayError::NotReplayable(_) => (StatusCode::CONFLICT, "not-replayable"),
            ReplayError::NobodyThere(_) => (StatusCode::CONFLICT, "nobody-there"),
            ReplayError::Overloaded(_) => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            ReplayError::NotKept(_) | ReplayError::Unreadable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store-unavailable")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Self::new(status, code, error.to_string())
    }
}
