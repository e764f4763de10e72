//! A dead letter: one item that could not be handled.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tertulia_core::id::{ConnectionId, ConversationId};
use uuid::Uuid;

use crate::engine::{Record, RecordKey};

/// The id of a dead letter. Ids grow with time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct DeadLetterId(Arc<str>);

impl DeadLetterId {
    /// Returns the id of a letter written now, above all ids that this process issued before.
    pub(super) fn next() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of its record. Keys have the order of ids.
    pub(super) fn record_key(&self) -> RecordKey {
        RecordKey::of(&[self.as_str()])
    }
}

impl From<&str> for DeadLetterId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of a dead letter, which decides what its bytes are.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeadLetterKind {
    /// The state of a conversation, as sent.
    State,
    /// A frame with message records of a conversation.
    Records,
    /// A response of the platform with a conversation's history.
    Answer,
    /// One record of a conversation's history, as sent.
    Record,
    /// A range of a conversation's history that the platform refuses, as JSON.
    History,
    /// A caller's command and its key, as JSON.
    Command,
    /// A frame or webhook that could not be assigned to a conversation, as sent.
    Frame,
    /// An event that a subscriber's sink panicked on or that could not be delivered, as JSON.
    Delivery,
}

/// A notification, command or delivery that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// When the attempt was given up.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub time: jiff::Timestamp,
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// The conversation it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// The subscriber, if it is a delivery.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subscriber: Option<Arc<str>>,
    /// The kind of the bytes.
    pub kind: DeadLetterKind,
    /// Why handling failed. The reason may quote a message, so it is never logged.
    pub reason: String,
    /// The bytes, in base64 in JSON.
    #[serde(with = "base64_text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, content_encoding = "base64"))]
    pub body: Bytes,
    /// Whether the bytes were truncated, because there were more than are kept of one item.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_cut: bool,
}

impl DeadLetter {
    /// Parses a record; `None` if it has another format.
    pub(super) fn read(record: &Record) -> Option<Self> {
        serde_json::from_slice(&record.value)
            .inspect_err(|error| {
                tracing::error!(key = ?record.key, %error, "a dead letter cannot be read");
            })
            .ok()
    }
}

mod base64_text {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}
