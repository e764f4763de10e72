//! `/v1/webhooks`: receivers of events over HTTP, signed according to Standard Webhooks 1.0.

mod asking;
mod view;

use std::time::Duration;

use actix_web::{
    HttpResponse, delete, get,
    http::StatusCode,
    patch, post,
    web::{Json, Path, Query},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    body::Body,
    keyed::{Once, Reply},
    page::{self, Cursor, Page},
    problem::Problem,
    state::Caller,
};
use crate::webhooks::{Delivery, LONGEST_OVERLAP, OVERLAP, Secret, WebhookError, WebhookId};

use asking::{Another, Changed, New};
use view::{Made, NewSecret, TestResult, View};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(create).service(one).service(change).service(remove);
    config.service(rotate).service(test).service(deliveries);
}

/// Lists the webhooks, the oldest first.
#[utoipa::path(operation_id = "listWebhooks", tag = "webhooks", params(page::PageQuery), responses((status = 200, description = "A page", body = Page<View>)))]
#[get("/webhooks")]
async fn list(caller: Caller, asked: Query<page::PageQuery>) -> Result<Json<Page<View>>, Problem> {
    let limit = page::limit(asked.limit)?;
    let mut webhooks = caller.webhooks().list().await?;
    if let Some(cursor) = &asked.cursor {
        webhooks.retain(|webhook| webhook.definition.id.as_str() > &**cursor);
    }
    let id = |webhook: &crate::webhooks::Webhook| webhook.definition.id.clone();
    let (webhooks, next_cursor) = page::cut(webhooks, limit, id, |webhook| webhook.definition.id.to_string());
    let epoch = caller.state().everything().journal().epoch();
    Ok(Json(Page::new(webhooks.into_iter().map(|webhook| View::new(webhook, epoch)).collect(), next_cursor)))
}

/// Creates a webhook. Only this response contains the signing secret, and a repeated request with the same key does not
/// get it again: a caller who missed the response must rotate the secret.
#[utoipa::path(
    operation_id = "createWebhook",
    tag = "webhooks",
    params(Once),
    request_body = New,
    responses((status = 201, description = "The webhook was created", body = Made))
)]
#[post("/webhooks")]
async fn create(caller: Caller, once: Once, body: Body<New>) -> Result<HttpResponse, Problem> {
    let key = once.key().map(|key| (key.as_str().to_owned(), body.digest.as_str().to_owned()));
    let new = body.value.try_into()?;
    once.act_by_key(&body.digest, async move {
        let created = caller.webhooks().create(new, key).await?;
        let location = format!("/v1/webhooks/{}", created.webhook.definition.id);
        let made = Made::new(created, caller.state().everything().journal().epoch());
        Ok(Reply::created(location, json!(made)).showing_once("secret"))
    })
    .await
}

/// Returns one webhook and its state.
#[utoipa::path(
    operation_id = "getWebhook",
    tag = "webhooks",
    params(("webhook" = String, Path)),
    responses((status = 200, description = "The webhook", body = View))
)]
#[get("/webhooks/{webhook}")]
async fn one(caller: Caller, id: Path<String>) -> Result<Json<View>, Problem> {
    let webhook = caller.webhooks().get(&WebhookId::from(id.as_str())).await?;
    Ok(Json(View::new(webhook, caller.state().everything().journal().epoch())))
}

/// Changes a webhook; absent members stay the same. Waiting deliveries are tried at once, and a webhook that was
/// disabled because of failures continues where it stopped.
#[utoipa::path(
    operation_id = "changeWebhook",
    tag = "webhooks",
    params(("webhook" = String, Path)),
    request_body = Changed,
    responses((status = 200, description = "The webhook", body = View))
)]
#[patch("/webhooks/{webhook}")]
async fn change(caller: Caller, id: Path<String>, body: Body<Changed>) -> Result<Json<View>, Problem> {
    let webhook = caller.webhooks().change(WebhookId::from(id.as_str()), body.value.try_into()?).await?;
    Ok(Json(View::new(webhook, caller.state().everything().journal().epoch())))
}

