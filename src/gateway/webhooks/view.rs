//! Webhooks as callers read them. No secret is among it but where one was just made.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde::Serialize;
use tertulia_actors::subscriber::EventId;
use utoipa::ToSchema;

use crate::webhooks::{Created, Delivery, DisabledReason, Rotated, Tested, Wanted, Webhook, WebhookState};

/// A webhook and how it is doing.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    id: String,
    url: String,
    filter: Wanted,
    /// Whether the events of one conversation are delivered one after the other.
    ordered: bool,
    /// Seconds between the attempts to deliver one event.
    retries: Vec<f64>,
    /// `enabled` or `disabled`.
    state: &'static str,
    /// Why it is disabled: `requested`, `gone` (the receiver answered 410) or `failing` (for too long).
    #[schema(value_type = Option<String>)]
    reason: Option<DisabledReason>,
    /// Since when it is disabled.
    since: Option<String>,
    created: String,
    /// How far the log was read. What was read is delivered, but for what is pending.
    cursor: String,
    /// Events that were read and are not delivered yet.
    pending: usize,
    /// Since when there have been nothing but failures.
    failing_since: Option<String>,
    /// The receiver seems to be down as a whole and is only probed, until something is delivered.
    is_receiver_down: bool,
    /// When something was last delivered, in this life of the service.
    last_delivery: Option<String>,
    /// What last went wrong, in this life of the service.
    last_error: Option<String>,
    /// Until when secrets that were replaced sign beside the current one.
    old_secrets_until: Vec<String>,
}

impl View {
    pub(super) fn new(webhook: Webhook, epoch: &Arc<str>) -> Self {
        let Webhook { definition, status } = webhook;
        let old_secrets_until = definition.overlaps(jiff::Timestamp::now()).iter().map(ToString::to_string).collect();
        let (state, reason, since) = match definition.state {
            WebhookState::Enabled => ("enabled", None, None),
            WebhookState::Disabled { reason, since } => ("disabled", Some(reason), Some(since.to_string())),
        };
        Self {
            id: definition.id.to_string(),
            url: definition.url.to_string(),
            filter: definition.filter,
            ordered: definition.ordered,
            retries: definition.retries.into(),
            state,
            reason,
            since,
            created: definition.created.to_string(),
            cursor: EventId { epoch: Arc::clone(epoch), offset: status.read }.to_string(),
            pending: status.pending,
            failing_since: status.failing_since.as_ref().map(ToString::to_string),
            is_receiver_down: status.is_down,
            last_delivery: status.last_delivery.as_ref().map(ToString::to_string),
            last_error: status.last_error,
            old_secrets_until,
        }
    }
}

/// A webhook that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedWebhook)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    #[serde(flatten)]
    webhook: View,
    /// What it signs with; not where the same key came again, for a secret is answered once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Made {
    pub(super) fn new(created: Created, epoch: &Arc<str>) -> Self {
        let Created { webhook, secret } = created;
        Self { webhook: View::new(webhook, epoch), secret: secret.map(|secret| secret.expose_secret().to_owned()) }
    }
}

/// The secret that a webhook signs with from now on.
#[derive(Serialize, ToSchema)]
#[schema(as = NewWebhookSecret)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSecret {
    secret: String,
    /// Until when the secret before signs beside it.
    old_secret_until: String,
}

impl From<Rotated> for NewSecret {
    fn from(rotated: Rotated) -> Self {
        let Rotated { secret, until } = rotated;
        Self { secret: secret.expose_secret().to_owned(), old_secret_until: until.to_string() }
    }
}

/// What a receiver said to a test event.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestResult {
    /// Whether it was answered with a status from 200 to 299.
    delivered: bool,
    #[serde(flatten)]
    delivery: Delivery,
    /// The beginning of what the receiver answered.
    answer: String,
}

impl From<Tested> for TestResult {
    fn from(tested: Tested) -> Self {
        let Tested { delivery, answer } = tested;
        let delivered = delivery.status.is_some_and(|status| (200..300).contains(&status));
        Self { delivered, delivery, answer }
    }
}
