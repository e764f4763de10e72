//! `snapshot`, `load`, `unload`.

use awc::http::Method;
use serde_json::{Value, json};

use super::{intake::SHOP, row};
use crate::running::{Answer, BOT, Running};

const LOAD: &str = "/v1/conversations/load?connection=shop";

/// A bot with a conversation, a connector without conversations, and the conversation's snapshot.
async fn taken() -> (Running, String, Value) {
    let mut running = Running::start(&format!("{BOT}{SHOP}"));
    running.ready("bots-1").await;
    let id = running.conversation().await;
    let answer = running.get(&row(&id, "snapshot")).await;
    assert_eq!((answer.status, &*answer.content_type), (200, "application/json"), "{}", answer.text);
    (running, id, answer.json)
}

async fn keyed(running: &Running, path: &str, key: &str, body: Option<&Value>) -> Answer {
    running.request(Method::POST, path, &[("idempotency-key", key)], body.map(Value::to_string)).await
}

/// CV-F15, SR-1: as often as it was loaded.
#[actix_rt::test]
async fn a_conversation_is_loaded_by_its_snapshot_and_unloaded_as_often() {
    let (running, id, snapshot) = taken().await;
    let loaded = json!({ "connection": "shop", "conversationId": id });
    for _ in 0..2 {
        let answer = running.post(LOAD, &snapshot).await;
        assert_eq!((answer.status, &answer.json), (200, &loaded), "{}", answer.text);
    }
    let there = format!("/v1/conversations/{id}?connection=shop");
    let seen = running.get(&there).await.json;
    assert_eq!((&seen["conversationId"], &seen["stage"]), (&json!(id), &json!("OPEN")));

    let unload = format!("{}?connection=shop", row(&id, "unload"));
    for expected in [200, 404] {
        let answer = running.request(Method::POST, &unload, &[], None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(running.get(&there).await.status, expected);
    }
    let answer = running.request(Method::POST, &unload, &[], None).await;
    assert_eq!(answer.problem(), (404, "unknown-conversation"));
}

#[actix_rt::test]
async fn a_key_loads_and_unloads_once() {
    let (mut running, id, snapshot) = taken().await;
    for _ in 0..2 {
        let answer = keyed(&running, LOAD, "l1", Some(&snapshot)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let other = json!({ "version": 1 });
    assert_eq!(keyed(&running, LOAD, "l1", Some(&other)).await.problem(), (422, "key-reused"));
    let unload = format!("{}?connection=shop", row(&id, "unload"));
    assert_eq!(keyed(&running, &unload, "u1", None).await.status, 200);
    assert_eq!(running.get(&format!("/v1/conversations/{id}?connection=shop")).await.status, 404);
    running = running.restart().await;
    running.ready("bots-1").await;
    assert_eq!(keyed(&running, &unload, "u1", None).await.status, 200);
}

#[actix_rt::test]
async fn what_is_no_snapshot_is_not_loaded_and_what_was_not_loaded_is_not_unloaded() {
    let (running, id, snapshot) = taken().await;
    let mut later = snapshot.clone();
    later["version"] = json!(99);
    let mut nameless = snapshot.clone();
    nameless["conversation"]["id"] = json!("");
    let mut endless = snapshot.clone();
    endless["conversation"]["id"] = json!("x".repeat(300));
    for body in [json!({}), json!([1]), json!("text"), json!(null), later, nameless, endless] {
        assert_eq!(running.post(LOAD, &body).await.problem(), (422, "snapshot-malformed"), "{body}");
    }
    for (path, expected) in [
        ("/v1/conversations/load", (400, "bad-request")),
        ("/v1/conversations/load?connection=none", (404, "unknown-connection")),
        ("/v1/conversations/load?connection=bots-1", (422, "not-supported")),
    ] {
        assert_eq!(running.post(path, &snapshot).await.problem(), expected, "{path}");
    }
    let answer = running.request(Method::POST, &row(&id, "unload"), &[], None).await;
    assert_eq!(answer.problem(), (422, "not-supported"));
    assert_eq!(running.get(&row("none", "snapshot")).await.problem(), (404, "unknown-conversation"));
}
