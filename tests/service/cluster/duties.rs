//! Webhooks, bulk jobs and housekeeping move from node to node, and bulk jobs act at every node.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use awc::http::Method;
use serde_json::{Value, json};
use tertulia_actors::engine::LogBatch;
use tokio::time::timeout;

use super::{BOTS, Cluster, NAMES};
use crate::{
    bulk::scene,
    running::PATIENCE,
    webhooks::receiver::{Behaviour, Received, Receiver},
};

/// Receivers are on this machine.
const WEBHOOKS: &str = "[webhooks]\nallow_internal = true\n";

/// The duties of a node, as `/v1/nodes` lists them.
fn duties<'a>(nodes: &'a Value, name: &str) -> Vec<&'a str> {
    let node = nodes["items"].as_array().into_iter().flatten().find(|node| node["id"] == name);
    node.into_iter().flat_map(|node| node["duties"].as_array().unwrap()).filter_map(Value::as_str).collect()
}

/// Waits until a duty has a holder in the eyes of the node `at`, and returns the number of the holder.
async fn holder(cluster: &Cluster, at: usize, duty: &str) -> usize {
    let find = |nodes: &Value| NAMES.iter().position(|name| duties(nodes, name).contains(&duty));
    let nodes = cluster.until(at, "/v1/nodes", |nodes| find(nodes).is_some()).await;
    find(&nodes).unwrap()
}

async fn webhook(cluster: &Cluster, node: usize, receiver: &Receiver) -> String {
    let filter = json!({ "type": ["message"], "connection": ["bots-1"] });
    let body = json!({ "url": receiver.url(), "filter": filter });
    let made = cluster.node(node).post("/v1/webhooks", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["id"].as_str().unwrap().to_owned()
}

/// What consumers say in each conversation, with the number of the next message.
struct Talk {
    conversations: Vec<String>,
    said: usize,
}

impl Talk {
    async fn begin(cluster: &Cluster) -> Self {
        let conversations = (0..4).map(|_| cluster.emulator.create_conversation(None, None)).collect();
        let mut talk = Self { conversations, said: 0 };
        talk.go_on(cluster, 1);
        talk
    }

    fn go_on(&mut self, cluster: &Cluster, rounds: usize) {
        for _ in 0..rounds {
            for conversation in &self.conversations {
                cluster.emulator.say(conversation, &format!("{:03}", self.said)).unwrap();
            }
            self.said += 1;
        }
    }

    /// Waits until the receiver has accepted everything that was said.
    async fn heard(&self, receiver: &Receiver) {
        let all = self.said * self.conversations.len();
        receiver.until(|received| texts(received).values().map(|texts| distinct(texts)).sum::<usize>() >= all).await;
    }
}

fn texts(received: &[Received]) -> BTreeMap<String, Vec<String>> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Received { event, .. } in received.iter().filter(|received| received.accepted) {
        let text = event["data"]["body"].as_str().unwrap().to_owned();
        texts.entry(event["subject"].as_str().unwrap().to_owned()).or_default().push(text);
    }
    texts
}

fn distinct(texts: &[String]) -> usize {
    texts.iter().collect::<HashSet<_>>().len()
}

/// That each conversation was delivered in order, and at most `repeated` of its events twice.
fn assert_in_order(receiver: &Receiver, repeated: usize) {
    for (conversation, texts) in texts(&receiver.received()) {
        assert!(texts.is_sorted(), "{conversation}: {texts:?}");
        assert!(texts.len() - distinct(&texts) <= repeated, "{conversation}: {texts:?}");
    }
}

