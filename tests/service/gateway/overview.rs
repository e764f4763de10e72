//! The recent past in the overview, the last message in lists, and causes of dead letters.

use awc::http::Method;
use serde_json::{Value, json};
use tertulia_emulator::{Fault, FaultKind};
use tokio::time::{sleep, timeout};

use super::{MONITOR, TOKENS};
use crate::running::{BOT, LOOK_EVERY, PATIENCE, Running};

/// Waits until the overview meets the condition.
async fn overview(running: &Running, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let looking = async {
        loop {
            last = running.get("/v1/overview").await.json;
            if is_wanted(&last) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    let found = timeout(PATIENCE, looking).await;
    assert!(found.is_ok(), "{last}");
    last
}

fn kinds(overview: &Value) -> Vec<&str> {
    overview["notable"].as_array().unwrap().iter().map(|notable| notable["kind"].as_str().unwrap()).collect()
}

fn sum(overview: &Value, member: &str) -> u64 {
    overview["minutes"].as_array().unwrap().iter().map(|minute| minute[member].as_u64().unwrap()).sum()
}

#[actix_rt::test]
async fn the_last_hour_and_the_notable_events_are_there_at_once_also_after_a_restart() {
    let mut running = Running::bot().await;
    running.conversation().await;
    assert_eq!(running.emulator.inject(Fault::new(FaultKind::Drop).user("bot1")), 1);
    running.ready("bots-1").await;
    let is_back = |overview: &Value| overview["counts"]["reconnects"] == 1 && kinds(overview).len() == 2;
    let first = overview(&running, is_back).await;
    assert_eq!(kinds(&first), ["connection.disconnected", "service-started"]);
    let lost = &first["notable"][0];
    assert_eq!((&lost["connection"], &lost["conversation"]), (&json!("bots-1"), &Value::Null));
    assert!(lost["data"]["reason"].is_string() && lost["id"].as_str().unwrap().contains('-'), "{lost}");
    // The minutes have all that was counted before the previous request.
    let next = running.get("/v1/overview").await.json;
    for member in ["frames", "events", "reconnects"] {
        let counted = first["counts"][member].as_u64().unwrap()..=next["counts"][member].as_u64().unwrap();
        assert!(counted.contains(&sum(&next, member)), "{member}: {next} after {first}");
    }
    let last = first["minutes"].as_array().unwrap().last().unwrap();
    assert!(last["time"].as_str().unwrap().ends_with(":00Z") && last["p99"].as_f64() >= last["p50"].as_f64(), "{last}");

    let brief = running.get("/v1/overview?history=false").await.json;
    assert_eq!((&brief["minutes"], &brief["notable"]), (&Value::Null, &Value::Null));
    assert_eq!(running.get("/v1/overview?history=no").await.problem(), (400, "bad-request"));

    let running = running.restart().await;
    let second = overview(&running, |overview| kinds(overview).len() == 3).await;
    assert_eq!(kinds(&second), ["service-started", "connection.disconnected", "service-started"]);
    assert_eq!(second["notable"][1], *lost);
    let is_kept = sum(&second, "events") >= sum(&first, "events") && sum(&second, "reconnects") == 1;
    assert!(is_kept, "{second} after {first}");
}

#[actix_rt::test]
async fn a_token_for_some_connections_gets_only_their_past() {
    let tokens = TOKENS.replace(r#"scope = "read" }"#, r#"scope = "read", connections = ["monitor"] }"#);
    let mut running = Running::start(&format!("{BOT}{MONITOR}{tokens}"));
    running.token = Some("writer");
    for connection in ["bots-1", "monitor"] {
        running.ready(connection).await;
    }
    running.conversation().await;
    running.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    overview(&running, |overview| kinds(overview).contains(&"connection.disconnected")).await;
    running.token = Some("reader");
    let others = running.get("/v1/overview").await;
    assert!(!others.text.contains("bots-1") && kinds(&others.json).is_empty(), "{}", others.text);
    running.emulator.inject(Fault::new(FaultKind::Drop).user("bot2"));
    let own = overview(&running, |overview| sum(overview, "reconnects") == 1).await;
    assert_eq!((kinds(&own), &own["notable"][0]["connection"]), (vec!["connection.disconnected"], &json!("monitor")));
    let minute = &own["minutes"][0];
    assert!(minute["frames"].as_u64() > Some(0) && minute["events"].is_null() && minute["p99"].is_null(), "{minute}");
}

#[actix_rt::test]
async fn a_list_has_the_last_message_of_each_conversation_also_of_a_previous_run() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let silent = running.emulator.create_conversation(None, None);
    running.heard("conversation", &silent).await;
    let path = format!("/v1/conversations/{id}/messages");
    let long = "ñ".repeat(500);
    let said = running.post(&path, &json!({ "text": long })).await;
    assert_eq!(said.status, 200, "{}", said.text);
    running.heard("message", &id).await;
    let sequence = &said.json["sequence"];
    let mut running = running;
    for _ in 0..2 {
        let list = running.get("/v1/conversations").await.json;
        let of = |wanted: &str| {
            let items = list["items"].as_array().unwrap();
            items.iter().find(|item| item["conversationId"] == wanted).unwrap()["lastMessage"].clone()
        };
        let last = of(&id);
        assert_eq!((&last["sequence"], &last["role"]), (sequence, &json!("ASSIGNED_AGENT")), "{last}");
        assert_eq!(last["text"], json!(format!("{}…", "ñ".repeat(159))));
        assert!(last["time"].as_i64() > Some(0), "{last}");
        assert_eq!(of(&silent), Value::Null);
        running = running.restart().await;
        running.ready("bots-1").await;
    }
}

#[actix_rt::test]
async fn dead_letters_are_listed_and_discarded_by_cause() {
    let running = Running::bot().await;
    let letters = running.service.tertulia().dead_letters().clone();
    let put = |reason: &str| letters.put_undelivered("sink", &"bots-1".into(), None, reason.to_owned(), b"{}");
    (0..30).for_each(|number| put(&format!("malformed frame at line 1 column {}", 1_000 + 7 * number)));
    put("the receiver answered 503");
    put("the receiver answered 429");
    let causes = running.get("/v1/dead-letters/causes").await.json;
    let counts: Vec<_> = causes["items"].as_array().unwrap().iter().map(|cause| cause["count"].clone()).collect();
    assert_eq!(counts, [1, 1, 30], "the newest first");
    let first = running.get("/v1/dead-letters/causes?limit=1").await.json;
    let rest = format!("/v1/dead-letters/causes?cursor={}", first["nextCursor"].as_str().unwrap());
    assert_eq!(running.get(&rest).await.json["items"], json!(causes["items"].as_array().unwrap()[1..]));

    let cause = &causes["items"][2];
    assert_eq!((&cause["connections"], &cause["newest"]["kind"]), (&json!(["bots-1"]), &json!("delivery")));
    let of_cause = format!("/v1/dead-letters?cause={}", cause["id"].as_str().unwrap());
    let page = running.get(&format!("{of_cause}&limit=20")).await.json;
    assert_eq!(page["items"].as_array().unwrap().len(), 20);
    let discard = async |path: &str| running.request(Method::DELETE, path, &[], None).await;
    assert_eq!(discard("/v1/dead-letters").await.problem(), (400, "bad-request"), "no deletion without a cause");
    assert_eq!(discard(&of_cause).await.json, json!({ "discarded": 30 }));
    assert_eq!(discard(&of_cause).await.json, json!({ "discarded": 0 }));
    overview(&running, |overview| kinds(overview).contains(&"dead-letters")).await;
    let running = running.restart().await;
    assert_eq!(running.get("/v1/dead-letters").await.json["items"].as_array().unwrap().len(), 2);
}
