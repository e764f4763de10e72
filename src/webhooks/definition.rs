//! What a webhook is told to do, and whether it does it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use tertulia_actors::subscriber::{EventKind, Filter};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{schedule::Retries, secret::Secrets, target::Target};

/// Names in one list of a filter at most.
pub(super) const MOST_NAMES: usize = 1_000;
/// The longest name in a filter, in bytes.
const LONGEST_NAME: usize = 256;

/// Names a webhook. Ids grow with time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookId(Arc<str>);

impl WebhookId {
    pub(super) fn next() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The subscriber as dead letters name it.
    #[must_use]
    pub fn subscriber(&self) -> String {
        format!("{SUBSCRIBER}{}", self.0)
    }

    /// The webhook that a dead letter's subscriber is, if it is one.
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

/// Which events a webhook is sent. What is empty does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookFilter)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// Connections.
    pub connection: BTreeSet<String>,
    /// Conversations.
    pub conversation: BTreeSet<String>,
    /// Types, such as `message` or `tertulia.message`.
    #[serde(rename = "type")]
    pub kind: BTreeSet<String>,
}

impl Wanted {
    /// The filter as it is applied.
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

    /// Whether it is of a size that is stored and looked through with every event.
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
    /// It does.
    Enabled,
    /// It does not, and what happens meanwhile waits in the log.
    Disabled {
        /// Why.
        reason: DisabledReason,
        /// Since when.
        since: jiff::Timestamp,
    },
}

/// Why a webhook does not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisabledReason {
    /// Somebody asked for it.
    Requested,
    /// The receiver answered 410.
    Gone,
    /// It failed for too long, without one success.
    Failing,
    /// Another version of this service wrote it.
    #[serde(other)]
    Unknown,
}

/// A webhook as it is kept. Its serialised form holds its secrets and goes nowhere but to the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its id.
    pub id: WebhookId,
    /// Where it goes.
    pub url: Target,
    /// What it is sent.
    #[serde(default)]
    pub filter: Wanted,
    /// Whether the events of one conversation are delivered one after the other.
    pub ordered: bool,
    /// When what failed is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// What it signs with.
    pub(super) secrets: Secrets,
    /// Whether it delivers.
    pub state: WebhookState,
    /// Since when there has been such a webhook.
    pub created: jiff::Timestamp,
}

impl Definition {
    /// Whether it delivers.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.state == WebhookState::Enabled
    }

    /// Until when older secrets sign beside the current one.
    #[must_use]
    pub fn overlaps(&self, now: jiff::Timestamp) -> Vec<jiff::Timestamp> {
        self.secrets.overlaps(now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::secret::Secret;

    #[test]
    fn a_definition_survives_being_written_and_read() {
        let definition = Definition {
            id: WebhookId::next(),
            url: Target::parse("https://example.com/hook", false).unwrap(),
            filter: Wanted { kind: ["message".to_owned()].into(), ..Wanted::default() },
            ordered: true,
            retries: Retries::default(),
            secrets: Secrets::new(Secret::random()),
            state: WebhookState::Disabled { reason: DisabledReason::Gone, since: jiff::Timestamp::UNIX_EPOCH },
            created: jiff::Timestamp::UNIX_EPOCH,
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
