//! Formats one event as one line. Text that a consumer wrote must not control the terminal.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::harmless::{harmless, is_harmful};

/// The most characters of the gist.
const LONGEST_GIST: usize = 400;
/// Times are shown to the millisecond.
const TIME: usize = "2026-11-22T07:00:00.123".len();

/// The event for people: time, connection, conversation, type and gist.
pub(super) fn readable(data: &str) -> String {
    let Ok(Value::Object(event)) = serde_json::from_str(data) else { return harmless(data) };
    let member = |name: &str| event.get(name).and_then(Value::as_str);
    let time = member("time").unwrap_or("-");
    let time = time.get(..TIME).map_or_else(|| time.to_owned(), |time| format!("{time}Z"));
    let connection = member("connection").unwrap_or("-");
    let kind = member("type").unwrap_or("-");
    let kind = kind.strip_prefix("tertulia.").unwrap_or(kind);
    let gist = event.get("data").map(|data| gist(kind, data)).unwrap_or_default();
    let line = format!("{time}  {connection}  {}  {kind}  {gist}", member("subject").unwrap_or("-"));
    harmless(line.trim_end())
}

/// The whole event as JSON, on one line.
pub(super) fn whole(data: &str) -> String {
    let mut line = String::with_capacity(data.len());
    for character in data.chars() {
        // In JSON such characters occur only inside strings, where the escape means the same character.
        if is_harmful(character) {
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line
}

fn gist(kind: &str, data: &Value) -> String {
    let Value::Object(members) = data else { return short(&plain(data)) };
    if kind == "message" { message(members) } else { short(&list(members)) }
}

/// The sender and the text, and the audience unless the message is for everybody.
fn message(members: &Map<String, Value>) -> String {
    let member = |name: &str| members.get(name).and_then(Value::as_str);
    let role = member("role").or_else(|| member("originatorId")).unwrap_or("-");
    let audience = match member("messageAudience") {
        None | Some("ALL") => String::new(),
        Some(audience) => format!(" to {audience}"),
    };
    short(&format!("{role}{audience}: {}", members.get("body").map(plain).unwrap_or_default()))
}

fn list(members: &Map<String, Value>) -> String {
    let shown = members.iter().filter(|(_, value)| !value.is_null());
    shown.map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(" ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST_GIST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, data: Value) -> String {
        json!({
            "specversion": "1.0", "id": "e-1", "source": "/accounts/1/connections/bots-1", "connection": "bots-1", "subject": "c-1",
            "type": format!("tertulia.{kind}"), "time": "2026-11-22T07:00:00.123456789Z", "sequence": "1", "data": data,
        })
        .to_string()
    }

    #[test]
    fn a_line_says_when_where_what_and_the_gist() {
        let message = json!({ "dialogId": "d", "role": "CONSUMER", "messageAudience": "ALL", "body": "hello" });
        let expected = "2026-11-22T07:00:00.123Z  bots-1  c-1  message  CONSUMER: hello";
        assert_eq!(readable(&event("message", message)), expected);
        let private = json!({ "role": "ASSIGNED_AGENT", "messageAudience": "AGENTS_AND_MANAGERS", "body": { "a": 1 } });
        let expected =
            "2026-11-22T07:00:00.123Z  bots-1  c-1  message  ASSIGNED_AGENT to AGENTS_AND_MANAGERS: {\"a\":1}";
        assert_eq!(readable(&event("message", private)), expected);
        let transfer = json!({ "dialogId": "d", "skillId": "7", "before": null, "count": 2 });
        let expected = "2026-11-22T07:00:00.123Z  bots-1  c-1  transfer-skill  count=2 dialogId=d skillId=7";
        assert_eq!(readable(&event("transfer-skill", transfer)), expected);
        let connected = r#"{"connection":"x","type":"tertulia.connection.connected","time":"now","data":{}}"#;
        assert_eq!(readable(connected), "now  x  -  connection.connected");
        assert_eq!(readable("no JSON"), "no JSON");
        assert_eq!(readable("{}"), "-  -  -  -");
    }

    #[test]
    fn a_long_text_is_cut() {
        let line = readable(&event("message", json!({ "body": "ä".repeat(10_000) })));
        assert!(line.ends_with("ää…") && line.chars().count() < LONGEST_GIST + 100);
    }

    #[test]
    fn no_text_controls_the_terminal() {
        let evil = "a\u{1b}]0;owned\u{7}\u{9b}2J\r\nfake line\u{7f}\u{202e}\u{2028}\u{0}\u{85}ü€😀";
        let line = readable(&event("message", json!({ "role": evil, "body": evil })));
        let whole = whole(&event(evil, json!({ evil: evil })));
        for line in [&line, &whole] {
            assert!(!line.chars().any(is_harmful), "{line:?}");
            assert!(line.contains("ü€😀") && line.contains("fake line"));
        }
        assert!(line.contains("a\\u{1b}]0;owned\\u{7}\\u{9b}2J\\r\\nfake line\\u{7f}"), "{line}");
        // The whole event still parses to the same text.
        let event: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(event["data"][evil], evil);
    }
}
