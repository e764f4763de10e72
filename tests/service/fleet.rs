//! The fleet over HTTP: connections that come and go, what they are asked, rings, supervision, dead letters.

use std::sync::atomic::{AtomicU32, Ordering};

use awc::http::Method;
use serde_json::{Value, json};
use tertulia_actors::{
    connection::ConnectionSettings, conversation::Drill, dead_letters::DeadLetterKind, platform::AgentLogin,
};
use tertulia_emulator::{Fault, FaultKind, FaultRule, Outcome};

use crate::running::{self, BOT, LOOK_EVERY, PATIENCE, Running};

const CONSUMER: &str = r#"
[[connections]]
id = "someone"
account = "12345678"
role = "consumer"
"#;

fn bot(id: &str, user: &str) -> Value {
    json!({
        "id": id, "account": "12345678", "role": "brand",
        "login": { "username": user, "password": "secret" },
        "rings": "manual", "agent_state": "ONLINE",
    })
}

fn consumer(id: &str) -> Value {
    json!({ "id": id, "account": "12345678", "role": "consumer" })
}

/// The paths of the fleet.
const ROWS: &str = "
get /healthz
get /readyz
get /metrics
get /openapi.json
get,post /v1/connections
get,delete /v1/connections/{connection}
put /v1/connections/{connection}/agent-state
post /v1/connections/{connection}/conversations
post /v1/connections/{connection}/requests
post /v1/connections/{connection}/step-up
post /v1/connections/{connection}/restart
get /v1/rings
post /v1/rings/{ring}/accept
post /v1/rings/{ring}/reject
get /v1/conversations
get /v1/conversations/{conversation}
get,post /v1/conversations/{conversation}/messages
get,post /v1/conversations/{conversation}/files
post /v1/conversations/{conversation}/join
post /v1/conversations/{conversation}/leave
post /v1/conversations/{conversation}/transfer
post /v1/conversations/{conversation}/close
post /v1/conversations/{conversation}/consumer-takeover
post /v1/conversations/{conversation}/csat
post /v1/conversations/{conversation}/ttr
post /v1/conversations/{conversation}/manual-ettr
post /v1/conversations/{conversation}/note
post /v1/conversations/{conversation}/read
post /v1/conversations/{conversation}/accept
post /v1/conversations/{conversation}/chat-state
get /v1/conversations/{conversation}/snapshot
post /v1/conversations/load
post /v1/conversations/{conversation}/unload
post /v1/intake/{connection}
get /v1/events
get /v1/events/socket
post /v1/backup
get,post /v1/webhooks
get,delete /v1/webhooks/{webhook}
post /v1/webhooks/{webhook}/test
get /v1/webhooks/{webhook}/deliveries
post /v1/bulk
get /v1/bulk/{job}
get /v1/dead-letters
post /v1/dead-letters/{letter}/replay
";

async fn keyed(running: &Running, path: &str, key: &str, body: &Value) -> running::Answer {
    running.request(Method::POST, path, &[("idempotency-key", key)], Some(body.to_string())).await
}

#[actix_rt::test]
async fn a_connection_is_added_serves_and_is_removed() {
    let running = Running::start("");
    let answer = running.post("/v1/connections", &bot("late", "bot1")).await;
    assert_eq!((answer.status, &answer.json), (201, &json!({ "id": "late", "isKept": false })), "{}", answer.text);
    running.ready("late").await;
    assert_eq!(running.get("/v1/connections/late").await.json["state"], "ready");
    assert_eq!(running.post("/v1/connections", &bot("late", "bot2")).await.problem(), (409, "connection-exists"));

    assert_eq!(running.request(Method::DELETE, "/v1/connections/late", &[], None).await.status, 204);
    assert_eq!(running.get("/v1/connections/late").await.problem(), (404, "unknown-connection"));
    let again = running.request(Method::DELETE, "/v1/connections/late", &[], None).await;
    assert_eq!(again.problem(), (404, "unknown-connection"));
    let now = running.emulator.sessions().into_iter().map(|session| session.now).sum::<u64>();
    assert_eq!(now, 0);
}

#[actix_rt::test]
async fn a_connection_that_was_added_is_there_after_a_restart_unless_a_secret_was_written_into_it() {
    let running = Running::start("");
    assert_eq!(running.post("/v1/connections", &consumer("kept")).await.json["isKept"], true);
    assert_eq!(running.post("/v1/connections", &consumer("removed")).await.json["isKept"], true);
    assert_eq!(running.post("/v1/connections", &bot("written", "bot1")).await.json["isKept"], false);
    running.request(Method::DELETE, "/v1/connections/removed", &[], None).await;
    running.ready("kept").await;

    let running = running.restart().await;
    running.ready("kept").await;
    let listed = running.get("/v1/connections").await.json;
    let ids: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert_eq!(ids, ["kept"]);
}

