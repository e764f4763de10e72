//! `Idempotency-Key`.

use awc::http::Method;
use serde_json::json;

use super::messages;
use crate::running::Running;

#[actix_rt::test]
async fn the_same_key_and_body_act_once_and_get_the_same_answer() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = messages(&id);
    let body = json!({ "text": "once" }).to_string();
    let send = |key: &'static str, body: String| {
        let (running, path) = (&running, &path);
        async move { running.request(Method::POST, path, &[("idempotency-key", key)], Some(body)).await }
    };
    let together =
        futures_util::future::join_all([send("k1", body.clone()), send("k1", body.clone()), send("\"k1\"", body)]);
    for answer in together.await {
        assert_eq!((answer.status, &answer.json), (200, &json!({ "sequence": 1 })));
    }
    let other = json!({ "text": "twice" }).to_string();
    assert_eq!(send("k1", other.clone()).await.problem(), (422, "key-reused"));
    assert_eq!(send("k2", other.clone()).await.json, json!({ "sequence": 2 }));
    assert_eq!(send("", other).await.problem(), (400, "bad-key"));
    assert_eq!(running.emulator.summary().agent_messages, 2);
}

#[actix_rt::test]
async fn a_key_whose_command_was_refused_before_it_was_sent_can_be_used_again() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let (path, header) = (messages(&id), [("idempotency-key", "k1")]);
    let send = |text| running.request(Method::POST, &path, &header, Some(json!({ "text": text }).to_string()));
    assert_eq!(send("").await.problem(), (422, "text-empty"));
    assert_eq!(send("better").await.json, json!({ "sequence": 1 }));
}

/// Promise 5: the same key and body give the same answer and act once, after a restart too.
#[actix_rt::test]
async fn a_key_acts_once_over_restarts() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let send = async |running: &Running, text: &str| {
        let body = json!({ "text": text }).to_string();
        running.request(Method::POST, &messages(&id), &[("idempotency-key", "k")], Some(body)).await
    };
    assert_eq!(send(&running, "once").await.json, json!({ "sequence": 1 }));
    running = running.restart().await;
    running.ready("bots-1").await;
    assert_eq!(send(&running, "once").await.json, json!({ "sequence": 1 }));
    assert_eq!(send(&running, "twice").await.problem(), (422, "key-reused"));
    let said = running.emulator.ledger().iter().filter_map(|entry| entry.text).collect::<Vec<_>>();
    assert_eq!(said, ["hello", "once"]);
}
