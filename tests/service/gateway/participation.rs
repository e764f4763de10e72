//! Who takes part: `join`, `leave`, `transfer`, `consumer-takeover`.

use serde_json::json;

use super::{ANN, MONITOR, row};
use crate::running::{BOT, Running};

/// A bot and a monitor, both with one conversation of which the bot is in charge.
async fn looked_at() -> (Running, String) {
    let mut running = Running::start(&format!("{BOT}{MONITOR}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard("conversation", &id).await;
    running.heard("conversation", &id).await;
    (running, id)
}

fn by_monitor(id: &str, name: &str) -> String {
    format!("{}?connection=monitor", row(id, name))
}

/// CV-F3: who has joined may speak, until they leave.
#[actix_rt::test]
async fn an_agent_who_joins_may_speak_until_they_leave() {
    let (mut running, id) = looked_at().await;
    let (says, joins) = (by_monitor(&id, "messages"), by_monitor(&id, "join"));
    let text = json!({ "text": "may I help" });
    let answer = running.post(&says, &text).await;
    assert_eq!(answer.problem(), (422, "platform-rejected"));
    let answer = running.post(&joins, &json!({ "role": "MANAGER" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json["key"].is_string(), "{}", answer.text);
    assert_eq!(running.post(&says, &text).await.json, json!({ "sequence": 0 }));
    assert_eq!(running.emulator.ledger().get(0).unwrap().role, "MANAGER");

    // The platform's state comes after its answer.
    running.heard_by("monitor", "participant-added", &id).await;
    let leaves = by_monitor(&id, "leave");
    let answer = running.post(&leaves, &json!({ "dialog": id })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(running.post(&says, &text).await.problem(), (422, "platform-rejected"));
}

#[actix_rt::test]
async fn what_cannot_be_joined_or_left_is_refused() {
    let (running, id) = looked_at().await;
    let answer = running.post(&by_monitor(&id, "leave"), &json!({})).await;
    assert_eq!(answer.problem(), (409, "not-a-participant"));
    for (body, expected) in [
        (json!({}), (400, "bad-request")),
        (json!({ "role": 7 }), (400, "bad-request")),
        (json!({ "role": "MANAGER", "dialog": "none" }), (404, "unknown-dialog")),
    ] {
        assert_eq!(running.post(&by_monitor(&id, "join"), &body).await.problem(), expected, "{body}");
    }
    let answer = running.post(&row(&id, "join"), &json!({ "role": "MANAGER" })).await;
    assert_eq!(answer.problem(), (409, "ambiguous-connection"));
}

/// CV-F14: the former assignee is out, the target is asked; a skill alone sends it back to the queue of that skill.
#[actix_rt::test]
async fn a_conversation_is_transferred_to_an_agent_or_a_skill() {
    let (mut running, id) = looked_at().await;
    let seen = running.get(&format!("/v1/conversations/{id}?connection=bots-1")).await.json;
    let own = &seen["assignedAgent"]["agentId"];
    let path = format!("{}?connection=bots-1", row(&id, "transfer"));
    let answer = running.post(&path, &json!({ "agentId": own })).await;
    assert_eq!(answer.problem(), (409, "same-agent"));
    assert_eq!(running.post(&path, &json!({ "agentID": "x" })).await.problem(), (400, "bad-request"));
    assert_eq!(running.post(&path, &json!({})).await.status, 200);

    let answer = running.post(&path, &json!({ "skillId": "502" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = running.heard_by("monitor", "transfer-skill", &id).await;
    assert_eq!(told["skillId"], "502");
}

/// CV-F1.
#[actix_rt::test]
async fn a_conversation_is_given_to_another_identity_of_its_consumer() {
    let mut running = Running::start(&format!("{BOT}{ANN}"));
    running.ready("bots-1").await;
    running.ready("ann").await;
    let id = running.conversation_of_ann().await;
    let present = running.settled(&id).await["consumer"]["userId"].clone();
    let path = format!("{}?connection=ann", row(&id, "consumer-takeover"));
    let answer = running.post(&path, &json!({ "newConsumerUserId": present })).await;
    assert_eq!(answer.problem(), (409, "same-consumer"));
    assert_eq!(running.post(&path, &json!({})).await.problem(), (400, "bad-request"));
    let answer = running.post(&path, &json!({ "newConsumerUserId": "ann-known" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    running.heard_by("bots-1", "consumer-step-up", &id).await;
    let seen = running.get(&format!("/v1/conversations/{id}?connection=bots-1")).await.json;
    assert_eq!(seen["consumer"]["userId"], "ann-known");
}