#[actix_rt::test]
async fn a_drained_node_hands_all_duties_over_and_takes_them_back_once_the_other_drains() {
    let mut cluster = Cluster::start(2, &format!("{BOTS}{WEBHOOKS}")).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let receiver = Receiver::willing();
    let first = holder(&cluster, 0, "webhooks").await;
    let id = webhook(&cluster, 1 - first, &receiver).await;
    let mut talk = Talk::begin(&cluster).await;
    let all =
        ["bulk", "connection/bots-1", "connection/bots-2", "connection/bots-3", "housekeeping", "webhooks"].into();
    let mut from = first;
    for _ in 0..2 {
        let to = 1 - from;
        talk.go_on(&cluster, 5);
        let drained = cluster.node(to).post(&format!("/v1/nodes/{}/drain", NAMES[from]), &json!({})).await;
        assert_eq!(drained.status, 202, "{}", drained.text);
        cluster
            .until(to, "/v1/nodes", |nodes| duties(nodes, NAMES[to]).into_iter().collect::<BTreeSet<_>>() == all)
            .await;
        // The node without the duty serves requests about it by asking the other.
        let path = format!("/v1/webhooks/{id}");
        let changed = cluster.node(from).request(Method::PATCH, &path, &[], Some("{}".to_owned())).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(cluster.node(from).get("/v1/bulk").await.status, 200);
        talk.go_on(&cluster, 1);
        talk.heard(&receiver).await;
        // A restart ends the drain.
        cluster.stop(from).await;
        cluster.begin(from).await;
        from = to;
    }
    assert_in_order(&receiver, 0);
}

#[actix_rt::test]
async fn webhooks_whose_holder_is_stopped_are_delivered_once() {
    let mut cluster = Cluster::start(2, &format!("{BOTS}{WEBHOOKS}")).await;
    cluster.ready(["bots-1"]).await;
    let receiver = Receiver::willing();
    webhook(&cluster, 0, &receiver).await;
    let mut talk = Talk::begin(&cluster).await;
    talk.heard(&receiver).await;
    let first = holder(&cluster, 0, "webhooks").await;
    talk.go_on(&cluster, 10);
    cluster.stop(first).await;
    talk.go_on(&cluster, 5);
    talk.heard(&receiver).await;
    assert_in_order(&receiver, 0);
}

#[actix_rt::test]
async fn webhooks_whose_holder_is_fenced_repeat_at_most_one_event_of_each_conversation() {
    let mut cluster = Cluster::start(2, &format!("{BOTS}{WEBHOOKS}")).await;
    cluster.ready(["bots-1"]).await;
    let receiver = Receiver::willing();
    webhook(&cluster, 0, &receiver).await;
    let mut talk = Talk::begin(&cluster).await;
    talk.heard(&receiver).await;
    let first = holder(&cluster, 0, "webhooks").await;
    talk.go_on(&cluster, 10);
    cluster.fence(first).await;
    talk.go_on(&cluster, 5);
    talk.heard(&receiver).await;
    cluster.begin(first).await;
    talk.go_on(&cluster, 1);
    talk.heard(&receiver).await;
    assert_in_order(&receiver, 1);
}

/// The configuration `bots`, in which the connection `id` runs on one node only.
fn only_on(node: usize, id: &str, bots: &str) -> String {
    let (id, node) = (format!("id = \"{id}\"\n"), NAMES[node]);
    bots.replace(&id, &format!("{id}nodes = {{ only = [\"{node}\"] }}\n"))
}

