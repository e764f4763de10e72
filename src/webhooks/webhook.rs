//! A webhook with its state, and what requests about webhooks give and get.

use secrecy::SecretString;

use super::{
    definition::{Definition, Wanted},
    delivery::Delivery,
    schedule::Retries,
    status::Status,
};
use crate::reach::Reach;

/// The definition of a new webhook.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// The receiver's URL.
    pub url: String,
    /// Which events the webhook gets.
    pub filter: Wanted,
    /// Whether the events of one conversation are delivered in order, one at a time.
    pub ordered: bool,
    /// Whether the service runs the receiver's answers as replies.
    pub replies: bool,
    /// The pauses between attempts; `None` means the default.
    pub retries: Option<Retries>,
    /// The signing secret; `None` means a random secret.
    pub secret: Option<SecretString>,
    /// The id of the event after which delivery begins; `None` means the newest.
    pub after: Option<String>,
    /// Whether the webhook is enabled from the start.
    pub enabled: bool,
    /// The connections whose events the webhook may get.
    pub reach: Reach,
}

/// Changes to a webhook; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The receiver's URL.
    pub url: Option<String>,
    /// Which events the webhook gets, from those that were not read yet.
    pub filter: Option<Wanted>,
    /// Whether the service runs the receiver's answers as replies.
    pub replies: Option<bool>,
    /// The pauses between attempts.
    pub retries: Option<Retries>,
    /// Whether the webhook is enabled.
    pub enabled: Option<bool>,
}

/// A webhook and its state.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its definition.
    pub definition: Definition,
    /// Its state.
    pub status: Status,
}

/// A created webhook.
#[derive(Debug)]
pub struct Created {
    /// The webhook.
    pub webhook: Webhook,
    /// The signing secret; `None` if the webhook already existed and the key was used again.
    pub secret: Option<SecretString>,
}

/// The result of replacing the secret.
#[derive(Debug)]
pub struct Rotated {
    /// The new signing secret.
    pub secret: SecretString,
    /// When the previous secret stops signing.
    pub until: jiff::Timestamp,
}

/// The result of a test event.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The line of the delivery log.
    pub delivery: Delivery,
    /// The beginning of the receiver's answer.
    pub answer: String,
}
