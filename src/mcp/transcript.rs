//! The messages of a conversation as text for a model.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

/// The audience of messages that the consumer sees.
const EVERYBODY: &str = "ALL";

/// The ids of a conversation's dialogs, in their order.
pub(super) fn dialogs(conversation: &Value) -> Vec<String> {
    let dialogs = conversation["dialogs"].as_array().into_iter().flatten();
    dialogs.filter_map(|dialog| dialog["dialogId"].as_str().map(str::to_owned)).collect()
}

/// Adds the messages of one dialog: for each its time, sequence, author's role and body.
pub(super) fn add(transcript: &mut String, dialog: &str, messages: &Value) {
    // Writing into a string does not fail.
    let _ = writeln!(transcript, "dialog {dialog}");
    for message in messages["items"].as_array().into_iter().flatten() {
        let time = message["time"].as_i64().and_then(|time| Timestamp::from_millisecond(time).ok());
        let time = time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let role = message["role"].as_str().unwrap_or("-");
        let is_private = message["messageAudience"].as_str().is_some_and(|audience| audience != EVERYBODY);
        let private = if is_private { " (private)" } else { "" };
        let body = message["body"].as_str().map_or_else(|| message["body"].to_string(), str::to_owned);
        let _ = writeln!(transcript, "{time} #{} {role}{private}: {body}", message["sequence"]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_message_says_when_who_and_what() {
        let mut transcript = String::new();
        let messages = json!({ "items": [
            { "sequence": 0, "time": 1_795_000_000_123_i64, "role": "CONSUMER", "messageAudience": "ALL", "body": "hello" },
            { "sequence": 1, "role": "ASSIGNED_AGENT", "messageAudience": "AGENTS_AND_MANAGERS", "body": { "a": 1 } },
        ] });
        add(&mut transcript, "d", &messages);
        let expected =
            "dialog d\n2026-11-18T11:06:40.123Z #0 CONSUMER: hello\n- #1 ASSIGNED_AGENT (private): {\"a\":1}\n";
        assert_eq!(transcript, expected);
    }

    #[test]
    fn dialogs_are_those_of_the_conversation_in_order() {
        let conversation = json!({ "dialogs": [{ "dialogId": "main" }, { "dialogId": "survey" }] });
        assert_eq!(dialogs(&conversation), ["main", "survey"]);
    }
}
