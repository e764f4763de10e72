//! The payload of one delivery: a CloudEvents object, and the members that the delivery log needs.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tertulia_actors::{engine::StoredEvent, subscriber::EventId};
use uuid::Uuid;

use super::{definition::WebhookId, lanes::Lane};

/// The payload of one delivery.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    /// The event's id, which is also the delivery's id.
    pub(super) id: String,
    /// The type without the prefix `tertulia.`.
    pub(super) name: Cow<'static, str>,
    pub(super) connection: Arc<str>,
    pub(super) conversation: Option<Arc<str>>,
    /// The CloudEvents object as JSON.
    pub(super) body: Bytes,
}

/// The members of an event that the delivery log needs.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(default)]
    connection: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    subject: Option<String>,
}

#[derive(Deserialize)]
struct Time {
    time: jiff::Timestamp,
}

impl Payload {
    /// The payload for an event of the log.
    pub(super) fn of(epoch: &Arc<str>, event: &StoredEvent) -> Self {
        Self {
            id: EventId { epoch: Arc::clone(epoch), offset: event.offset }.to_string(),
            name: event.name.clone(),
            connection: Arc::clone(&event.connection),
            conversation: event.conversation.clone(),
            body: event.json.clone(),
        }
    }

    /// The payload for the event in a dead letter; `None` if `body` is not an event.
    pub(super) fn read(body: Bytes) -> Option<Self> {
        let Envelope { id, connection, kind, subject } = serde_json::from_slice(&body).ok()?;
        let name = kind.strip_prefix("tertulia.").unwrap_or(&kind).to_owned();
        let connection = connection.unwrap_or_default().into();
        Some(Self { connection, name: name.into(), conversation: subject.map(Into::into), id, body })
    }

    /// A gap event: events up to `id` are missing. It has their number, if known, and the path at which the current
    /// state can be read.
    pub(super) fn gap(id: &EventId, webhook: &WebhookId, lane: &Lane, missed: Option<u64>) -> Self {
        let conversation = lane.conversation();
        let snapshot = match conversation {
            Some(conversation) => format!("/v1/conversations/{conversation}"),
            None => "/v1/conversations".to_owned(),
        };
        let mut event = json!({
            "specversion": "1.0",
            "id": id.to_string(),
            "source": format!("/v1/webhooks/{webhook}"),
            "type": "tertulia.gap",
            "time": jiff::Timestamp::now().to_string(),
            "datacontenttype": "application/json",
            "data": { "missed": missed, "snapshot": snapshot },
        });
        if let Some(conversation) = conversation {
            event["subject"] = conversation.into();
        }
        Self {
            id: id.to_string(),
            name: "gap".into(),
            connection: "".into(),
            conversation: conversation.map(Into::into),
            body: event.to_string().into(),
        }
    }

    /// A test event, which reports nothing.
    pub(super) fn test(webhook: &WebhookId) -> Self {
        let id = format!("test-{}", Uuid::now_v7());
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": format!("/v1/webhooks/{webhook}"),
            "type": "tertulia.test",
            "time": jiff::Timestamp::now().to_string(),
            "datacontenttype": "application/json",
            "data": {},
        });
        Self { id, name: "test".into(), connection: "".into(), conversation: None, body: event.to_string().into() }
    }

    /// The time since the event.
    pub(super) fn age(&self, now: jiff::Timestamp) -> Option<std::time::Duration> {
        let Time { time } = serde_json::from_slice(&self.body).ok()?;
        Some(now.duration_since(time).try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_event_of_a_dead_letter_is_read_unchanged() {
        let json = r#"{"specversion":"1.0","id":"e-7","source":"/accounts/1/connections/bots-1","subject":"c",
            "connection":"bots-1","type":"tertulia.dialog.close","time":"2026-11-22T07:00:00.123Z","data":{}}"#;
        let payload = Payload::read(json.into()).unwrap();
        assert_eq!((payload.id.as_str(), &*payload.name, &*payload.connection), ("e-7", "dialog.close", "bots-1"));
        assert_eq!((payload.conversation.as_deref(), &*payload.body), (Some("c"), json.as_bytes()));
        let now = "2026-11-22T07:00:01.123Z".parse().unwrap();
        assert_eq!(payload.age(now), Some(Duration::from_secs(1)));
        assert!(Payload::read("{\"id\":1}".into()).is_none());
    }

    #[test]
    fn a_gap_names_its_conversation_and_where_to_read_its_state() {
        let id = EventId { epoch: "e".into(), offset: 9 };
        let gap = Payload::gap(&id, &"w".into(), &Lane::named("conversation:c"), Some(4));
        let event: Value = serde_json::from_slice(&gap.body).unwrap();
        assert_eq!(
            (&event["id"], &event["subject"], &event["type"]),
            (&json!("e-9"), &json!("c"), &json!("tertulia.gap"))
        );
        assert_eq!(event["data"], json!({ "missed": 4, "snapshot": "/v1/conversations/c" }));
        let gap = Payload::gap(&id, &"w".into(), &Lane::log(), None);
        let event: Value = serde_json::from_slice(&gap.body).unwrap();
        assert_eq!(event["data"], json!({ "missed": null, "snapshot": "/v1/conversations" }));
        assert!(event.get("subject").is_none());
    }
}
