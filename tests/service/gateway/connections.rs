//! `/v1/connections`.

use serde_json::json;

use super::{MONITOR, WRONG, ids};
use crate::running::{BOT, PATIENCE, Running};

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
