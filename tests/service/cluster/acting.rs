//! Every row that acts does so at a node that does not run the connection.

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::{Value, json};
use tertulia_actors::core::id::ConnectionId;

use super::{BOTS, Cluster, NAMES};
use crate::{
    gateway::{ANN, ids, keys::acting, row},
    running::Answer,
};

/// Rows that need what only other tests stage: a file, a connection without a socket, a known consumer, a panic, an offer.
const ELSEWHERE: [&str; 7] = [
    "POST /v1/conversations/{conversation}/files",
    "POST /v1/conversations/load",
    "POST /v1/conversations/{conversation}/unload",
    "POST /v1/connections/{connection}/step-up",
    "POST /v1/conversations/{conversation}/release",
    "POST /v1/rings/{ring}/accept",
    "POST /v1/rings/{ring}/reject",
];

/// A walk over the rows that act.
struct Walk {
    cluster: Cluster,
    done: BTreeSet<String>,
}

impl Walk {
    async fn ask(&self, node: usize, name: &str, path: &str, body: Option<&Value>) -> Answer {
        let method: Method = name.split_once(' ').unwrap().0.parse().unwrap();
        let key = format!("key-{}", self.done.len());
        let header = [("idempotency-key", key.as_str())];
        self.cluster.node(node).request(method, path, &header, body.map(Value::to_string)).await
    }

    /// Asks for `name` at a node that does not run `connection`, and again at the node that does.
    async fn row(&mut self, connection: &str, name: &str, path: &str, body: Option<Value>) -> Value {
        let holder = self.cluster.holder(connection).await;
        let first = self.ask(self.cluster.other_than(holder), name, path, body.as_ref()).await;
        assert!((200..300).contains(&first.status), "{name}: {} {}", first.status, first.text);
        // The same key at another node is the same request.
        let again = self.ask(holder, name, path, body.as_ref()).await;
        assert_eq!(again.status, first.status, "{name}: {}", again.text);
        self.done.insert(name.to_owned());
        first.json
    }

    /// The same for a row of a conversation.
    async fn act(&mut self, name: &str, conversation: &str, connection: &str, body: Value) {
        let path = format!("{}?connection={connection}", row(conversation, name));
        self.row(connection, &format!("POST /v1/conversations/{{conversation}}/{name}"), &path, Some(body)).await;
    }
}

