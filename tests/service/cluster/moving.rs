//! Connections move from node to node, and nothing is lost or done twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{BOTS, Cluster};
use crate::gateway::{ids, messages};

fn texts(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().into_iter().flatten().filter_map(|item| item["body"].as_str()).collect()
}

#[actix_rt::test]
async fn the_connections_of_a_fenced_node_go_on_elsewhere() {
    let mut cluster = Cluster::start(2, BOTS).await;
    let [holder] = cluster.ready(["bots-1"]).await;
    let id = cluster.emulator.create_conversation(None, None);
    let path = messages(&id) + "?connection=bots-1";
    cluster.emulator.say(&id, "before").unwrap();
    cluster.until(holder, &path, |answer| texts(answer) == ["before"]).await;
    cluster.fence(holder).await;
    cluster.emulator.say(&id, "after").unwrap();
    let next = cluster.holder("bots-1").await;
    assert_ne!(next, holder);
    cluster.until(next, &path, |answer| texts(answer) == ["before", "after"]).await;
    // The fenced node joins again, and serves what another node has.
    cluster.begin(holder).await;
    let answered = cluster.node(holder).post(&path, &json!({ "text": "answer" })).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    assert_eq!(cluster.emulator.summary().stale_requests, BTreeMap::new());
}

#[actix_rt::test]
async fn a_stopped_node_hands_its_connections_over() {
    let mut cluster = Cluster::start(2, BOTS).await;
    let [holder] = cluster.ready(["bots-1"]).await;
    let id = cluster.emulator.create_conversation(None, None);
    let path = messages(&id) + "?connection=bots-1";
    cluster.emulator.say(&id, "before").unwrap();
    cluster.until(holder, &path, |answer| texts(answer) == ["before"]).await;
    cluster.stop(holder).await;
    let next = cluster.other_than(holder);
    cluster.emulator.say(&id, "after").unwrap();
    cluster.until(next, &path, |answer| texts(answer) == ["before", "after"]).await;
    assert_eq!(cluster.emulator.summary().stale_requests, BTreeMap::new());
    cluster.until(next, "/v1/nodes", |nodes| ids(nodes, "id") == [super::NAMES[next]]).await;
}

#[actix_rt::test]
async fn a_connection_moves_when_asked_to() {
    let cluster = Cluster::start(2, BOTS).await;
    let [holder] = cluster.ready(["bots-2"]).await;
    let to = cluster.other_than(holder);
    let moved = cluster.node(to).post("/v1/connections/bots-2/move", &json!({ "node": super::NAMES[to] })).await;
    assert!((200..300).contains(&moved.status), "{}", moved.text);
    let duties = |nodes: &Value| {
        let node = nodes["items"].as_array()?.iter().find(|node| node["id"] == super::NAMES[to])?;
        Some(node["duties"].as_array()?.contains(&json!("connection/bots-2")))
    };
    cluster.until(holder, "/v1/nodes", |nodes| duties(nodes) == Some(true)).await;
    assert_eq!(cluster.holder("bots-2").await, to);
    assert_eq!(cluster.emulator.summary().stale_requests, BTreeMap::new());
}