/// The names of the first commands that were sent, by the log.
async fn sent(cluster: &Cluster, count: usize) -> BTreeSet<String> {
    let mut reader = cluster.node(0).service.tertulia().journal().reader(0);
    let mut names = Vec::new();
    let reading = async {
        while names.len() < count {
            let Some(LogBatch::Events(batch)) = reader.next().await.unwrap() else { panic!("the log has a hole") };
            for event in batch.iter().filter(|event| event.name == "command-sent") {
                let json: Value = serde_json::from_slice(&event.json).unwrap();
                names.push(json["data"]["command"].as_str().unwrap().to_owned());
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    names.into_iter().collect()
}

#[actix_rt::test]
async fn a_reply_is_carried_out_at_the_node_of_its_conversation() {
    let cluster = Cluster::start(2, &format!("{}{WEBHOOKS}", only_on(0, "bots-1", BOTS))).await;
    cluster.ready(["bots-1"]).await;
    // The bot stays where it is, because no other node can run it.
    let drained = cluster.node(0).post(&format!("/v1/nodes/{}/drain", NAMES[0]), &json!({})).await;
    assert_eq!(drained.status, 202, "{}", drained.text);
    cluster.until(0, "/v1/nodes", |nodes| duties(nodes, NAMES[1]).contains(&"webhooks")).await;
    let receiver = Receiver::start(|received| match received.event["data"]["body"].as_str() {
        Some("question") => Behaviour::Say(json!({ "messages": [{ "text": "answer" }], "typing": true }).to_string()),
        _ => Behaviour::Answer(204),
    });
    let filter = json!({ "type": ["message"], "connection": ["bots-1"] });
    let body = json!({ "url": receiver.url(), "filter": filter, "replies": true });
    assert_eq!(cluster.node(0).post("/v1/webhooks", &body).await.status, 201);
    let id = cluster.emulator.create_conversation(None, None);
    cluster.emulator.say(&id, "question").unwrap();
    receiver.until(|received| received.iter().any(|one| one.event["data"]["body"] == "answer")).await;
    assert_eq!(cluster.ready(["bots-1"]).await, [0]);
    let said: Vec<String> = cluster.emulator.ledger().iter().filter_map(|entry| entry.text).collect();
    assert_eq!(said, ["question", "answer"]);
    assert_eq!(sent(&cluster, 2).await, ["chat-state", "send-text"].map(str::to_owned).into());
}

#[actix_rt::test]
async fn bulk_jobs_close_conversations_of_both_nodes_once_although_their_holder_is_fenced() {
    const COUNT: usize = 60;
    let mut cluster = Cluster::start(2, &only_on(0, "bots-2", &only_on(1, "bots-3", BOTS))).await;
    assert_eq!(cluster.ready(["bots-2", "bots-3"]).await, [0, 1]);
    let mut ids = scene::opened(&cluster.emulator, COUNT, None);
    let first = holder(&cluster, 0, "bulk").await;
    let mut jobs = Vec::new();
    for connection in ["bots-2", "bots-3"] {
        scene::seen(cluster.node(1 - first), connection, COUNT).await;
    }
    for (connection, part) in ["bots-2", "bots-3"].iter().zip(ids.chunks(COUNT / 2)) {
        let filter = json!({ "connection": connection, "conversations": part });
        let order = json!({ "operation": "close", "filter": filter, "rate": 20 });
        jobs.push(scene::begun(cluster.node(1 - first), &order).await);
    }
    for job in &jobs {
        scene::until(cluster.node(1 - first), job, |job| job["done"].as_u64() >= Some(3)).await;
    }
    cluster.fence(first).await;
    cluster.begin(first).await;
    for job in &jobs {
        for node in [0, 1] {
            let job = scene::finished(cluster.node(node), job).await;
            let counts = ["matched", "done", "refused", "unknown", "left"].map(|name| job[name].as_u64());
            assert_eq!(counts, [COUNT as u64 / 2, COUNT as u64 / 2, 0, 0, 0].map(Some), "{job}");
        }
    }
    ids.sort_unstable();
    scene::assert_each_once(&cluster.emulator, &ids);
}

#[actix_rt::test]
async fn an_added_connection_is_learnt_by_the_node_that_is_to_run_it() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("password");
    std::fs::write(&secret, "secret").unwrap();
    let gateway =
        format!("[gateway]\nlisten = \"127.0.0.1:0\"\nsecrets = [\"{}/*\"]\n", directory.path().to_str().unwrap());
    let cluster = Cluster::start(2, &format!("{BOTS}{gateway}")).await;
    cluster.ready(["bots-1"]).await;
    let definition = json!({
        "id": "added",
        "account": "12345678",
        "role": "brand",
        "login": { "username": "bot4", "password": { "file": secret.to_str().unwrap() } },
        "nodes": { "only": [NAMES[1]] },
    });
    let added = cluster.node(0).post("/v1/connections", &definition).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(cluster.holder("added").await, 1);
    cluster.until(0, "/v1/connections/added", |found| found["state"] == "ready").await;
}
