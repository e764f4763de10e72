//! `/v1/conversations` and one of them.

use serde_json::json;

use crate::{
    MONITOR, ids,
    running::{BOT, Running},
};

#[actix_rt::test]
async fn a_conversation_is_found_over_all_connections_with_the_members_of_the_class_page() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let found = running.get(&format!("/v1/conversations/{id}")).await.json;
    assert_eq!((&found["connection"], &found["conversationId"]), (&json!("bots-1"), &json!(id)));
    assert_eq!((&found["stage"], &found["notificationIgnoredCount"]), (&json!("OPEN"), &json!(0)));
    assert!(found["ttrEffective"].is_number() && found["dialogs"].is_array());
    let answer = running.get("/v1/conversations/none").await;
    assert_eq!(answer.problem(), (404, "unknown-conversation"));
    let answer = running.get(&format!("/v1/conversations/{id}?connection=none")).await;
    assert_eq!(answer.problem(), (404, "unknown-connection"));
}

#[actix_rt::test]
async fn every_conversation_is_in_exactly_one_page() {
    let mut running = Running::start(&format!("{BOT}{MONITOR}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        let id = running.emulator.create_conversation(None, None);
        // Both connections tell of it.
        running.heard("conversation", &id).await;
        running.heard("conversation", &id).await;
        expected.extend([(id.clone(), "bots-1".to_owned()), (id, "monitor".to_owned())]);
    }
    expected.sort();

    let mut listed = Vec::new();
    let mut path = "/v1/conversations?limit=3".to_owned();
    loop {
        let page = running.get(&path).await.json;
        listed.extend(ids(&page, "conversationId").into_iter().zip(ids(&page, "connection")));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/conversations?limit=3&cursor={cursor}");
    }
    assert_eq!(listed, expected);
    let own = running.get("/v1/conversations?connection=monitor").await.json;
    assert_eq!(ids(&own, "connection"), ["monitor"; 5]);
}
