//! What callers send about webhooks.

use actix_web::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Problem;
use crate::{
    gateway::words::event_kind,
    webhooks::{Changes, NewWebhook, Retries, Wanted},
};

/// A webhook to make.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct New {
    /// Where it goes: an https URL without credentials, at most 2,048 bytes.
    url: String,
    /// Which events; all where nothing is said.
    #[serde(default)]
    filter: Option<Wanted>,
    /// Whether the events of one conversation are delivered one after the other; true where nothing is said.
    ordered: Option<bool>,
    /// Seconds between the attempts to deliver one event, at most 20 numbers from 0 to 86,400; by default 5, 300, 1800,
    /// 7200, 18000, 36000 and 36000.
    retries: Option<Vec<f64>>,
    /// What it signs with: `whsec_` and 24 to 64 bytes in base64; a random one where nothing is said.
    #[schema(format = Password)]
    secret: Option<String>,
    /// The id of the event behind which it begins; the newest where nothing is said.
    after: Option<String>,
    /// Whether it delivers from the beginning; true where nothing is said.
    enabled: Option<bool>,
}

impl TryFrom<New> for NewWebhook {
    type Error = Problem;

    fn try_from(new: New) -> Result<Self, Problem> {
        let New { url, filter, ordered, retries, secret, after, enabled } = new;
        filter.as_ref().map_or(Ok(()), check)?;
        Ok(Self {
            url,
            filter: filter.unwrap_or_default(),
            ordered: ordered.unwrap_or(true),
            retries: retries.map(pauses).transpose()?,
            secret: secret.map(Into::into),
            after,
            enabled: enabled.unwrap_or(true),
        })
    }
}

/// What becomes of a webhook; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookChanges)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Changed {
    /// Where it goes.
    url: Option<String>,
    /// Which events, of those that were not looked at yet.
    filter: Option<Wanted>,
    /// Seconds between the attempts to deliver one event.
    retries: Option<Vec<f64>>,
    /// Whether it delivers.
    enabled: Option<bool>,
}

impl TryFrom<Changed> for Changes {
    type Error = Problem;

    fn try_from(changed: Changed) -> Result<Self, Problem> {
        let Changed { url, filter, retries, enabled } = changed;
        filter.as_ref().map_or(Ok(()), check)?;
        Ok(Self { url, filter, retries: retries.map(pauses).transpose()?, enabled })
    }
}

/// Another secret.
#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookSecret)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Another {
    /// What it signs with; a random one where nothing is said.
    #[schema(format = Password)]
    pub(super) secret: Option<String>,
    /// For how many seconds the secret before signs beside it, up to 2,592,000; a day where nothing is said, and not at
    /// all where it is 0.
    pub(super) overlap_seconds: Option<u64>,
}

/// Looks whether there are such types.
fn check(filter: &Wanted) -> Result<(), Problem> {
    // What is too much is refused as such, and not looked through.
    if !filter.is_bounded() {
        return Ok(());
    }
    filter.kind.iter().try_for_each(|name| event_kind(name).map(drop))
}

fn pauses(seconds: Vec<f64>) -> Result<Retries, Problem> {
    Retries::try_from(seconds)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-retries", error.to_string()))
}
