//! The bodies of requests about webhooks.

use actix_web::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Problem;
use crate::{
    gateway::words::event_kind,
    reach::Reach,
    webhooks::{Changes, NewWebhook, Retries, Wanted},
};

/// A webhook to create.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct New {
    /// The receiver: an https URL without credentials, at most 2,048 bytes.
    url: String,
    /// Which events; all events by default.
    #[serde(default)]
    filter: Option<Wanted>,
    /// Whether the events of one conversation are delivered in order, one at a time; true by default.
    ordered: Option<bool>,
    /// Whether the service runs the receiver's answers as replies, in the format `WebhookAnswer`; false by default. A
    /// webhook with replies must be ordered.
    replies: Option<bool>,
    /// Seconds between the attempts to deliver one event, at most 20 numbers from 0 to 86,400; by default 5, 300, 1800,
    /// 7200, 18000, 36000 and 36000.
    retries: Option<Vec<f64>>,
    /// The signing secret: `whsec_` and 24 to 64 bytes in base64; a random secret by default.
    #[schema(format = Password)]
    secret: Option<String>,
    /// The id of the event after which delivery begins; the newest event by default.
    after: Option<String>,
    /// Whether the webhook is enabled from the start; true by default.
    enabled: Option<bool>,
}

impl TryFrom<New> for NewWebhook {
    type Error = Problem;

    fn try_from(new: New) -> Result<Self, Problem> {
        let New { url, filter, ordered, replies, retries, secret, after, enabled } = new;
        filter.as_ref().map_or(Ok(()), check)?;
        Ok(Self {
            url,
            filter: filter.unwrap_or_default(),
            ordered: ordered.unwrap_or(true),
            replies: replies.unwrap_or_default(),
            retries: retries.map(pauses).transpose()?,
            secret: secret.map(Into::into),
            after,
            enabled: enabled.unwrap_or(true),
            reach: Reach::EVERYTHING,
        })
    }
}

/// Changes to a webhook; absent members stay the same.
#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookChanges)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Changed {
    /// The receiver's URL.
    url: Option<String>,
    /// Which events, from the events that were not read yet.
    filter: Option<Wanted>,
    /// Whether the receiver's answers are replies.
    replies: Option<bool>,
    /// Seconds between the attempts to deliver one event.
    retries: Option<Vec<f64>>,
    /// Whether the webhook is enabled.
    enabled: Option<bool>,
}

impl TryFrom<Changed> for Changes {
    type Error = Problem;

    fn try_from(changed: Changed) -> Result<Self, Problem> {
        let Changed { url, filter, replies, retries, enabled } = changed;
        filter.as_ref().map_or(Ok(()), check)?;
        Ok(Self { url, filter, replies, retries: retries.map(pauses).transpose()?, enabled })
    }
}

/// A new secret.
#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookSecret)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Another {
    /// The new signing secret; a random secret by default.
    #[schema(format = Password)]
    pub(super) secret: Option<String>,
    /// Seconds for which the previous secret also signs, at most 2,592,000; a day by default, and not at all for 0.
    pub(super) overlap_seconds: Option<u64>,
}

/// Checks that the filter's event types exist.
fn check(filter: &Wanted) -> Result<(), Problem> {
    // A filter that is too long is refused later for its length, without checking each name.
    if !filter.is_bounded() {
        return Ok(());
    }
    filter.kind.iter().try_for_each(|name| event_kind(name).map(drop))
}

fn pauses(seconds: Vec<f64>) -> Result<Retries, Problem> {
    Retries::try_from(seconds)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-retries", error.to_string()))
}
