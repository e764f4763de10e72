//! The definition of a webhook, and whether it is enabled.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use tertulia_actors::subscriber::{EventKind, Filter};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{schedule::Retries, secret::Secrets, target::Target};
use crate::reach::Reach;

/// The most names in one list of a filter.
pub(super) const MOST_NAMES: usize = 1_000;
/// The longest name in a filter, in bytes.
const LONGEST_NAME: usize = 256;

/// The id of a webhook. Later ids sort after earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookId(Arc<str>);

impl WebhookId {
    pub(super) fn next() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The subscriber's name in dead letters.
    #[must_use]
    pub fn subscriber(&self) -> String {
        format!("{SUBSCRIBER}{}", self.0)
    }

    /// The webhook whose dead letters have this subscriber; `None` if the subscriber is not a webhook.
    #[must_use]
    pub fn of_subscriber(subscriber: &str) -> Option<Self> {
        subscriber.strip_prefix(SUBSCRIBER).map(Self::from)
    }
}

const SUBSCRIBER: &str = "webhook:";

impl From<&str> for WebhookId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which events a webhook gets. An empty list does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookFilter)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// Ids of connections.
    pub connection: BTreeSet<String>,
    /// Ids of conversations.
    pub conversation: BTreeSet<String>,
    /// Types, such as `message` or `tertulia.message`.
    #[serde(rename = "type")]
    pub kind: BTreeSet<String>,
}

impl Wanted {
    /// The filter in the form that events are matched with.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let filter = Filter::everything();
        let filter = self.connection.iter().fold(filter, |filter, name| filter.connection(name.as_str()));
        let filter = self.conversation.iter().fold(filter, |filter, id| filter.conversation(id.as_str()));
        if self.kind.is_empty() {
            return filter;
        }
        // A kind that this version does not know has no events.
        filter.kinds(self.kind.iter().filter_map(|name| EventKind::parse(name)))
    }

    /// Whether the lists are short enough to be stored and matched with every event.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        [&self.connection, &self.conversation, &self.kind]
            .iter()
            .all(|names| names.len() <= MOST_NAMES && names.iter().all(|name| name.len() <= LONGEST_NAME))
    }
}

/// Whether a webhook delivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum WebhookState {
    /// The webhook delivers.
    Enabled,
    /// The webhook does not deliver; events wait in the log.
    Disabled {
        /// Why it is disabled.
        reason: DisabledReason,
        /// When it was disabled.
        since: jiff::Timestamp,
    },
}

/// Why a webhook does not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisabledReason {
    /// A caller disabled it.
    Requested,
    /// The receiver answered 410.
    Gone,
    /// All attempts failed for too long.
    Failing,
    /// A reason written by another version of this service.
    #[serde(other)]
    Unknown,
}

/// A webhook as stored. The serialised form contains its secrets and is only written to the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its id.
    pub id: WebhookId,
    /// The receiver.
    pub url: Target,
    /// Which events the webhook gets.
    #[serde(default)]
    pub filter: Wanted,
    /// Whether the events of one conversation are delivered in order, one at a time.
    pub ordered: bool,
    /// Whether the service runs the receiver's answers as replies.
    #[serde(default)]
    pub replies: bool,
    /// The pauses between attempts.
    #[serde(default)]
    pub retries: Retries,
    /// The signing secrets.
    pub(super) secrets: Secrets,
    /// Whether the webhook delivers.
    pub state: WebhookState,
    /// When the webhook was created.
    pub created: jiff::Timestamp,
    /// The connections whose events the webhook may get: the reach of the token that created the webhook.
    #[serde(default)]
    pub reach: Reach,
}

impl Definition {
    /// Whether the webhook delivers.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.state == WebhookState::Enabled
    }

    /// When each older secret that still signs will stop signing.
    #[must_use]
    pub fn overlaps(&self, now: jiff::Timestamp) -> Vec<jiff::Timestamp> {
        self.secrets.overlaps(now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{reach::Pattern, webhooks::secret::Secret};

    #[test]
    fn a_definition_survives_a_round_trip() {
        let definition = Definition {
            id: WebhookId::next(),
            url: Target::parse("https://example.com/hook", false).unwrap(),
            filter: Wanted { kind: ["message".to_owned()].into(), ..Wanted::default() },
            ordered: true,
            replies: true,
            retries: Retries::default(),
            secrets: Secrets::new(Secret::random()),
            state: WebhookState::Disabled { reason: DisabledReason::Gone, since: jiff::Timestamp::UNIX_EPOCH },
            created: jiff::Timestamp::UNIX_EPOCH,
            reach: Reach::within(vec![Pattern::new("shop-*")]),
        };
        let written = serde_json::to_vec(&definition).unwrap();
        let read: Definition = serde_json::from_slice(&written).unwrap();
        assert_eq!(serde_json::to_vec(&read).unwrap(), written);
        assert_eq!((read.id, read.state), (definition.id, definition.state));
    }

    #[test]
    fn a_reason_of_a_later_version_is_read() {
        assert_eq!(serde_json::from_str::<DisabledReason>("\"boredom\"").unwrap(), DisabledReason::Unknown);
    }

    #[test]
    fn the_subscriber_of_a_letter_names_its_webhook() {
        let id = WebhookId::next();
        assert_eq!(WebhookId::of_subscriber(&id.subscriber()), Some(id));
        assert_eq!(WebhookId::of_subscriber("another"), None);
    }
}
