//! `/v1/conversations/{id}/messages`.

use awc::http::Method;
use serde_json::{Value, json};

use super::{ANN, MONITOR, messages};
use crate::running::{BOT, Running};

#[actix_rt::test]
async fn text_and_rich_text_are_published_and_answered_with_their_sequence() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = messages(&id);
    let metadata = json!([{ "type": "Source", "id": "test" }]);
    let text = json!({ "text": "hi", "metadata": metadata, "dialog": id });
    let answer = running.post(&path, &text).await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "sequence": 1 })), "{}", answer.text);
    let rich = json!({ "richText": { "type": "text", "text": "rich" } });
    assert_eq!(running.post(&path, &rich).await.json, json!({ "sequence": 2 }));
    let private = json!({ "text": "between us", "private": true });
    assert_eq!(running.post(&path, &private).await.json, json!({ "sequence": 3 }));

    let ledger = running.emulator.ledger();
    let said: Vec<_> = ledger.iter().map(|entry| (entry.audience, entry.text)).skip(1).collect();
    let texts: Vec<_> = said.iter().map(|(audience, text)| (audience.as_str(), text.as_deref())).collect();
    assert_eq!((texts[0], texts[2]), (("ALL", Some("hi")), ("AGENTS_AND_MANAGERS", Some("between us"))));
}

#[actix_rt::test]
async fn a_message_that_cannot_be_sent_is_refused_with_its_stable_code() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = messages(&id);
    for (body, expected) in [
        (json!({ "text": "" }), (422, "text-empty")),
        (json!({ "text": "x".repeat(8_001) }), (422, "text-too-long")),
        (json!({ "richText": { "no": "type" } }), (422, "rich-text-invalid")),
        (json!({ "text": "x", "dialog": "none" }), (404, "unknown-dialog")),
        (json!({ "text": "x", "richText": {} }), (400, "bad-request")),
        (json!({ "text": "x", "subject": "y" }), (400, "bad-request")),
        (json!({}), (400, "bad-request")),
        (json!({ "text": "x".repeat(600_000) }), (413, "body-too-large")),
    ] {
        assert_eq!(running.post(&path, &body).await.problem(), expected);
    }
    let answer = running.post(&messages("none"), &json!({ "text": "x" })).await;
    assert_eq!(answer.problem(), (404, "unknown-conversation"));
    let answer = running.request(Method::POST, &path, &[], None).await;
    assert_eq!(answer.problem(), (415, "not-json"));

    running.emulator.close_conversation(&id).unwrap();
    running.heard("close", &id).await;
    let answer = running.post(&path, &json!({ "text": "too late" })).await;
    assert_eq!(answer.problem(), (409, "no-open-dialog"));
}

#[actix_rt::test]
async fn a_refusal_of_the_platform_is_reported_with_its_code_and_words() {
    let mut running = Running::start(MONITOR);
    running.ready("monitor").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard("conversation", &id).await;
    // The monitor is not a participant, and only participants may send.
    let answer = running.post(&messages(&id), &json!({ "text": "let me in" })).await;
    assert_eq!(answer.problem(), (422, "platform-rejected"));
    assert!(answer.json["platformCode"].is_number() && answer.json["platformText"].is_string(), "{}", answer.text);
}

#[actix_rt::test]
async fn where_several_connections_could_act_one_must_be_named() {
    let mut running = Running::start(&format!("{BOT}{MONITOR}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard("conversation", &id).await;
    running.heard("conversation", &id).await;
    let text = json!({ "text": "who speaks?" });
    let answer = running.post(&messages(&id), &text).await;
    assert_eq!(answer.problem(), (409, "ambiguous-connection"));
    assert_eq!(answer.json["connections"].as_array().unwrap().len(), 2);
    let answer = running.post(&format!("{}?connection=bots-1", messages(&id)), &text).await;
    assert_eq!(answer.json, json!({ "sequence": 0 }));
}

fn texts(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["body"].as_str().unwrap()).collect()
}

/// CV-F5: both bounds are inclusive, and a message is as in its event.
#[actix_rt::test]
async fn the_history_is_read_within_inclusive_bounds() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = messages(&id);
    for text in ["1", "2", "3"] {
        assert_eq!(running.post(&path, &json!({ "text": text })).await.status, 200);
    }
    for (query, expected) in [
        ("", vec!["hello", "1", "2", "3"]),
        ("?sequenceMin=0&sequenceMax=1", vec!["hello", "1"]),
        ("?sequenceMin=2", vec!["2", "3"]),
        ("?sequenceMin=1&maxQuantity=2", vec!["1", "2"]),
        (&format!("?dialog={id}&sequenceMin=3"), vec!["3"]),
        ("?sequenceMin=9223372036854775807", vec![]),
    ] {
        let answer = running.get(&format!("{path}{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(texts(&answer.json), expected, "{query}");
    }
    let first = &running.get(&path).await.json["items"][0];
    assert_eq!((&first["sequence"], &first["role"]), (&json!(0), &json!("CONSUMER")));
    assert_eq!((&first["dialogId"], &first["contentType"]), (&json!(id), &json!("text/plain")));

    for (query, expected) in [
        ("?sequenceMin=2&sequenceMax=1", (422, "bad-range")),
        ("?maxQuantity=0", (422, "bad-range")),
        ("?dialog=none", (404, "unknown-dialog")),
        ("?sequenceMin=-1", (400, "bad-request")),
        ("?sequenceMin=9223372036854775808", (400, "bad-request")),
        ("?limit=3", (400, "bad-request")),
        ("?connection=none", (404, "unknown-connection")),
    ] {
        assert_eq!(running.get(&format!("{path}{query}")).await.problem(), expected, "{query}");
    }
    assert_eq!(running.get(&messages("none")).await.problem(), (404, "unknown-conversation"));
}

#[actix_rt::test]
async fn the_history_is_read_by_a_connection_that_can() {
    let mut running = Running::start(&format!("{BOT}{ANN}"));
    running.ready("bots-1").await;
    running.ready("ann").await;
    let id = running.conversation_of_ann().await;
    let path = messages(&id);
    assert_eq!(running.post(&format!("{path}?connection=bots-1"), &json!({ "text": "hi" })).await.status, 200);
    assert_eq!(texts(&running.get(&path).await.json), ["hi"]);
    let answer = running.get(&format!("{path}?connection=ann")).await;
    assert_eq!(answer.problem(), (422, "not-supported"));
    let seen = running.get(&format!("/v1/conversations/{id}")).await;
    assert_eq!(seen.json["connection"], "bots-1", "an agent sees more than a consumer");
}
