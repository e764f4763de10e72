//! `/v1/connections`.

use awc::http::Method;
use serde_json::json;

use super::{ANN, MONITOR, WRONG, ids, messages};
use crate::running::{BOT, PATIENCE, Running};

/// A bot recognizes its own messages by `userId`, on every connection that sees them.
#[actix_rt::test]
async fn a_connection_has_a_user_id_that_identifies_its_messages() {
    let mut running = Running::start(&format!("{BOT}{ANN}"));
    running.ready("bots-1").await;
    running.ready("ann").await;
    let bot = running.get("/v1/connections/bots-1").await.json;
    assert_eq!(
        (&bot["account"], &bot["role"], &bot["agentState"]),
        (&json!("12345678"), &json!("brand"), &json!("ONLINE"))
    );
    assert!(bot["agentId"].as_str().unwrap().starts_with("12345678.") && bot["userId"] != bot["agentId"]);
    let ann = running.get("/v1/connections/ann").await.json;
    assert_eq!((&bot["username"], &ann["username"]), (&json!("bot1"), &json!(null)));
    assert_eq!((&ann["role"], &ann["agentId"], &ann["agentState"]), (&json!("consumer"), &json!(null), &json!(null)));
    assert_eq!(running.get("/v1/connections").await.json["items"][0]["userId"], ann["userId"]);

    let mut stream = running.follow("/v1/events?type=message&connection=bots-1", &[]).await;
    let id = running.conversation().await;
    assert_eq!(running.post(&messages(&id), &json!({ "text": "mine" })).await.status, 200);
    running.emulator.say(&id, "not mine").unwrap();
    for (body, is_own) in [("hello", false), ("mine", true), ("not mine", false)] {
        let data = stream.event().await["data"].clone();
        assert_eq!((&data["body"], data["originatorId"] == bot["userId"]), (&json!(body), is_own));
    }

    let away = json!({ "agentState": "AWAY" });
    let path = "/v1/connections/bots-1/agent-state";
    assert_eq!(running.request(Method::PUT, path, &[], Some(away.to_string())).await.status, 200);
    assert_eq!(running.get("/v1/connections/bots-1").await.json["agentState"], "AWAY");
}

#[actix_rt::test]
async fn connections_are_listed_in_pages_with_what_keeps_them_from_being_ready() {
    let running = Running::start(&format!("{BOT}{MONITOR}{WRONG}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    assert!(running.service.tertulia().connection(&"wrong".into()).ready(PATIENCE).await.is_err());

    let first = running.get("/v1/connections?limit=2").await.json;
    assert_eq!(ids(&first, "id"), ["bots-1", "monitor"]);
    assert_eq!(first["items"][0]["state"], "ready");
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = running.get(&format!("/v1/connections?limit=2&cursor={cursor}")).await.json;
    assert_eq!(ids(&second, "id"), ["wrong"]);
    assert!(second["nextCursor"].is_null());

    let wrong = running.get("/v1/connections/wrong").await.json;
    assert_eq!((&wrong["state"], &wrong["failure"]), (&json!("failed"), &json!("credentials_refused")));
    assert!(wrong["lastError"].as_str().unwrap().contains("401") && wrong["since"].is_string());
    assert_eq!(running.get("/v1/connections/none").await.problem(), (404, "unknown-connection"));
}
