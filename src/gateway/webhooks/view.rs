//! Webhooks as callers read them. A secret is included only when it was just created.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde::Serialize;
use tertulia_actors::subscriber::EventId;
use utoipa::ToSchema;

use crate::webhooks::{Created, Delivery, DisabledReason, Rotated, Tested, Wanted, Webhook, WebhookState};

/// A webhook and its state.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    id: String,
    url: String,
    filter: Wanted,
    /// Whether the events of one conversation are delivered in order, one at a time.
    ordered: bool,
    /// Whether the service runs the receiver's answers as replies.
    replies: bool,
    /// Seconds between the attempts to deliver one event.
    retries: Vec<f64>,
    /// `enabled` or `disabled`.
    state: &'static str,
    /// Why the webhook is disabled: `requested`, `gone` (the receiver answered 410) or `failing` (for too long).
    #[schema(value_type = Option<String>)]
    reason: Option<DisabledReason>,
    /// When the webhook was disabled.
    since: Option<String>,
    created: String,
    /// The position up to which the log was read. All events up to it are delivered, except the pending ones.
    cursor: String,
    /// Events that were read and are not delivered yet.
    pending: usize,
    /// When the current series of failures began.
    failing_since: Option<String>,
    /// Whether the receiver seems down and is only probed until a delivery succeeds.
    is_receiver_down: bool,
    /// The last successful delivery since the service started.
    last_delivery: Option<String>,
    /// The last failure since the service started.
    last_error: Option<String>,
    /// When each replaced secret stops signing.
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
            replies: definition.replies,
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

/// A created webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedWebhook)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    #[serde(flatten)]
    webhook: View,
    /// The signing secret; absent if the same key was used before, because a secret is returned only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Made {
    pub(super) fn new(created: Created, epoch: &Arc<str>) -> Self {
        let Created { webhook, secret } = created;
        Self { webhook: View::new(webhook, epoch), secret: secret.map(|secret| secret.expose_secret().to_owned()) }
    }
}

/// The secret that the webhook signs with from now on.
#[derive(Serialize, ToSchema)]
#[schema(as = NewWebhookSecret)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSecret {
    secret: String,
    /// When the previous secret stops signing.
    old_secret_until: String,
}

impl From<Rotated> for NewSecret {
    fn from(rotated: Rotated) -> Self {
        let Rotated { secret, until } = rotated;
        Self { secret: secret.expose_secret().to_owned(), old_secret_until: until.to_string() }
    }
}

/// A receiver's answer to a test event.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestResult {
    /// Whether the receiver answered with a status from 200 to 299.
    delivered: bool,
    #[serde(flatten)]
    delivery: Delivery,
    /// The beginning of the receiver's answer.
    answer: String,
}

impl From<Tested> for TestResult {
    fn from(tested: Tested) -> Self {
        let Tested { delivery, answer } = tested;
        let delivered = delivery.status.is_some_and(|status| (200..300).contains(&status));
        Self { delivered, delivery, answer }
    }
}
