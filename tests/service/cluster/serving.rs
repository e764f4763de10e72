//! Every node serves every client, wherever a connection runs.

use std::collections::BTreeSet;

use serde_json::json;

use super::{BOTS, Cluster};
use crate::{
    gateway::{ids, messages},
    running::{Answer, client},
};

/// A conversation that the bot takes, with one message of the consumer.
async fn conversation(cluster: &Cluster) -> String {
    let id = cluster.emulator.create_conversation(None, None);
    cluster.emulator.say(&id, "hello").unwrap();
    let path = messages(&id) + "?connection=bots-1";
    cluster.until(0, &path, |answer| answer["items"].as_array().is_some_and(|items| !items.is_empty())).await;
    id
}

async fn say(cluster: &Cluster, node: usize, path: &str, key: &str) -> Answer {
    let body = json!({ "text": format!("answer {key}") }).to_string();
    cluster.node(node).request(awc::http::Method::POST, path, &[("idempotency-key", key)], Some(body)).await
}

#[actix_rt::test]
async fn a_conversation_is_read_and_answered_at_every_node() {
    let cluster = Cluster::start(3, BOTS).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let id = conversation(&cluster).await;
    let path = messages(&id) + "?connection=bots-1";
    for node in 0..3 {
        let read = cluster.node(node).get(&format!("/v1/conversations/{id}?connection=bots-1")).await;
        assert_eq!((read.status, &read.json["conversationId"]), (200, &json!(id)), "{}", read.text);
        // Without the connection, the node finds out who knows the conversation.
        let found = cluster.node(node).get(&format!("/v1/conversations/{id}")).await;
        assert_eq!(found.status, 200, "{}", found.text);
        let said = say(&cluster, node, &path, &format!("k{node}")).await;
        assert_eq!(said.status, 200, "{}", said.text);
        // The same key at another node is the same request.
        let again = say(&cluster, (node + 1) % 3, &path, &format!("k{node}")).await;
        assert_eq!((again.status, again.text), (said.status, said.text));
    }
    let ledger = cluster.emulator.ledger();
    let answers: Vec<String> = ledger.iter().filter_map(|entry| entry.text).collect();
    assert_eq!(answers, ["hello", "answer k0", "answer k1", "answer k2"]);
}

#[actix_rt::test]
async fn lists_have_the_parts_of_all_nodes() {
    let cluster = Cluster::start(3, BOTS).await;
    let holders: BTreeSet<usize> = cluster.ready(["bots-1", "bots-2", "bots-3"]).await.into();
    assert!(holders.len() > 1, "one node has all: {holders:?}");
    let all = ["bots-1", "bots-2", "bots-3"];
    for node in 0..3 {
        let list = cluster.until(node, "/v1/connections", |list| ids(list, "id") == all).await;
        assert!(list.get("incomplete").is_none_or(|nodes| nodes.as_array().unwrap().is_empty()), "{list}");
        let first = cluster.node(node).get("/v1/connections?limit=2").await.json;
        assert_eq!(ids(&first, "id"), all[..2]);
        let cursor = first["nextCursor"].as_str().unwrap();
        let rest = cluster.node(node).get(&format!("/v1/connections?limit=2&cursor={cursor}")).await.json;
        assert_eq!(ids(&rest, "id"), all[2..]);
    }
}

/// An event has one cursor, whichever node gives it out.
#[actix_rt::test]
async fn a_stream_goes_on_at_another_node() {
    let cluster = Cluster::start(3, BOTS).await;
    cluster.ready(["bots-1"]).await;
    let id = cluster.emulator.create_conversation(None, None);
    let path = format!("/v1/events?connection=bots-1&conversation={id}&type=message");
    let mut cursor = None;
    for (node, text) in [(0, "one"), (1, "two"), (2, "three"), (0, "four")] {
        cluster.emulator.say(&id, text).unwrap();
        let headers: Vec<(&str, &str)> =
            cursor.iter().map(|cursor: &String| ("last-event-id", cursor.as_str())).collect();
        let from = if headers.is_empty() { "&after=earliest" } else { "" };
        let mut stream = cluster.node(node).follow(&format!("{path}{from}"), &headers).await;
        let event = stream.told().await.unwrap();
        assert!(event.contains(&format!("\"{text}\"")), "{event}");
        cursor = event.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned);
        assert!(cursor.is_some(), "{event}");
    }
}

#[actix_rt::test]
async fn only_nodes_may_use_the_internal_listener() {
    let cluster = Cluster::start(1, BOTS).await;
    let base = format!("http://127.0.0.1:{}", cluster.ports[0].number);
    for path in ["/v1/connections", "/internal/v1/nudge"] {
        let refused = client().post(format!("{base}{path}")).send().await.unwrap();
        assert_eq!(refused.status(), 401, "{path}");
        let guessed = client().post(format!("{base}{path}")).insert_header(("tertulia-node-secret", "guessed"));
        assert_eq!(guessed.send().await.unwrap().status(), 401, "{path}");
    }
    let nudged =
        client().post(format!("{base}/internal/v1/nudge")).insert_header(("tertulia-node-secret", super::SECRET));
    assert_eq!(nudged.send().await.unwrap().status(), 204);
}
