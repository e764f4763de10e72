//! Health, readiness and metrics.

use serde_json::json;

use super::WRONG;
use crate::running::{BOT, PATIENCE, Running};

#[actix_rt::test]
async fn the_process_is_alive_whatever_the_platform_does_and_ready_once_each_connection_is() {
    let running = Running::start(&format!("{BOT}{WRONG}"));
    running.ready("bots-1").await;
    assert!(running.service.tertulia().connection(&"wrong".into()).ready(PATIENCE).await.is_err());
    assert_eq!(running.get("/healthz").await.status, 200);
    let answer = running.get("/readyz").await;
    assert_eq!(answer.problem(), (503, "not-ready"));
    let reasons = json!([{ "connection": "wrong", "state": "failed", "failure": "credentials_refused",
        "lacking": { "subscriptions": true } }]);
    assert_eq!(answer.json["reasons"], reasons);

    let running = Running::bot().await;
    let answer = running.get("/readyz").await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "ready": true })));
}

#[actix_rt::test]
async fn a_connection_of_a_consumer_is_served_too() {
    let running = Running::start("[[connections]]\nid = \"ann\"\naccount = \"12345678\"\nrole = \"consumer\"");
    running.ready("ann").await;
    assert_eq!(running.get("/readyz").await.status, 200);
}

#[actix_rt::test]
async fn what_is_counted_is_there_for_prometheus() {
    let mut running = Running::bot().await;
    running.conversation().await;
    let answer = running.get("/metrics").await;
    assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    let value = |name: &str| {
        let line = answer.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {}", answer.text)).parse::<u64>().unwrap()
    };
    assert_eq!((value("tertulia_connections_ready"), value("tertulia_conversations")), (1, 1));
    assert!(value("tertulia_frames_total") > 0 && value("process_resident_memory_bytes") > 1_000_000);
}