#[actix_rt::test]
async fn every_row_that_acts_does_so_at_a_node_that_does_not_run_the_connection() {
    let cluster = Cluster::start(2, &format!("{BOTS}{ANN}")).await;
    cluster.ready(["bots-1", "bots-2", "bots-3", "ann"]).await;
    let document = cluster.node(0).get("/openapi.json").await.json;
    let mut walk = Walk { cluster, done: BTreeSet::new() };

    let opening = "POST /v1/connections/{connection}/conversations";
    let opened = walk.row("ann", opening, "/v1/connections/ann/conversations", Some(json!({}))).await;
    let id = opened["conversationId"].as_str().unwrap().to_owned();
    for connection in ["bots-1", "bots-2"] {
        let path = format!("/v1/conversations/{id}?connection={connection}");
        walk.cluster.until(0, &path, |one| one["conversationId"] == id.as_str()).await;
    }
    let is_taken =
        |one: &Value| one["assignedAgent"].is_object() || one["participants"].to_string().contains("ASSIGNED");
    walk.cluster.until(1, &format!("/v1/conversations/{id}?connection=bots-1"), is_taken).await;
    walk.act("messages", &id, "bots-1", json!({ "text": "once" })).await;
    walk.act("join", &id, "bots-2", json!({ "role": "MANAGER" })).await;
    walk.act("leave", &id, "bots-2", json!({})).await;
    walk.act("read", &id, "bots-1", json!({ "sequences": [0] })).await;
    walk.act("accept", &id, "bots-1", json!({ "sequences": [0] })).await;
    walk.act("chat-state", &id, "bots-1", json!({ "chatState": "COMPOSING" })).await;
    walk.act("ttr", &id, "bots-1", json!({ "ttrType": "URGENT" })).await;
    walk.act("manual-ettr", &id, "bots-1", json!({ "time": 1_990_000_000_000_i64 })).await;
    walk.act("note", &id, "bots-1", json!({ "noteContent": "once" })).await;
    walk.act("csat", &id, "ann", json!({ "csatRate": 5 })).await;
    walk.act("consumer-takeover", &id, "ann", json!({ "newConsumerUserId": "ann-known" })).await;
    walk.act("transfer", &id, "bots-1", json!({ "skillId": "502" })).await;
    let wire = json!({ "type": "ms.PublishEvent", "body": {
        "dialogId": id, "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "by hand" },
    }});
    let requests = "POST /v1/connections/{connection}/requests";
    walk.row("bots-1", requests, "/v1/connections/bots-1/requests", Some(wire)).await;
    walk.act("close", &id, "bots-1", json!({ "survey": false })).await;

    let added = json!({ "id": "late", "account": "12345678", "role": "consumer" });
    walk.row("bots-1", "POST /v1/connections", "/v1/connections", Some(added)).await;
    let (state, away) = ("PUT /v1/connections/{connection}/agent-state", json!({ "agentState": "AWAY" }));
    walk.row("bots-1", state, "/v1/connections/bots-1/agent-state", Some(away)).await;
    let restart = "POST /v1/connections/{connection}/restart";
    walk.row("late", restart, "/v1/connections/late/restart", None).await;
    let holder = walk.cluster.holder("late").await;
    let to = json!({ "node": NAMES[1 - holder] });
    walk.row("late", "POST /v1/connections/{connection}/move", "/v1/connections/late/move", Some(to)).await;

    let hook = json!({ "url": "https://8.8.8.8/", "enabled": false });
    let made = walk.row("bots-1", "POST /v1/webhooks", "/v1/webhooks", Some(hook)).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let secret = "POST /v1/webhooks/{webhook}/secret";
    walk.row("bots-1", secret, &format!("{path}/secret"), Some(json!({}))).await;
    walk.row("bots-1", "POST /v1/webhooks/{webhook}/test", &format!("{path}/test"), None).await;

    // Work that lasts, whichever node does it.
    let many: Vec<String> = (0..60).map(|_| walk.cluster.emulator.create_conversation(None, None)).collect();
    for connection in ["bots-2", "bots-3"] {
        let path = format!("/v1/conversations?connection={connection}&limit=1000");
        let are_known = |list: &Value| many.iter().all(|id| ids(list, "conversationId").contains(id));
        walk.cluster.until(0, &path, are_known).await;
    }
    let job = json!({ "operation": "close", "filter": { "conversations": many }, "rate": 1 });
    let job = walk.row("bots-1", "POST /v1/bulk", "/v1/bulk", Some(job)).await;
    for act in ["pause", "resume", "cancel"] {
        let path = format!("/v1/bulk/{}/{act}", job["id"].as_str().unwrap());
        walk.row("bots-1", &format!("POST /v1/bulk/{{job}}/{act}"), &path, None).await;
    }

    let letters = walk.cluster.node(0).service.tertulia().dead_letters().clone();
    let reason = || "nobody listens".to_owned();
    letters.put_undelivered("webhook:none", &ConnectionId::from("bots-1"), None, reason(), b"{}");
    let one = walk.cluster.until(1, "/v1/dead-letters", |list| ids(list, "id").len() == 1).await;
    let path = format!("/v1/dead-letters/{}/replay", ids(&one, "id")[0]);
    let name = "POST /v1/dead-letters/{letter}/replay";
    // Its webhook does not exist: both nodes say so.
    let answers = [walk.ask(0, name, &path, None).await, walk.ask(1, name, &path, None).await];
    assert_eq!(answers[0].problem(), answers[1].problem());
    walk.done.insert(name.to_owned());

    walk.row("bots-1", "POST /v1/nodes/{node}/drain", &format!("/v1/nodes/{}/drain", NAMES[0]), None).await;
    walk.row("bots-1", "POST /v1/nodes/rebalance", "/v1/nodes/rebalance", None).await;

    let expected: BTreeSet<String> =
        acting(&document).into_iter().filter(|name| !ELSEWHERE.contains(&name.as_str())).collect();
    assert_eq!(walk.done, expected, "each row that acts is walked, and no other");
    assert_eq!(walk.cluster.emulator.summary().stale_requests, Default::default());
}

#[actix_rt::test]
async fn an_offer_is_listed_and_taken_at_every_node() {
    let cluster = Cluster::start(2, &BOTS.replace("rings = \"accept\"", "rings = \"manual\"")).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let holder = cluster.holder("bots-1").await;
    let other = cluster.other_than(holder);
    for (act, status) in [("reject", 204), ("accept", 200)] {
        cluster.emulator.create_conversation(None, None);
        let is_listed = |list: &Value| list["items"].as_array().is_some_and(|items| items.len() == 1);
        let rings = cluster.until(other, "/v1/rings", is_listed).await;
        let path = format!("/v1/rings/{}/{act}", ids(&rings, "id")[0]);
        // Without the connection, the node finds out who knows the offer.
        let answer = cluster.node(other).post(&path, &Value::Null).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if act == "reject" {
            cluster.until(other, "/v1/rings", |list| list["items"].as_array().is_some_and(Vec::is_empty)).await;
        }
    }
}
