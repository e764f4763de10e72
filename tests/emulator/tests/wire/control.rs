//! The control interface over plain HTTP, and the same from inside the process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig, LedgerEntry, TrafficSpec};

use crate::client::{PATIENCE, Socket};

fn start() -> Emulator {
    let control = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    Emulator::start(EmulatorConfig { control, ..EmulatorConfig::default() }).unwrap()
}

async fn call(emulator: &Emulator, method: &str, path: &str, body: Value) -> (u16, String) {
    let url = format!("http://{}{path}", emulator.control().unwrap());
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let mut response = match method {
        "POST" => client.post(url).send_json(&body).await.unwrap(),
        _ => client.get(url).send().await.unwrap(),
    };
    let body = response.body().limit(64 * 1024 * 1024).await.unwrap();
    (response.status().as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

async fn json_call(emulator: &Emulator, method: &str, path: &str, body: Value) -> Value {
    let (status, text) = call(emulator, method, path, body).await;
    assert!(status < 400, "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

#[actix_web::test]
async fn one_simulated_consumer_is_driven_step_by_step_and_the_ledger_tells_it_line_by_line() {
    let emulator = start();
    let opened = json_call(&emulator, "POST", "/conversations", json!({"skill": "501", "consumer": "ann"})).await;
    let id = opened["id"].as_str().unwrap();
    let said = json_call(&emulator, "POST", &format!("/conversations/{id}/messages"), json!({"text": "hi"})).await;
    assert_eq!(said, json!({"sequence": 0}));
    json_call(&emulator, "POST", &format!("/conversations/{id}/close"), json!({})).await;
    let (status, _) = call(&emulator, "POST", &format!("/conversations/{id}/messages"), json!({"text": "late"})).await;
    assert_eq!(status, 400);
    let (_, ledger) = call(&emulator, "GET", "/ledger", Value::Null).await;
    let lines: Vec<LedgerEntry> = ledger.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    let line = serde_json::to_value(&lines[0]).unwrap();
    let expected = json!({"conversation": id, "dialog": id, "sequence": 0, "role": "CONSUMER", "originator": "ann",
        "audience": "ALL", "type": "ContentEvent", "text": "hi", "metadata": null, "time": lines[0].time});
    assert_eq!(line, expected);
    let summary = json_call(&emulator, "GET", "/ledger/summary", Value::Null).await;
    let expected = json!({"conversations": 1, "consumerMessages": 1, "agentMessages": 0,
        "deliveredToAgents": 0, "deliveredToConsumers": 0, "sessions": {}, "faults": 0, "staleRequests": {}});
    assert_eq!(summary, expected);
}

#[actix_web::test]
async fn faults_are_set_by_mode_or_struck_one_at_a_time_and_nonsense_is_refused() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let hit =
        json_call(&emulator, "POST", "/faults", json!({"fault": "drop", "side": "brand", "user": "bot1", "count": 1}))
            .await;
    assert_eq!(hit, json!({"hit": 1}));
    agent.end().await;
    json_call(&emulator, "POST", "/faults", json!({"mode": "flaky", "seed": 7})).await;
    json_call(&emulator, "POST", "/faults", json!({"mode": "none"})).await;
    assert_eq!(call(&emulator, "POST", "/faults", json!({"fault": "gremlins"})).await.0, 400);
    let sessions = json_call(&emulator, "GET", "/sessions", Value::Null).await;
    assert_eq!(sessions, json!([{"side": "brand", "user": "bot1", "now": 0, "max": 1}]));
}

#[actix_web::test]
async fn every_fault_can_be_asked_for_by_its_name() {
    let emulator = start();
    let names = "drop close half-open refuse-login slow-login expire-token delay duplicate reorder malformed oversize \
        throttle error stale-snapshot delete-then-late";
    for name in names.split_whitespace() {
        let hit = json_call(&emulator, "POST", "/faults", json!({"fault": name, "user": "bot1", "count": 1})).await;
        assert_eq!(hit, json!({"hit": 0}), "{name}");
    }
    for mode in ["flaky", "hostile", "none"] {
        let told = json_call(&emulator, "POST", "/faults", json!({"mode": mode, "seed": 7})).await;
        assert_eq!(told, json!({"mode": mode, "seed": 7}));
    }
}

#[actix_web::test]
async fn simulated_traffic_opens_speaks_and_counts_its_answers() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    agent.ask(".ams.routing.SubscribeRoutingTasks", json!({})).await;
    agent.ask(".ams.routing.SetAgentState", json!({"availability": "ONLINE"})).await;
    let spec = json!({"conversations": 3, "messages": 4, "rate": 100_000, "skill": "-1", "textBytes": 20});
    let id = json_call(&emulator, "POST", "/traffic", spec).await["id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        let waiting = |body: &Value| body["changes"][0]["result"]["ringsDetails"][0]["ringState"] == "WAITING";
        let ring = agent.notification(".ams.routing.RoutingTaskNotification", waiting).await;
        let details = &ring["changes"][0]["result"]["ringsDetails"][0];
        agent.ask(".ams.routing.UpdateRingState", json!({"ringId": details["ringId"], "ringState": "ACCEPTED"})).await;
        let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hello"});
        agent.ask(".ams.ms.PublishEvent", json!({"dialogId": details["convId"], "event": event})).await;
    }
    until_traffic_is(&emulator, &id, json!({"opened": 3, "sent": 12, "answered": 3, "done": true})).await;
    assert!(emulator.ledger().iter().all(|entry| entry.role != "CONSUMER" || entry.text.unwrap().len() == 20));
    assert_eq!(call(&emulator, "GET", "/traffic/t9", Value::Null).await.0, 404);
}

#[actix_web::test]
async fn simulated_consumers_may_open_conversations_and_say_nothing() {
    let emulator = start();
    let spec = json!({"conversations": 3, "messages": 0, "rate": 0});
    let id = json_call(&emulator, "POST", "/traffic", spec).await["id"].as_str().unwrap().to_owned();
    until_traffic_is(&emulator, &id, json!({"opened": 3, "sent": 0, "answered": 0, "done": true})).await;
    assert_eq!(emulator.summary().consumer_messages, 0);
}

async fn until_traffic_is(emulator: &Emulator, id: &str, expected: Value) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = json_call(emulator, "GET", &format!("/traffic/{id}"), Value::Null).await;
        if progress == expected {
            break;
        }
        assert!(Instant::now() < deadline, "{progress}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn an_emulator_stops_and_its_port_is_free_again() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let listen = emulator.listen();
    emulator.traffic(TrafficSpec::default());
    emulator.stop();
    let again = Emulator::start(EmulatorConfig { listen, ..EmulatorConfig::default() }).unwrap();
    assert_eq!(again.listen(), listen);
}

#[actix_web::test]
async fn the_control_interface_says_that_it_listens() {
    let emulator = start();
    assert_eq!(json_call(&emulator, "GET", "/healthz", Value::Null).await, json!({"alive": true}));
}
