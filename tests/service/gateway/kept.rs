//! What was set on a connection over HTTP outlives the process.

use std::fs;

use awc::http::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{intake::SHOP, row};
use crate::running::{BOT, LOOK_EVERY, PATIENCE, Running, configuration, emulator, process::Process};

const STATE: &str = "/v1/connections/bots-1/agent-state";

/// Waits until the platform has confirmed the agent's state.
async fn until_state(running: &Running, connection: &str, state: &str) {
    let path = format!("/v1/connections/{connection}");
    let confirmed = async {
        loop {
            let seen = running.get(&path).await.json["agentState"].clone();
            if !seen.is_null() {
                return seen;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    assert_eq!(timeout(PATIENCE, confirmed).await.unwrap(), state);
}

#[test]
fn an_agent_state_that_was_set_outlives_a_killed_process_until_another_one_is_configured() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, BOT);
    let state_of = |process: &Process| {
        let seen = process.json_until("/v1/connections/bots-1", |seen| !seen["agentState"].is_null());
        seen["agentState"].as_str().unwrap().to_owned()
    };
    let first = Process::start(&file);
    assert_eq!(state_of(&first), "ONLINE");
    let set = first.json(&format!("PUT {STATE}"), r#"{"agentState":"AWAY"}"#);
    assert_eq!(set, json!({ "agentState": "AWAY" }));
    first.end(Signal::KILL);

    let second = Process::start(&file);
    assert_eq!(state_of(&second), "AWAY");
    second.end(Signal::KILL);

    let configured = fs::read_to_string(&file).unwrap().replace("\"ONLINE\"", "\"OCCUPIED\"");
    fs::write(&file, configured).unwrap();
    let third = Process::start(&file);
    assert_eq!(state_of(&third), "OCCUPIED");
    third.end(Signal::KILL);
}

#[actix_rt::test]
async fn an_added_connection_keeps_its_agent_state_over_a_restart_until_it_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    fs::write(&password, "secret").unwrap();
    let running =
        Running::start(&format!("[gateway]\nlisten = \"127.0.0.1:0\"\nsecrets = [{:?}]\n", password.display()));
    let login = json!({ "username": "bot1", "password": { "file": password } });
    let definition = json!({ "id": "bots-1", "account": "12345678", "role": "brand", "login": login,
        "agent_state": "ONLINE" });
    assert_eq!(running.post("/v1/connections", &definition).await.status, 201);
    running.ready("bots-1").await;
    let away = json!({ "agentState": "AWAY" }).to_string();
    assert_eq!(running.request(Method::PUT, STATE, &[], Some(away)).await.status, 200);
    let running = running.restart().await;
    running.ready("bots-1").await;
    until_state(&running, "bots-1", "AWAY").await;
    let removed = running.request(Method::DELETE, "/v1/connections/bots-1", &[], None).await;
    assert_eq!(removed.status, 204, "{}", removed.text);

    assert_eq!(running.post("/v1/connections", &definition).await.status, 201);
    running.ready("bots-1").await;
    until_state(&running, "bots-1", "ONLINE").await;
}

/// CV-F15: as often as it was loaded.
#[actix_rt::test]
async fn a_conversation_stays_loaded_as_often_over_a_restart() {
    let mut running = Running::start(&format!("{BOT}{SHOP}"));
    running.ready("bots-1").await;
    running.ready("shop").await;
    let id = running.conversation().await;
    let snapshot = running.get(&row(&id, "snapshot")).await.json;
    for _ in 0..2 {
        let loaded = running.post("/v1/conversations/load?connection=shop", &snapshot).await;
        assert_eq!(loaded.status, 200, "{}", loaded.text);
    }
    let running = running.restart().await;
    running.ready("shop").await;
    let unload = format!("{}?connection=shop", row(&id, "unload"));
    let there = format!("/v1/conversations/{id}?connection=shop");
    for expected in [200, 404] {
        let answer = running.request(Method::POST, &unload, &[], None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let seen: Value = running.get(&there).await.status.into();
        assert_eq!(seen, expected);
    }
    let running = running.restart().await;
    running.ready("shop").await;
    let answer = running.request(Method::POST, &unload, &[], None).await;
    assert_eq!(answer.problem(), (404, "unknown-conversation"));
}
