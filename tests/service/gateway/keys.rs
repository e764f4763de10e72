//! `Idempotency-Key` on every row that acts: fifty requests at once with one key, and one more later, act once and get
//! the same answer. The rows come from the description, so a row that is added without a key fails here.

#![allow(clippy::panic, reason = "a test fails by a panic")]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tertulia_actors::{
    connection::{ConnectionSettings, Rings},
    conversation::Drill,
    core::ums::AgentState,
    dead_letters::DeadLetterKind,
    platform::AgentLogin,
};
use tertulia_emulator::{Fault, FaultKind};
use tokio::time::{sleep, timeout};

use super::{ANN, MONITOR, intake::SHOP, row, schemas};
use crate::running::{Answer, BOT, LOOK_EVERY, PATIENCE, Running, until};

/// Requests with one key at the same time.
const AT_ONCE: usize = 50;

/// Two more connections: an agent who is offered conversations, and a consumer who steps up.
const REST: &str = r#"
[[connections]]
id = "offered"
account = "12345678"
role = "brand"
login = { username = "bot3", password = { env = "PASSWORD" } }
rings = "manual"
agent_state = "AWAY"

[[connections]]
id = "stepper"
account = "12345678"
role = "consumer"

[gateway]
listen = "127.0.0.1:0"

[webhooks]
allow_internal = true

[supervision]
conversation = { restarts = 1, within = "30s" }
"#;

/// The evidence that a request acted once.
#[derive(Clone, Copy)]
enum Once<'a> {
    /// One command ended.
    Command,
    /// One item more is in this list.
    Item(&'a str),
    /// This was said once.
    Said(&'a str),
    /// With another key the same request gets this status, because there is nothing left to do.
    ThenRefused(u16),
    /// To act twice is the same as to act once.
    Anyway,
}

/// A walk over the rows that act.
struct Walk {
    running: Running,
    done: BTreeSet<String>,
}

impl Walk {
    async fn ask(&self, method: &Method, path: &str, key: &str, body: Option<&Value>) -> Answer {
        let header = [("idempotency-key", key)];
        let running = &self.running;
        let asking = running.request(method.clone(), path, &header, body.map(Value::to_string));
        timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path}"))
    }

    async fn length(&self, list: &str) -> usize {
        self.running.get(list).await.json["items"].as_array().unwrap().len()
    }

    async fn count(&self, once: Once<'_>) -> usize {
        let metrics = self.running.service.tertulia().metrics();
        match once {
            Once::Command => usize::try_from(metrics.commands_done.get() + metrics.commands_failed.get()).unwrap(),
            Once::Item(list) => self.length(list).await,
            Once::Said(text) => {
                self.running.emulator.ledger().iter().filter(|entry| entry.text.as_deref() == Some(text)).count()
            }
            Once::ThenRefused(_) | Once::Anyway => 0,
        }
    }

    /// Asks for `name`, a row of the description, at `path`; the answer.
    async fn row(&mut self, name: &str, path: &str, body: Option<Value>, status: u16, once: Once<'_>) -> Value {
        let method: Method = name.split_once(' ').unwrap().0.parse().unwrap();
        let key = format!("key-{}", self.done.len());
        let before = self.count(once).await;
        let together = (0..AT_ONCE).map(|_| self.ask(&method, path, &key, body.as_ref()));
        let mut answers = join_all(together).await;
        answers.push(self.ask(&method, path, &key, body.as_ref()).await);
        let first = answers.iter().find(|answer| answer.json["secret"].is_string()).unwrap_or(&answers[0]).json.clone();
        for answer in &answers {
            assert_eq!(answer.status, status, "{name}: {}", answer.text);
            // Only the first answer shows a secret.
            let mut expected = first.clone();
            if let (Some(expected), None) = (expected.as_object_mut(), answer.json.get("secret")) {
                expected.remove("secret");
            }
            match name {
                // The same job, as it is now.
                "POST /v1/bulk" => assert_eq!(answer.json["id"], expected["id"]),
                _ => assert_eq!(answer.json, expected, "{name}"),
            }
        }
        let shown = answers.iter().filter(|answer| answer.json["secret"].is_string()).count();
        assert!(shown <= 1, "{name}");
        let after = self.count(once).await;
        match once {
            Once::Command | Once::Item(_) | Once::Said(_) => assert_eq!(after, before + 1, "{name}"),
            Once::ThenRefused(status) => {
                let answer = self.ask(&method, path, "another", body.as_ref()).await;
                assert_eq!(answer.status, status, "{name}: {}", answer.text);
            }
            Once::Anyway => {}
        }
        self.done.insert(name.to_owned());
        first
    }

    /// The same for a row of a conversation.
    async fn act(&mut self, name: &str, conversation: &str, connection: &str, body: Value) {
        let path = format!("{}?connection={connection}", row(conversation, name));
        let name = format!("POST /v1/conversations/{{conversation}}/{name}");
        self.row(&name, &path, Some(body), 200, Once::Command).await;
    }

    async fn file(&mut self, conversation: &str) {
        let path = format!("{}?connection=bots-1", row(conversation, "files"));
        let head = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n\r\n";
        let form = format!("{head}a picture\r\n--edge--\r\n").into_bytes();
        let before = self.count(Once::Command).await;
        let send = || {
            let header = [("idempotency-key", "key-file")];
            let (running, path, form) = (&self.running, &path, form.clone());
            async move { running.send_bytes(path, "multipart/form-data; boundary=edge", &header, form).await }
        };
        let mut answers = join_all((0..AT_ONCE).map(|_| send())).await;
        answers.push(send().await);
        for answer in &answers {
            assert_eq!((answer.status, &answer.json), (200, &answers[0].json), "{}", answer.text);
        }
        assert_eq!(self.count(Once::Command).await, before + 1);
        self.done.insert("POST /v1/conversations/{conversation}/files".to_owned());
    }

    /// A conversation that waits for the agent `offered` to answer, and its ring.
    async fn ring(&mut self) -> String {
        let id = self.running.emulator.create_conversation(None, None);
        self.running.offered(&id).await;
        let rings = self.running.service.tertulia().connection(&"offered".into()).rings().await;
        let offer = rings.into_iter().find(|offer| offer.conversation_id == Some(id.as_str().into()));
        offer.unwrap().ring_id.to_string()
    }
}

