//! Why a request about webhooks failed.

use tertulia_actors::engine::StoreError;

use super::{
    definition::{self, WebhookId},
    secret::SecretError,
    target::TargetError,
};

/// The most webhooks.
pub const MOST_WEBHOOKS: usize = 100;

/// Why a request about webhooks failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WebhookError {
    /// No webhook has this id.
    #[error("webhook {0} does not exist")]
    Unknown(WebhookId),
    /// The limit of webhooks is reached.
    #[error("{MOST_WEBHOOKS} webhooks already exist, which is the limit")]
    TooMany,
    /// The URL is not valid for a receiver.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The secret is malformed, or too many secrets are valid.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A filter is too long.
    #[error("each list of the filter must have at most {} names of at most 256 bytes", definition::MOST_NAMES)]
    FilterTooLong,
    /// Replies need an ordered webhook.
    #[error("a webhook with replies must be ordered, because answers must run in the order of the events")]
    UnorderedReplies,
    /// The idempotency key was used with another body.
    #[error("the Idempotency-Key was already used with another body")]
    KeyReused,
    /// Too many tests of the webhook are running.
    #[error("too many tests of the webhook are running; try again later")]
    TooManyTests,
    /// Too many replays wait for the webhook.
    #[error("too many dead letters already wait for the webhook; try again later")]
    Overloaded,
    /// The dead letter is not a webhook's, or was not kept whole.
    #[error("the dead letter cannot be delivered again: it is not a webhook's event, or its event was not kept whole")]
    NotReplayable,
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The webhooks are stopping, or the store keeps nothing.
    #[error("webhooks are not available: the service is stopping, or it has no store")]
    Unavailable,
}
