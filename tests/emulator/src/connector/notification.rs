//! The webhook flavour of a frame, and what it is about.

use serde_json::Value;

/// One webhook.
#[derive(Debug, PartialEq)]
pub(super) struct Notification {
    pub(super) body: String,
    /// One of the event types that have endpoints.
    pub(super) event_type: String,
    /// Whose order it keeps.
    pub(super) conversation: String,
}

impl Notification {
    /// What a connector hears of a frame: no subscription, no counts, no last content (protocol
    /// [§6.1](crate::protocol#61)); nothing of answers and of notifications that tell nothing.
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let mut frame: Value =
            serde_json::from_slice(frame).ok().filter(|frame: &Value| frame["kind"] == "notification")?;
        let name = frame["type"].as_str()?.to_owned();
        let body = frame["body"].as_object_mut()?;
        body.remove("subscriptionId");
        let changes = body.get_mut("changes").and_then(Value::as_array_mut)?;
        for result in changes.iter_mut().filter_map(|change| change.get_mut("result")?.as_object_mut()) {
            for member in ["lastUpdateTime", "numberOfunreadMessages", "lastContentEventNotification"] {
                result.remove(member);
            }
        }
        let first = changes.first()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let conversation = text(&first["result"]["convId"]).or_else(|| text(&first["conversationId"]));
        let event_type = match first["event"]["type"].as_str() {
            Some(event) => format!("{name}.{event}"),
            None => name,
        };
        let conversation = conversation.or_else(|| text(&frame["body"]["conversationId"])).unwrap_or_default();
        Some(Self { body: frame.to_string(), event_type, conversation })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_no_webhooks_and_notifications_lose_what_webhooks_do_not_have() {
        assert_eq!(Notification::of(br#"{"kind":"resp","reqId":"1","code":200,"body":{}}"#), None);
        let empty = br#"{"kind":"notification","type":"t","body":{"subscriptionId":"s","changes":[]}}"#;
        assert_eq!(Notification::of(empty), None);
        let frame = br#"{"kind":"notification","type":"t","body":{"subscriptionId":"s","changes":[
            {"type":"UPSERT","result":{"convId":"c","lastUpdateTime":1,"numberOfunreadMessages":{}}}]}}"#;
        let expected = json!({"kind": "notification", "type": "t",
            "body": {"changes": [{"type": "UPSERT", "result": {"convId": "c"}}]}});
        let notification = Notification::of(frame).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&notification.body).unwrap(), expected);
        assert_eq!((notification.event_type.as_str(), notification.conversation.as_str()), ("t", "c"));
    }

    #[test]
    fn messages_are_told_apart_by_their_events() {
        let frame = json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {
            "conversationId": "c", "changes": [{"event": {"type": "ChatStateEvent"}}]}});
        let notification = Notification::of(frame.to_string().as_bytes()).unwrap();
        assert_eq!(notification.event_type, "ms.MessagingEventNotification.ChatStateEvent");
        assert_eq!(notification.conversation, "c");
    }
}
