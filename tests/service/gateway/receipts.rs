//! Receipts and typing: `read`, `accept`, `chat-state`.

use serde_json::json;

use super::row;
use crate::running::Running;

#[actix_rt::test]
async fn messages_are_accepted_and_read() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    for (name, status) in [("accept", "ACCEPT"), ("read", "READ")] {
        let answer = running.post(&row(&id, name), &json!({ "sequences": [0] })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let told = running.heard_by("bots-1", "message-delivery", &id).await;
        assert_eq!((&told["status"], &told["sequences"]), (&json!(status), &json!([0])));
    }
    assert_eq!(running.post(&row(&id, "read"), &json!({ "sequences": [] })).await.status, 200);
    for (body, expected) in [
        (json!({}), (400, "bad-request")),
        (json!({ "sequences": [-1] }), (400, "bad-request")),
        (json!({ "sequences": 0 }), (400, "bad-request")),
        (json!({ "sequences": [0], "dialog": "none" }), (404, "unknown-dialog")),
    ] {
        assert_eq!(running.post(&row(&id, "read"), &body).await.problem(), expected, "{body}");
    }
}

#[actix_rt::test]
async fn the_activity_of_this_side_is_sent() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    running.settled(&id).await;
    let path = row(&id, "chat-state");
    assert_eq!(running.post(&path, &json!({ "chatState": "PAUSE", "dialog": id })).await.status, 200);
    let told = running.heard_by("bots-1", "chat-state", &id).await;
    assert_eq!(told["chatState"], "PAUSE");
    assert_eq!(running.post(&path, &json!({})).await.problem(), (400, "bad-request"));
    assert_eq!(running.post(&path, &json!({ "chatState": ["x"] })).await.problem(), (400, "bad-request"));
}