/// The rows that act, by the description: every `POST` and `PUT`, but for the copy of the store, which changes nothing,
/// the platform's own webhooks, which know no keys, and requests to its other services, which refuse keys.
pub(crate) fn acting(document: &Value) -> BTreeSet<String> {
    let mut acting = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let acts = ["post", "put"].contains(&method.as_str());
            let is_forwarded = path.contains("/platform/{service}/");
            if !acts || is_forwarded || ["/v1/backup", "/v1/intake/{connection}"].contains(&path.as_str()) {
                continue;
            }
            let name = format!("{} {path}", method.to_uppercase());
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let has_key = parameters.iter().any(|one| one["in"] == "header" && one["name"] == "Idempotency-Key");
            assert!(has_key, "{name} takes no Idempotency-Key");
            acting.insert(name);
        }
    }
    acting
}

#[actix_rt::test]
async fn every_row_that_acts_does_so_once_for_a_key() {
    let running = Running::start(&format!("{BOT}{ANN}{MONITOR}{SHOP}{REST}"));
    for connection in ["bots-1", "ann", "monitor", "shop", "offered", "stepper"] {
        running.ready(connection).await;
    }
    let document = running.get("/openapi.json").await.json;
    let mut walk = Walk { running, done: BTreeSet::new() };

    // In conversations.
    let id = walk.running.conversation_of_ann().await;
    let monitor = walk.running.service.tertulia().connection(&"monitor".into());
    until(|| monitor.conversation(&id.as_str().into()).is_some()).await;
    walk.act("messages", &id, "bots-1", json!({ "text": "once" })).await;
    walk.file(&id).await;
    walk.act("join", &id, "monitor", json!({ "role": "MANAGER" })).await;
    walk.act("leave", &id, "monitor", json!({})).await;
    walk.act("read", &id, "bots-1", json!({ "sequences": [0] })).await;
    walk.act("accept", &id, "bots-1", json!({ "sequences": [0] })).await;
    walk.act("chat-state", &id, "bots-1", json!({ "chatState": "COMPOSING" })).await;
    walk.act("ttr", &id, "bots-1", json!({ "ttrType": "URGENT" })).await;
    walk.act("manual-ettr", &id, "bots-1", json!({ "time": 1_990_000_000_000_i64 })).await;
    walk.act("note", &id, "bots-1", json!({ "noteContent": "once" })).await;
    walk.act("csat", &id, "ann", json!({ "csatRate": 5 })).await;
    let snapshot = walk.running.get(&format!("{}?connection=bots-1", row(&id, "snapshot"))).await.json;
    let load = "/v1/conversations/load?connection=shop";
    walk.row("POST /v1/conversations/load", load, Some(snapshot), 200, Once::Anyway).await;
    // Loaded once, unloaded once.
    let unload = format!("{}?connection=shop", row(&id, "unload"));
    let name = "POST /v1/conversations/{conversation}/unload";
    walk.row(name, &unload, None, 200, Once::ThenRefused(404)).await;
    walk.act("consumer-takeover", &id, "ann", json!({ "newConsumerUserId": "ann-known" })).await;
    walk.act("transfer", &id, "bots-1", json!({ "skillId": "502" })).await;
    let other = walk.running.emulator.create_conversation(None, None);
    walk.running.heard_by("bots-1", "conversation", &other).await;
    walk.act("close", &other, "bots-1", json!({ "survey": false })).await;

    // Connections.
    let added = json!({ "id": "late", "account": "12345678", "role": "consumer" });
    let name = "POST /v1/connections";
    walk.row(name, "/v1/connections", Some(added), 201, Once::Item("/v1/connections")).await;
    let name = "POST /v1/connections/{connection}/conversations";
    let list = Once::Item("/v1/conversations?connection=ann");
    walk.row(name, "/v1/connections/ann/conversations", Some(json!({})), 201, list).await;
    let third = walk.running.emulator.create_conversation(None, None);
    walk.running.heard_by("bots-1", "conversation", &third).await;
    let wire = json!({ "type": "ms.PublishEvent", "body": {
        "dialogId": third, "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "by hand" },
    }});
    let name = "POST /v1/connections/{connection}/requests";
    walk.row(name, "/v1/connections/bots-1/requests", Some(wire), 200, Once::Said("by hand")).await;
    let name = "POST /v1/connections/{connection}/step-up";
    let known = json!({ "connectorId": "101", "code": "somebody" });
    walk.row(name, "/v1/connections/stepper/step-up", Some(known), 200, Once::Anyway).await;
    let name = "PUT /v1/connections/{connection}/agent-state";
    for (connection, state) in [("bots-1", "AWAY"), ("offered", "ONLINE")] {
        let path = format!("/v1/connections/{connection}/agent-state");
        walk.row(name, &path, Some(json!({ "agentState": state })), 200, Once::Anyway).await;
    }
    let name = "POST /v1/connections/{connection}/restart";
    walk.row(name, "/v1/connections/late/restart", None, 202, Once::Anyway).await;

    // A process that shares its data with no other node has nowhere to move a connection to.
    let name = "POST /v1/connections/{connection}/move";
    walk.row(name, "/v1/connections/late/move", Some(json!({ "node": "b" })), 404, Once::Anyway).await;
    walk.row("POST /v1/nodes/{node}/drain", "/v1/nodes/a/drain", None, 404, Once::Anyway).await;
    walk.row("POST /v1/nodes/rebalance", "/v1/nodes/rebalance", None, 404, Once::Anyway).await;

    // Rings.
    let path = format!("/v1/rings/{}/accept", walk.ring().await);
    walk.row("POST /v1/rings/{ring}/accept", &path, None, 200, Once::ThenRefused(404)).await;
    let path = format!("/v1/rings/{}/reject", walk.ring().await);
    walk.row("POST /v1/rings/{ring}/reject", &path, None, 204, Once::Anyway).await;
    let away = json!({ "agentState": "AWAY" });
    assert_eq!(walk.ask(&Method::PUT, "/v1/connections/offered/agent-state", "away", Some(&away)).await.status, 200);

    // Webhooks.
    let hook = json!({ "url": "http://127.0.0.1:9/", "enabled": false });
    let made = walk.row("POST /v1/webhooks", "/v1/webhooks", Some(hook), 201, Once::Item("/v1/webhooks")).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let rotate = format!("{path}/secret");
    walk.row("POST /v1/webhooks/{webhook}/secret", &rotate, Some(json!({})), 200, Once::Anyway).await;
    assert_eq!(walk.running.get(&path).await.json["oldSecretsUntil"].as_array().unwrap().len(), 1);
    let (test, deliveries) = (format!("{path}/test"), format!("{path}/deliveries"));
    walk.row("POST /v1/webhooks/{webhook}/test", &test, None, 200, Once::Item(&deliveries)).await;

    // Bulk work that lasts.
    let many: Vec<String> = (0..60).map(|_| walk.running.emulator.create_conversation(None, None)).collect();
    until(|| many.iter().all(|id| monitor.conversation(&id.as_str().into()).is_some())).await;
    let job = json!({ "operation": "close", "filter": { "conversations": many }, "rate": 1 });
    let job = walk.row("POST /v1/bulk", "/v1/bulk", Some(job), 201, Once::Item("/v1/bulk")).await;
    for act in ["pause", "resume", "cancel"] {
        let path = format!("/v1/bulk/{}/{act}", job["id"].as_str().unwrap());
        walk.row(&format!("POST /v1/bulk/{{job}}/{act}"), &path, None, 200, Once::Anyway).await;
    }

    // What failed.
    walk.running.emulator.inject(Fault::new(FaultKind::Malformed).user("bot1"));
    let letters = walk.running.service.tertulia().dead_letters().clone();
    let letter = timeout(PATIENCE, async {
        loop {
            if let Some(letter) =
                letters.list(None, 10).await.unwrap().into_iter().find(|one| one.kind == DeadLetterKind::Frame)
            {
                return letter.id.to_string();
            }
            sleep(LOOK_EVERY).await;
        }
    });
    let path = format!("/v1/dead-letters/{}/replay", letter.await.unwrap());
    walk.row("POST /v1/dead-letters/{letter}/replay", &path, None, 204, Once::ThenRefused(404)).await;
    let quarantined = quarantined(&mut walk.running).await;
    let (name, path) = ("POST /v1/conversations/{conversation}/release", row(&quarantined, "release"));
    walk.row(name, &path, None, 204, Once::ThenRefused(409)).await;

    assert_eq!(walk.done, acting(&document), "each row that acts is walked, and no other");
    let told = schemas::of_events(&walk.running, &document).await;
    for kind in
        ["message", "transfer-skill", "ring", "consumer-step-up", "conversation-quarantined", "connection.resumed"]
    {
        assert!(told.contains(&format!("tertulia.{kind}")), "{kind} is not among {told:?}");
    }
}

