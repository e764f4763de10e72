//! `/v1/conversations/{id}/messages`.

use awc::http::Method;
use serde_json::json;

use crate::{
    MONITOR, messages,
    running::{BOT, Running},
};

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
async fn a_refusal_of_the_platform_is_told_with_its_code_and_words() {
    let mut running = Running::start(MONITOR);
    running.ready("monitor").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard("conversation", &id).await;
    // The monitor takes no part, and the platform lets nobody else speak.
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
