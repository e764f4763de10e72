//! Requests that do not name a connection: the nodes find out whose they are.

use std::collections::BTreeSet;

use serde_json::json;

use super::{BOTS, Cluster, staged::Staged};
use crate::{
    gateway::{ids, messages},
    running::Answer,
};

async fn conversation(cluster: &Cluster, connections: &[&str]) -> String {
    let id = cluster.emulator.create_conversation(None, None);
    cluster.emulator.say(&id, "hello").unwrap();
    for connection in connections {
        let path = format!("/v1/conversations/{id}?connection={connection}");
        cluster.until(0, &path, |answer| answer["conversationId"] == id).await;
    }
    id
}

async fn keyed(cluster: &Cluster, node: usize, path: &str, key: &str) -> Answer {
    cluster.node(node).request(awc::http::Method::POST, path, &[("idempotency-key", key)], None).await
}

#[actix_rt::test]
async fn an_action_in_a_conversation_that_connections_of_several_nodes_see_is_ambiguous() {
    let cluster = Cluster::start(3, BOTS).await;
    let all = ["bots-1", "bots-2", "bots-3"];
    let holders: BTreeSet<usize> = cluster.ready(all).await.into();
    assert!(holders.len() > 1, "one node has all: {holders:?}");
    let id = conversation(&cluster, &all).await;
    for node in 0..3 {
        let refused = cluster.node(node).post(&messages(&id), &json!({ "text": "answer" })).await;
        assert_eq!(refused.problem(), (409, "ambiguous-connection"));
        assert_eq!(refused.json["connections"], json!(all));
        let read = cluster.node(node).get(&messages(&id)).await;
        assert_eq!(read.status, 200, "{}", read.text);
    }
}

#[actix_rt::test]
async fn a_conversation_is_found_again_after_its_connection_has_moved() {
    let only = BOTS.split("[[connections]]").nth(1).map(|bot| format!("[[connections]]{bot}")).unwrap();
    let cluster = Cluster::start(2, &only).await;
    let [holder] = cluster.ready(["bots-1"]).await;
    let id = conversation(&cluster, &["bots-1"]).await;
    let say = async |node: usize, text: &str| {
        let answer = cluster.node(node).post(&messages(&id), &json!({ "text": text })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    say(0, "one").await;
    say(1, "two").await;
    let to = cluster.other_than(holder);
    let moved = cluster.node(to).post("/v1/connections/bots-1/move", &json!({ "node": super::NAMES[to] })).await;
    assert!((200..300).contains(&moved.status), "{}", moved.text);
    cluster.until_runs_at("bots-1", to).await;
    say(0, "three").await;
    say(1, "four").await;
    let said: Vec<String> = cluster.emulator.ledger().iter().filter_map(|entry| entry.text).collect();
    assert_eq!(said, ["hello", "one", "two", "three", "four"]);
    // Once all nodes know that the move is over.
    cluster.until(0, &messages("nobody-knows-it"), |answer| answer["code"] == "unknown-conversation").await;
}

#[actix_rt::test]
async fn a_dead_letter_is_replayed_where_its_connection_is() {
    const SHOP: &str = r#"
[[connections]]
id = "shop"
account = "12345678"
role = "intake"
login = { app_key = "app", secret = { env = "APP_SECRET" } }
"#;
    let cluster = Cluster::start(2, SHOP).await;
    let holder = cluster.holder("shop").await;
    let shop = cluster.node(holder).service.tertulia().connection(&"shop".into());
    // Until it has looked into its inbox it takes nothing.
    while matches!(
        shop.receive_notification("no notification".into()).await,
        Err(tertulia_actors::connection::ConnectionError::Overloaded(_))
    ) {
        tokio::task::yield_now().await;
    }
    let other = cluster.other_than(holder);
    let letters = cluster.until(other, "/v1/dead-letters", |letters| ids(letters, "id").len() == 1).await;
    let path = format!("/v1/dead-letters/{}/replay", ids(&letters, "id")[0]);
    let replayed = keyed(&cluster, other, &path, "k1").await;
    assert_eq!(replayed.status, 204, "{}", replayed.text);
    assert_eq!(keyed(&cluster, other, &path, "k1").await.status, 204, "once, at whichever node");
    assert_eq!(keyed(&cluster, holder, &path, "k1").await.status, 204);
    // The letter failed again and is a new one.
    let newer = cluster.until(other, "/v1/dead-letters", |letters| ids(letters, "id").len() == 1).await;
    assert_ne!(ids(&newer, "id"), ids(&letters, "id"));
}

#[actix_rt::test]
async fn a_ring_is_looked_for_at_all_nodes_at_once() {
    let mut cluster = Cluster::prepare(2, &BOTS.replace("rings = \"accept\"", "rings = \"manual\""));
    let staged = Staged::first(&mut cluster, "bots-2").await;
    let holder = cluster.holder("bots-1").await;
    let other = cluster.other_than(holder);
    cluster.emulator.create_conversation(None, None);
    let rings = "/v1/rings?connection=bots-1";
    let rings = cluster.until(holder, rings, |rings| ids(rings, "id").len() == 1).await;
    let path = format!("/v1/rings/{}/accept", ids(&rings, "id")[0]);
    // The staged node is asked and does not answer. Another node knows the ring.
    let asked = async { staged.hear().await.text };
    let (accepted, asked) = tokio::join!(keyed(&cluster, other, &path, "k1"), asked);
    assert!(asked.starts_with("GET /internal/v1/find-ring/"), "{asked}");
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    // Nobody knows a ring, so the node that does not answer may have it.
    let (unknown, _) = tokio::join!(keyed(&cluster, other, "/v1/rings/no-ring/accept", "k2"), staged.hear());
    assert_eq!(unknown.problem(), (503, "node-away"));
}