/// A conversation in quarantine, on a connection of its own.
async fn quarantined(running: &mut Running) -> String {
    static LEFT: AtomicU32 = AtomicU32::new(2);
    let drill = Drill::new(|_, kind, _| {
        let is_due = kind == DeadLetterKind::Records
            && LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        assert!(!is_due, "told to fail");
    });
    let login = AgentLogin::Password { username: "bot4".into(), password: "secret".to_owned().into() };
    let settings = ConnectionSettings {
        drill: Some(drill),
        rings: Rings::Accept,
        agent_state: Some(AgentState::Online),
        ..ConnectionSettings::bot("drilled", "12345678", login)
    };
    running.service.tertulia().connect(settings).unwrap();
    running.ready("drilled").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard_by("drilled", "conversation", &id).await;
    for (text, heard) in [("one", "conversation-restarted"), ("two", "conversation-quarantined")] {
        running.emulator.say(&id, text).unwrap();
        running.heard_by("drilled", heard, &id).await;
    }
    id
}

/// A key whose request is still being answered makes the others wait instead of refusing them, and a caller who leaves
/// does not keep the key.
#[actix_rt::test]
async fn a_caller_who_leaves_keeps_no_key() {
    let mut running = Running::start(&BOT.replace("\"accept\"", "\"manual\""));
    running.ready("bots-1").await;
    let id = running.emulator.create_conversation(None, None);
    running.offered(&id).await;
    let rings = running.get("/v1/rings").await.json;
    let path = format!("/v1/rings/{}/accept", rings["items"][0]["id"].as_str().unwrap());
    let header = [("idempotency-key", "k")];
    let leaving = running.request(Method::POST, &path, &header, None);
    assert!(timeout(Duration::from_millis(1), leaving).await.is_err());
    let answer = running.request(Method::POST, &path, &header, None).await;
    assert_eq!((answer.status, &answer.json["conversationId"]), (200, &json!(id)), "{}", answer.text);
    // Over a restart too.
    let running = running.restart().await;
    running.ready("bots-1").await;
    let again = running.request(Method::POST, &path, &header, None).await;
    assert_eq!((again.status, &again.json), (200, &answer.json), "{}", again.text);
}
