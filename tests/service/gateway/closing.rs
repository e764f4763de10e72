//! How conversations end: `close`.

use awc::http::Method;
use serde_json::json;
use tertulia_emulator::EmulatorConfig;

use super::row;
use crate::running::{BOT, Running};

async fn with_survey() -> (Running, String) {
    let mut running = Running::on(EmulatorConfig { survey: true, ..EmulatorConfig::default() }, BOT);
    running.ready("bots-1").await;
    let id = running.conversation().await;
    (running, id)
}

#[actix_rt::test]
async fn a_close_lets_the_survey_begin_unless_told_otherwise() {
    for body in [None, Some("{}"), Some(r#"{"survey":true}"#)] {
        let (mut running, id) = with_survey().await;
        let answer = running.request(Method::POST, &row(&id, "close"), &[], body.map(str::to_owned)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        running.heard("dialog.close", &id).await;
        let seen = running.get(&format!("/v1/conversations/{id}")).await.json;
        assert_eq!((&seen["stage"], seen["dialogs"].as_array().unwrap().len()), (&json!("OPEN"), 2), "{body:?}");
    }
    let (mut running, id) = with_survey().await;
    let answer = running.post(&row(&id, "close"), &json!({ "survey": false })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    running.heard("close", &id).await;
}

#[actix_rt::test]
async fn one_dialog_is_closed_by_itself() {
    let (mut running, id) = with_survey().await;
    let path = row(&id, "close");
    for (body, expected) in [
        (json!({ "dialog": "none" }), (404, "unknown-dialog")),
        (json!({ "dialog": id, "survey": false }), (400, "bad-request")),
        (json!({ "survey": "no" }), (400, "bad-request")),
    ] {
        assert_eq!(running.post(&path, &body).await.problem(), expected, "{body}");
    }
    assert_eq!(running.post(&path, &json!({ "dialog": id })).await.status, 200);
    running.heard("dialog.close", &id).await;
    assert_eq!(running.post(&path, &json!({ "dialog": id })).await.problem(), (409, "dialog-closed"));
    assert_eq!(running.post(&path, &json!({ "survey": false })).await.status, 200);
    running.heard("close", &id).await;
}

#[actix_rt::test]
async fn the_body_of_a_close_is_json_if_there_is_one() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "close");
    let answer = running.request(Method::POST, &path, &[], Some("survey".to_owned())).await;
    assert_eq!(answer.problem(), (400, "bad-request"));
    let answer = running.send_bytes(&path, "text/plain", &[], b"{}".to_vec()).await;
    assert_eq!(answer.problem(), (415, "not-json"));
}

/// The same key asked of another row is another request.
#[actix_rt::test]
async fn a_key_tells_one_row_from_another() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let ask = async |running: &Running, name: &str| {
        let key = [("idempotency-key", "k1")];
        running.request(Method::POST, &row(&id, name), &key, Some(json!({ "sequences": [0] }).to_string())).await
    };
    assert_eq!(ask(&running, "accept").await.json, json!({ "key": "k1" }));
    assert_eq!(ask(&running, "accept").await.json, json!({ "key": "k1" }));
    assert_eq!(ask(&running, "read").await.problem(), (422, "key-reused"));
    let receipts = running.emulator.ledger().iter().filter(|entry| entry.kind == "AcceptStatusEvent").count();
    assert_eq!(receipts, 1);
}
