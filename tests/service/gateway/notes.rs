//! Agents' notes: `note`.

use awc::http::Method;
use serde_json::{Value, json};

use super::row;
use crate::running::Running;

/// CV-F9: the answer says how much was written, and how the note can be replaced.
#[actix_rt::test]
async fn a_note_is_written_among_the_others_and_cut_to_fit() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "note");
    let first = running.post(&path, &json!({ "noteContent": "wants a refund" })).await.json;
    assert_eq!((&first["truncated"], &first["truncatedText"]), (&json!(false), &Value::Null));
    running.settled(&id).await;
    let summary = json!({
        "noteContent": "refund asked for", "agentId": "12345678.9", "name": "Summary", "noteId": "s1",
        "isAutoSummary": true,
    });
    let second = running.post(&path, &summary).await;
    assert_eq!((second.status, &second.json["noteId"]), (200, &json!("s1")), "{}", second.text);
    let notes = running.settled(&id).await["note"].clone();
    let notes: Value = serde_json::from_str(notes.as_str().unwrap()).unwrap();
    assert_eq!((&notes[0]["noteId"], &notes[0]["noteContent"]), (&first["noteId"], &json!("wants a refund")));
    assert_eq!((&notes[1]["name"], &notes[1]["isAutoSummary"]), (&json!("Summary"), &json!(true)));

    let long = "é".repeat(6_000);
    let whole = json!({ "noteContent": long, "truncateEnabled": false });
    assert_eq!(running.post(&path, &whole).await.problem(), (422, "note-too-long"));
    let cut = running.post(&path, &json!({ "noteContent": long })).await.json;
    assert_eq!(cut["truncated"], true);
    let left = cut["truncatedText"].as_str().unwrap();
    assert!(long.starts_with(left) && left.len() > 4_000 && left.len() < long.len());
    running.settled(&id).await;
    assert_eq!(running.post(&path, &json!({ "noteContent": "one more" })).await.problem(), (422, "note-full"));
    assert_eq!(running.post(&path, &json!({ "note": "x" })).await.problem(), (400, "bad-request"));
}

#[actix_rt::test]
async fn a_note_with_a_key_is_written_once_and_answered_the_same() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let write = async |running: &Running| {
        let body = json!({ "noteContent": "once" }).to_string();
        running.request(Method::POST, &row(&id, "note"), &[("idempotency-key", "n1")], Some(body)).await.json
    };
    let first = write(&running).await;
    assert!(first["noteId"].is_string() && first["key"] == "n1", "{first}");
    assert_eq!(write(&running).await, first);
    running = running.restart().await;
    running.ready("bots-1").await;
    assert_eq!(write(&running).await, first);
    let notes = running.settled(&id).await["note"].clone();
    let notes: Vec<Value> = serde_json::from_str(notes.as_str().unwrap()).unwrap();
    assert_eq!(notes.len(), 1);
}
