//! Health, readiness and metrics.

use serde_json::json;
use tertulia_emulator::{Fault, FaultKind};
use tokio::time::{sleep, timeout};

use super::WRONG;
use crate::running::{BOT, LOOK_EVERY, PATIENCE, Running};

#[actix_rt::test]
async fn a_connection_that_failed_for_ever_does_not_make_the_service_unready() {
    let running = Running::start(&format!("{BOT}{WRONG}"));
    running.ready("bots-1").await;
    assert!(running.service.tertulia().connection(&"wrong".into()).ready(PATIENCE).await.is_err());
    assert_eq!(running.get("/healthz").await.status, 200);
    let answer = running.get("/readyz").await;
    let reasons = json!([{ "connection": "wrong", "state": "failed", "failure": "credentials_refused",
        "lacking": { "subscriptions": true }, "blocking": false }]);
    assert_eq!((answer.status, &answer.json), (200, &json!({ "ready": true, "reasons": reasons })));
    let listed = running.get("/v1/connections/wrong").await.json;
    assert_eq!((&listed["state"], &listed["failure"]), (&json!("failed"), &json!("credentials_refused")));

    let running = Running::bot().await;
    let answer = running.get("/readyz").await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "ready": true })));
}

/// Adds the connection `id` of the agent bot2, and waits until it waits because the platform is not reached.
async fn add_unreachable(running: &Running, id: &str) {
    running.emulator.inject(Fault::new(FaultKind::RefuseLogin).code(503).user("bot2").count(1_000));
    let login = json!({ "username": "bot2", "password": "secret" });
    let definition = json!({ "id": id, "account": "12345678", "role": "brand", "login": login });
    assert_eq!(running.post("/v1/connections", &definition).await.status, 201);
    let path = format!("/v1/connections/{id}");
    let waits = async {
        while running.get(&path).await.json["waiting"]["reason"] != "unavailable" {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, waits).await.unwrap();
}

#[actix_rt::test]
async fn a_service_none_of_whose_connections_reaches_the_platform_is_not_ready() {
    let running = Running::start("");
    assert_eq!(running.get("/readyz").await.status, 200);
    add_unreachable(&running, "away").await;
    let answer = running.get("/readyz").await;
    assert_eq!(answer.problem(), (503, "not-ready"));
    let reasons = &answer.json["reasons"];
    assert_eq!((&reasons[0]["connection"], &reasons[0]["blocking"]), (&json!("away"), &json!(true)), "{reasons}");
}

#[actix_rt::test]
async fn a_service_that_reaches_the_platform_stays_ready_without_a_connection_that_does_not() {
    let running = Running::bot().await;
    add_unreachable(&running, "away").await;
    let answer = running.get("/readyz").await;
    assert_eq!((answer.status, &answer.json["reasons"][0]["connection"]), (200, &json!("away")), "{}", answer.text);
}

#[actix_rt::test]
async fn a_service_stays_ready_when_a_connection_is_lost() {
    let running = Running::bot().await;
    running.emulator.inject(Fault::new(FaultKind::RefuseLogin).code(503).user("bot1").count(1_000));
    running.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1"));
    let lost = async {
        while running.get("/v1/connections/bots-1").await.json["state"] == "ready" {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, lost).await.unwrap();
    assert_eq!(running.get("/readyz").await.status, 200);
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