#[actix_rt::test]
async fn every_mistake_of_a_definition_is_reported_with_its_path_and_no_secret() {
    let running = Running::start("");
    let mut definition = bot("x y", "bot1");
    definition["login"] = json!({ "username": "bot1", "pasword": running::CANARY });
    definition["rings"] = json!("sometimes");
    let answer = running.post("/v1/connections", &definition).await;
    assert_eq!(answer.problem(), (422, "invalid-connection"));
    let mistakes = answer.json["mistakes"].as_array().unwrap();
    let paths: Vec<&str> = mistakes.iter().map(|mistake| mistake["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["id", "login.pasword", "rings"]);
    assert!(!answer.text.contains(running::CANARY));
    for odd in [json!(null), json!([]), json!("text"), json!({}), json!({ "id": 3 })] {
        assert_eq!(running.post("/v1/connections", &odd).await.problem(), (422, "invalid-connection"), "{odd}");
    }
}

/// A caller that may add connections cannot use that to read files and variables of the service, or to send them
/// anywhere.
#[actix_rt::test]
async fn an_added_connection_refers_to_nothing_that_the_configuration_does_not_let_it() {
    let attacker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    attacker.set_nonblocking(true).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, running::CANARY).unwrap();
    let at = |file: &std::path::Path| json!({ "file": file.to_str().unwrap() });
    let added = |id: &str, password: Value, proxy: Option<(&str, u16)>| {
        // Each has its own user, so none waits for another's session.
        let mut definition = bot(id, id);
        definition["login"]["password"] = password;
        if let Some((host, port)) = proxy {
            definition["proxy"] = json!({ "host": host, "port": port, "username": "me", "password": at(&secret) });
        }
        definition
    };
    let proxy = Some(("127.0.0.1", attacker.local_addr().unwrap().port()));

    let running = Running::start("");
    for (definition, expected) in [
        (added("stolen", json!("secret"), proxy), &["proxy.password.file", "proxy"][..]),
        (added("stolen", json!({ "file": "/proc/self/environ" }), None), &["login.password.file"]),
        (added("stolen", json!({ "env": "PATH" }), None), &["login.password.env"]),
        (added("stolen", json!({ "env": "NO_SUCH_VARIABLE" }), None), &["login.password.env"]),
    ] {
        let answer = running.post("/v1/connections", &definition).await;
        assert_eq!(answer.problem(), (422, "invalid-connection"), "{definition}");
        let mistakes = answer.json["mistakes"].as_array().unwrap();
        let paths: Vec<&str> = mistakes.iter().map(|mistake| mistake["path"].as_str().unwrap()).collect();
        assert_eq!(paths, expected, "{}", answer.text);
        // The response is the same whether the file exists or not.
        assert!(mistakes.iter().all(|mistake| mistake["message"].as_str().unwrap().contains("see gateway.")));
    }
    assert!(running.get("/v1/connections").await.json["items"].as_array().unwrap().is_empty());
    assert!(attacker.accept().is_err());

    let running = Running::start(&format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nsecrets = [\"PATH\", \"{}/*\"]\nproxies = [\"127.0.0.1\", \"local*\"]\n",
        directory.path().display()
    ));
    for (definition, status) in [
        (added("variable", json!({ "env": "PATH" }), None), 201),
        (added("file", at(&secret), None), 201),
        (added("proxied", json!("secret"), proxy), 201),
        (added("matched", json!("secret"), proxy.map(|(_, port)| ("localhost", port))), 201),
        (added("beyond", at(&directory.path().join("../secret")), None), 422),
        (added("elsewhere", json!("secret"), Some(("10.0.0.1", 3128))), 422),
    ] {
        let answer = running.post("/v1/connections", &definition).await;
        assert_eq!(answer.status, status, "{definition} {}", answer.text);
        assert!(!answer.text.contains(running::CANARY));
    }
    // A pattern leads to no internal address, whatever names it stands for.
    let refused = async {
        loop {
            let told = running.get("/v1/connections/matched").await.json["lastError"].to_string();
            if told != "null" {
                return told;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(refused.contains("has the internal address"), "{refused}");
}

#[actix_rt::test]
async fn a_consumer_opens_a_conversation_once_for_a_key() {
    let running = Running::start(CONSUMER);
    running.ready("someone").await;
    let path = "/v1/connections/someone/conversations";
    let body = json!({ "skillId": "-1", "ttrType": "URGENT" });
    let first = keyed(&running, path, "k1", &body).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let id = first.json["conversationId"].as_str().unwrap().to_owned();
    let again = keyed(&running, path, "k1", &body).await;
    assert_eq!((again.status, &again.json), (201, &first.json));
    assert_eq!(keyed(&running, path, "k1", &json!({})).await.problem(), (422, "key-reused"));

    let running = running.restart().await;
    running.ready("someone").await;
    assert_eq!(keyed(&running, path, "k1", &body).await.json["conversationId"], json!(id));
    let other = running.post(path, &body).await.json["conversationId"].clone();
    assert_ne!(other, json!(id));
    let found = running.get(&format!("/v1/conversations/{id}")).await.json;
    assert_eq!(found["conversationId"], json!(id));
}

#[actix_rt::test]
async fn what_was_refused_may_be_asked_again_with_its_key() {
    let running = Running::start(CONSUMER);
    running.ready("someone").await;
    let refused = FaultRule::new("ConsumerRequestConversation", Outcome::Code(403)).always();
    running.emulator.add_rule(refused).unwrap();
    let path = "/v1/connections/someone/conversations";
    assert_eq!(keyed(&running, path, "k1", &json!({})).await.problem(), (422, "platform-rejected"));
    assert_eq!(keyed(&running, path, "k1", &json!({ "skillId": "7" })).await.problem(), (422, "platform-rejected"));
    let unknown = keyed(&running, "/v1/connections/nobody/conversations", "k1", &json!({})).await;
    assert_eq!(unknown.problem(), (404, "unknown-connection"));
}

#[actix_rt::test]
async fn an_agent_opens_no_conversation() {
    let running = Running::bot().await;
    let path = "/v1/connections/bots-1/conversations";
    assert_eq!(keyed(&running, path, "k1", &json!({})).await.problem(), (422, "not-supported"));
}

#[actix_rt::test]
async fn an_agents_state_is_set_and_an_unknown_one_refused() {
    let running = Running::bot().await;
    let put = async |state: &str| {
        let body = json!({ "agentState": state }).to_string();
        running.request(Method::PUT, "/v1/connections/bots-1/agent-state", &[], Some(body)).await
    };
    let answer = put("AWAY").await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "agentState": "AWAY" })), "{}", answer.text);
    assert_eq!(put("ASLEEP").await.problem(), (422, "unknown-agent-state"));
}