/// Deletes a webhook. Its deliveries end at once, and waiting events are dropped.
#[utoipa::path(
    operation_id = "deleteWebhook",
    tag = "webhooks",
    params(("webhook" = String, Path)),
    responses((status = 204, description = "The webhook was deleted"))
)]
#[delete("/webhooks/{webhook}")]
async fn remove(caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    caller.webhooks().delete(WebhookId::from(id.as_str())).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Replaces the signing secret. The previous secret also signs for a while, so that receivers can switch.
#[utoipa::path(
    operation_id = "rotateWebhookSecret",
    tag = "webhooks",
    params(("webhook" = String, Path), Once),
    request_body = Another,
    responses((status = 200, description = "The new secret; only the first answer contains it", body = NewSecret))
)]
#[post("/webhooks/{webhook}/secret")]
async fn rotate(caller: Caller, once: Once, id: Path<String>, body: Body<Another>) -> Result<HttpResponse, Problem> {
    let Another { secret, overlap_seconds } = body.value;
    let overlap = overlap_seconds.map_or(OVERLAP, Duration::from_secs);
    if overlap > LONGEST_OVERLAP {
        let detail = format!("overlapSeconds must be at most {}", LONGEST_OVERLAP.as_secs());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-overlap", detail));
    }
    let secret = match secret {
        Some(secret) => Secret::parse(&secret).map_err(WebhookError::from)?,
        None => Secret::random(),
    };
    once.act(&body.digest, async move {
        let rotated = caller.webhooks().rotate(WebhookId::from(id.as_str()), secret, overlap).await?;
        Ok(Reply::ok(json!(NewSecret::from(rotated))).showing_once("secret"))
    })
    .await
}

/// Sends a `tertulia.test` event now, even if the webhook is disabled, and returns the receiver's answer.
#[utoipa::path(
    operation_id = "testWebhook",
    tag = "webhooks",
    params(("webhook" = String, Path), Once),
    responses((status = 200, description = "What the receiver answered, or why it did not answer", body = TestResult))
)]
#[post("/webhooks/{webhook}/test")]
async fn test(caller: Caller, once: Once, id: Path<String>) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        let tested = caller.webhooks().test(WebhookId::from(id.as_str())).await?;
        Ok(Reply::ok(json!(TestResult::from(tested))))
    })
    .await
}

/// Lists the newest attempts to deliver, the newest first.
#[utoipa::path(
    operation_id = "listDeliveries",
    tag = "webhooks",
    params(("webhook" = String, Path), page::PageQuery),
    responses((status = 200, description = "A page", body = Page<Delivery>))
)]
#[get("/webhooks/{webhook}/deliveries")]
async fn deliveries(
    caller: Caller,
    id: Path<String>,
    asked: Query<page::PageQuery>,
) -> Result<Json<Page<Delivery>>, Problem> {
    let limit = page::limit(asked.limit)?;
    let page::PageQuery { cursor, .. } = asked.into_inner();
    let id = WebhookId::from(id.as_str());
    let mut found = caller.webhooks().deliveries(id, cursor.map(Cursor::into_place), limit + 1).await?;
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| is_more).map(|(name, _)| Cursor::name(name));
    Ok(Json(Page::new(found.into_iter().map(|(_, delivery)| delivery).collect(), next_cursor)))
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        let (status, code) = match &error {
            WebhookError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown-webhook"),
            WebhookError::TooMany => (StatusCode::CONFLICT, "too-many-webhooks"),
            WebhookError::Target(crate::webhooks::TargetError::Internal) => (unprocessable, "internal-address"),
            WebhookError::Target(_) => (unprocessable, "invalid-url"),
            WebhookError::Secret(crate::webhooks::SecretError::TooMany) => (StatusCode::CONFLICT, "too-many-secrets"),
            WebhookError::Secret(_) => (unprocessable, "invalid-secret"),
            WebhookError::FilterTooLong => (unprocessable, "filter-too-long"),
            WebhookError::UnorderedReplies => (unprocessable, "unordered-replies"),
            WebhookError::KeyReused => (unprocessable, "key-reused"),
            WebhookError::TooManyTests => (StatusCode::TOO_MANY_REQUESTS, "too-many-tests"),
            WebhookError::Overloaded => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            WebhookError::NotReplayable => (StatusCode::CONFLICT, "not-replayable"),
            WebhookError::Store(_) => {
                tracing::error!(%error, "webhooks cannot be read");
                let detail = "the store of the webhooks cannot be read now; try again";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", detail);
            }
            WebhookError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        Self::new(status, code, error.to_string())
    }
}