#[actix_rt::test]
async fn any_request_of_the_wire_is_asked_and_its_answer_given() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = "/v1/connections/bots-1/requests";
    let body = json!({ "type": "ms.PublishEvent", "body": {
        "dialogId": id, "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "by hand" },
    }});
    let answer = keyed(&running, path, "k1", &body).await;
    assert_eq!((answer.status, answer.json["sequence"].is_number()), (200, true), "{}", answer.text);
    assert_eq!(keyed(&running, path, "k1", &body).await.json, answer.json);
    let by_hand = running.emulator.ledger().iter().filter(|entry| entry.text.as_deref() == Some("by hand")).count();
    assert_eq!(by_hand, 1);
    let refused = running.post(path, &json!({ "type": "no.SuchRequest", "body": {} })).await;
    assert_eq!(refused.problem(), (422, "platform-rejected"));
}

#[actix_rt::test]
async fn only_a_consumer_steps_up() {
    let running = Running::bot().await;
    let body = json!({ "connectorId": "1", "code": running::CANARY });
    let answer = running.post("/v1/connections/bots-1/step-up", &body).await;
    assert_eq!(answer.problem(), (422, "not-supported"));
}

#[actix_rt::test]
async fn rings_wait_until_they_are_taken_or_passed_on() {
    let mut running = Running::start(&BOT.replace("\"accept\"", "\"manual\""));
    running.ready("bots-1").await;
    let id = running.emulator.create_conversation(None, None);
    running.offered(&id).await;
    let rings = running.get("/v1/rings").await.json;
    let ring = &rings["items"][0];
    assert_eq!((&ring["connection"], &ring["conversationId"]), (&json!("bots-1"), &json!(id)), "{rings}");
    let path = format!("/v1/rings/{}", ring["id"].as_str().unwrap());
    let taken = running.request(Method::POST, &format!("{path}/accept"), &[], None).await;
    assert_eq!(taken.json, json!({ "connection": "bots-1", "conversationId": id }), "{}", taken.text);
    assert_eq!(running.get("/v1/rings").await.json["items"], json!([]));
    let again = running.request(Method::POST, &format!("{path}/accept"), &[], None).await;
    assert_eq!(again.problem(), (404, "unknown-ring"));

    let other = running.emulator.create_conversation(None, None);
    running.offered(&other).await;
    let rings = running.get("/v1/rings?connection=bots-1").await.json;
    let path = format!("/v1/rings/{}/reject", rings["items"][0]["id"].as_str().unwrap());
    assert_eq!(running.request(Method::POST, &path, &[], None).await.status, 204);
    // The platform sends the response before the notification that the ring is over.
    let gone = async {
        let waits = |rings: &Value| {
            rings["items"].as_array().unwrap().iter().any(|ring| path.contains(ring["id"].as_str().unwrap()))
        };
        while waits(&running.get("/v1/rings").await.json) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[actix_rt::test]
async fn a_quarantined_conversation_is_shown_and_released() {
    let mut running = Running::start("[supervision]\nconversation = { restarts = 1, within = \"30s\" }\n");
    static LEFT: AtomicU32 = AtomicU32::new(2);
    let drill = Drill::new(|_, kind, _| {
        let is_due = kind == DeadLetterKind::Records
            && LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        assert!(!is_due, "told to fail");
    });
    let login = AgentLogin::Password { username: "bot1".into(), password: "secret".to_owned().into() };
    let settings = ConnectionSettings::bot("drilled", "12345678", login);
    let settings = ConnectionSettings {
        drill: Some(drill),
        rings: tertulia_actors::connection::Rings::Accept,
        agent_state: Some(tertulia_actors::core::ums::AgentState::Online),
        ..settings
    };
    running.service.tertulia().connect(settings).unwrap();
    running.ready("drilled").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard("conversation", &id).await;
    running.emulator.say(&id, "one").unwrap();
    running.heard("conversation-restarted", &id).await;
    running.emulator.say(&id, "two").unwrap();
    running.heard("conversation-quarantined", &id).await;

    let tree = running.get("/v1/supervision").await.json;
    let drilled = &tree["connections"][0];
    assert_eq!(drilled["quarantined"][0]["conversation"], json!(id), "{tree}");
    assert_eq!(
        (&drilled["conversationRestarts"], &tree["policies"]["conversation"]["restarts"]),
        (&json!(1), &json!(1))
    );
    let letters = running.get("/v1/dead-letters").await.json;
    assert!(letters["items"].as_array().unwrap().iter().all(|letter| letter["kind"] == "records"), "{letters}");

    let path = format!("/v1/conversations/{id}/release");
    assert_eq!(running.request(Method::POST, &path, &[], None).await.status, 204);
    running.heard("message", &id).await;
    let tree = running.get("/v1/supervision").await.json;
    assert_eq!(tree["connections"][0]["quarantined"], json!([]));
    let again = running.request(Method::POST, &path, &[], None).await;
    assert_eq!(again.problem(), (409, "not-quarantined"));
}

#[actix_rt::test]
async fn dead_letters_are_read_in_pages_handed_over_again_and_thrown_away() {
    let running = Running::bot().await;
    for _ in 0..3 {
        running.emulator.inject(Fault::new(FaultKind::Malformed).user("bot1"));
    }
    let held = || running.service.tertulia().metrics().dead_letters_held.get();
    running::until(|| held() == 3).await;

    let first = running.get("/v1/dead-letters?limit=2").await.json;
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = running.get(&format!("/v1/dead-letters?limit=2&cursor={cursor}")).await.json;
    let of = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((of(&first), of(&second), &second["nextCursor"]), (2, 1, &Value::Null));
    let path = format!("/v1/dead-letters/{}", first["items"][0]["id"].as_str().unwrap());
    let whole = running.get(&path).await.json;
    assert_eq!((&whole["kind"], whole["body"].is_string()), (&json!("frame"), true), "{whole}");

    // It cannot be read this time either, and comes back as another one.
    assert_eq!(running.request(Method::POST, &format!("{path}/replay"), &[], None).await.status, 204);
    assert_eq!(running.get(&path).await.problem(), (404, "unknown-dead-letter"));
    running::until(|| held() == 3).await;
    let path = format!("/v1/dead-letters/{}", second["items"][0]["id"].as_str().unwrap());
    assert_eq!(running.request(Method::DELETE, &path, &[], None).await.status, 204);
    let again = running.request(Method::POST, &format!("{path}/replay"), &[], None).await;
    assert_eq!(again.problem(), (404, "unknown-dead-letter"));
}

#[actix_rt::test]
async fn the_description_of_the_interface_names_every_row_and_every_path_says_what_it_takes() {
    let running = Running::start("");
    let document = running.get("/openapi.json").await.json;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for row in ROWS.lines().filter(|row| !row.is_empty()) {
        let (methods, path) = row.split_once(' ').unwrap();
        for method in methods.split(',') {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
    }
    let answer = running.request(Method::PATCH, "/v1/connections/x", &[], None).await;
    assert_eq!((answer.problem(), answer.allow.as_str()), ((405, "method-not-allowed"), "DELETE, GET"));
}
