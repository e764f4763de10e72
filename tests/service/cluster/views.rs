//! What callers and operators see is the same at every node.

#![allow(clippy::panic, reason = "a test fails by a panic")]

use std::{collections::BTreeSet, sync::Arc, thread};

use awc::http::Method;
use serde_json::{Value, json};
use tertulia::cluster::Members;
use tertulia_actors::core::{id::ConnectionId, tenure::LeaseDuration};
use tokio::time::{sleep, timeout};

use super::{BOTS, Cluster, NAMES};
use crate::{
    gateway::ids,
    operations::metrics::{PAGE, are_as_listed, described, listed},
    postgres::about,
    running::{LOOK_EVERY, PATIENCE},
};

/// What differs from node to node, or from moment to moment.
const OWN: [&str; 8] = ["isThis", "silentFor", "uptimeSeconds", "residentBytes", "latency", "frames", "waiting", "at"];
/// Rows that are no JSON or not the service's own, and a stream.
const OTHERS: [&str; 3] = ["/metrics", "/v1/events/socket", "/v1/connections/{connection}/platform/{service}/{path}"];

fn without_own(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !OWN.contains(&name.as_str()));
            members.values_mut().for_each(without_own);
        }
        Value::Array(items) => items.iter_mut().for_each(without_own),
        _ => {}
    }
}

/// Waits until a row gives the same answer at each of three nodes, and returns its status.
async fn same(cluster: &Cluster, path: &str) -> u16 {
    let mut last = Vec::new();
    let asking = async {
        loop {
            let mut now = Vec::new();
            for node in 0..3 {
                let accept = [("accept", "application/json")];
                let answer = cluster.node(node).request(Method::GET, path, &accept, None).await;
                let mut json = answer.json;
                without_own(&mut json);
                now.push((answer.status, json));
            }
            last = now;
            if last[0] == last[1] && last[1] == last[2] {
                return last[0].0;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    let done = timeout(PATIENCE, asking).await;
    done.unwrap_or_else(|_| panic!("{path} differs: {last:#?}"))
}

/// An address of a row, with the names of what there is.
fn address(path: &str, conversation: &str, letter: &str, webhook: &str, job: &str) -> String {
    let filled = path.replace("{connection}", "bots-1").replace("{conversation}", conversation);
    let filled = filled.replace("{letter}", letter).replace("{webhook}", webhook).replace("{job}", job);
    let filled = filled.replace("{node}", NAMES[1]);
    assert!(!filled.contains('{'), "{path} needs a name");
    match path {
        "/v1/conversations/{conversation}/files" => format!("{filled}?path=/none&connection=bots-1"),
        // Several connections see the conversation, each with its own part in it.
        _ if path.starts_with("/v1/conversations/{conversation}") => format!("{filled}?connection=bots-1"),
        "/v1/overview" => format!("{filled}?history=false"),
        "/v1/events" => format!("{filled}?after=earliest"),
        _ => filled,
    }
}

#[actix_rt::test]
async fn every_row_that_is_read_gives_the_same_answer_at_every_node() {
    let cluster = Cluster::start(3, BOTS).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let conversation = cluster.emulator.create_conversation(None, None);
    cluster.emulator.say(&conversation, "hello").unwrap();
    let has_come = |list: &Value| list["items"].as_array().is_some_and(|items| items.len() == 3);
    cluster.until(0, "/v1/conversations", has_come).await;
    let letters = cluster.node(1).service.tertulia().dead_letters();
    letters.put_undelivered("test", &ConnectionId::from("bots-1"), None, "nobody listens".to_owned(), b"{}");
    let letter = ids(&cluster.until(2, "/v1/dead-letters", |list| ids(list, "id").len() == 1).await, "id").remove(0);
    let hook = json!({ "url": "https://8.8.8.8/", "enabled": false });
    let made = cluster.node(0).post("/v1/webhooks", &hook).await;
    let webhook = made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let made = cluster.node(1).post("/v1/bulk", &json!({ "operation": "close", "filter": { "skill": "none" } })).await;
    let job = made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();

    let document = cluster.node(0).get("/openapi.json").await.json;
    let rows = document["paths"].as_object().unwrap().iter().filter(|(_, item)| item.get("get").is_some());
    let rows: BTreeSet<&String> = rows.map(|(path, _)| path).filter(|path| !OTHERS.contains(&path.as_str())).collect();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        let status = same(&cluster, &address(row, &conversation, &letter, &webhook, &job)).await;
        let has_none = row == "/v1/conversations/{conversation}/files";
        assert_eq!(status == 200, !has_none, "{row}: {status}");
    }
}

#[actix_rt::test]
async fn the_overview_and_the_supervision_tree_are_of_all_nodes() {
    let cluster = Cluster::start(3, BOTS).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let id = cluster.emulator.create_conversation(None, None);
    cluster.emulator.say(&id, "hello").unwrap();
    for node in 0..3 {
        let is_whole = |overview: &Value| {
            let minutes = overview["minutes"].as_array().into_iter().flatten();
            let events: u64 = minutes.filter_map(|minute| minute["events"].as_u64()).sum();
            let [awake, asleep] = ["inMemory", "asleep"].map(|kind| overview["conversations"][kind].as_u64());
            // Three bots see the conversation. It sleeps where its connection has moved since.
            overview["connections"]["ready"] == 3
                && awake.zip(asleep).is_some_and(|(awake, asleep)| awake + asleep == 3)
                && overview["counts"]["events"].as_u64() == Some(events)
                && events >= 3
        };
        let overview = cluster.until(node, "/v1/overview", is_whole).await;
        assert_eq!((&overview["nodes"], overview.get("incomplete")), (&json!(3), None));
        let started = overview["notable"].as_array().unwrap().iter().filter(|event| event["kind"] == "service-started");
        let nodes: BTreeSet<&str> = started.map(|event| event["data"]["node"].as_str().unwrap()).collect();
        assert_eq!(nodes, BTreeSet::from(["a", "b", "c"]));
        let tree = cluster.node(node).get("/v1/supervision").await.json;
        let connections = tree["connections"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap());
        assert_eq!(connections.collect::<Vec<_>>(), ["bots-1", "bots-2", "bots-3"]);
    }
}

/// The moves to a node that a node knows of.
fn moves_to<'v>(nodes: &'v Value, to: &str) -> Vec<&'v Value> {
    nodes["moves"].as_array().into_iter().flatten().filter(|made| made["to"] == to).collect()
}

#[actix_rt::test]
async fn nodes_say_what_they_have_taken_from_whom_and_why() {
    let mut cluster = Cluster::start(2, BOTS).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    // Each node also says what the other one has taken.
    let has_first =
        |node: usize| move |nodes: &Value| moves_to(nodes, NAMES[node]).iter().any(|made| made["cause"] == "first");
    let is_of_first = [0, 1].map(|node| has_first(node));
    let all = cluster.until(1, "/v1/nodes", |nodes| is_of_first.iter().any(|is_first| is_first(nodes))).await;
    let first = if is_of_first[0](&all) { 0 } else { 1 };
    cluster.until(1 - first, &format!("/v1/nodes/{}", NAMES[first]), has_first(first)).await;

    let from = cluster.holder("bots-1").await;
    let to = cluster.other_than(from);
    let moved = json!({ "node": NAMES[to] });
    assert_eq!(cluster.node(to).post("/v1/connections/bots-1/move", &moved).await.status, 202);
    let is_handed_over = |nodes: &Value| {
        moves_to(nodes, NAMES[to])
            .iter()
            .any(|made| made["duty"] == "connection/bots-1" && made["cause"] == "handed-over")
    };
    cluster.until(from, "/v1/nodes", is_handed_over).await;

    // The node may have handed another connection over for it, and has at least one.
    let (lost, holder) = (to, from);
    cluster.fence(lost).await;
    let is_taken_over = |nodes: &Value| {
        let is_lost = |made: &&Value| made["cause"] == "node-lost" && made["from"] == NAMES[lost];
        let own = &nodes["items"][0]["duties"];
        let has_all = ["bots-1", "bots-2", "bots-3"]
            .iter()
            .all(|id| own.as_array().is_some_and(|own| own.contains(&json!(format!("connection/{id}")))));
        has_all && moves_to(nodes, NAMES[holder]).iter().any(is_lost)
    };
    cluster.until(holder, "/v1/nodes", is_taken_over).await;
    let metrics = cluster.node(holder).get("/metrics").await.text;
    are_as_listed(&described(&metrics), &listed(PAGE));
    let value = |series: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {metrics}")).parse::<f64>().unwrap()
    };
    assert!(value("tertulia_takeovers_total{cause=\"node-lost\"}") >= 1.0);
    assert!(value("tertulia_takeover_seconds_count") >= 1.0);
    assert_eq!(value("tertulia_nodes{standing=\"valid\"}"), 1.0);
    assert_eq!(value("tertulia_duties{kind=\"connection\",standing=\"here\"}"), 3.0);
    assert!(value("tertulia_beat_seconds_count") > 0.0 && value("tertulia_tenure_seconds_left") > 0.0);
    assert!(value("tertulia_forwarded_total{outcome=\"answered\"}") >= 1.0);
}

#[actix_rt::test]
async fn a_drained_node_takes_connections_again_when_asked_to() {
    let cluster = Cluster::start(2, BOTS).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let drained = |is: bool| move |nodes: &Value| nodes["items"].as_array().unwrap()[0]["draining"] == is;
    assert_eq!(cluster.node(1).post("/v1/nodes/a/drain", &Value::Null).await.status, 202);
    cluster.until(1, "/v1/nodes", drained(true)).await;
    let asked = cluster.node(1).post("/v1/nodes/rebalance", &Value::Null).await;
    assert_eq!((asked.status, asked.json), (200, json!({ "incomplete": [] })));
    cluster.until(1, "/v1/nodes", drained(false)).await;
    let has_some = |node: &Value| node["duties"].as_array().is_some_and(|duties| !duties.is_empty());
    cluster.until(1, "/v1/nodes/a", has_some).await;
}

/// A connection that only one node may run.
const PINNED: &str = r#"
[[connections]]
id = "pinned"
account = "12345678"
role = "brand"
login = { username = "bot1", password = { env = "PASSWORD" } }
nodes = { only = ["a"] }
"#;

#[actix_rt::test]
async fn a_connection_that_no_node_runs_is_listed_at_every_node() {
    let mut cluster = Cluster::start(2, PINNED).await;
    assert_eq!(cluster.holder("pinned").await, 0);
    cluster.stop(0).await;
    let is_listed = |list: &Value| list["items"][0]["state"] == "moving";
    let list = cluster.until(1, "/v1/connections", is_listed).await;
    let pinned = &list["items"][0];
    assert_eq!((&pinned["id"], &pinned["role"], &pinned["since"]), (&json!("pinned"), &json!("brand"), &Value::Null));
    let is_counted = |overview: &Value| overview["connections"]["moving"] == 1 && overview["connections"]["total"] == 1;
    cluster.until(1, "/v1/overview", is_counted).await;
    // A ready node: it has tried all that it may run.
    cluster.until(1, "/readyz", |ready| ready["ready"] == true).await;
}

#[actix_rt::test]
async fn a_node_that_does_not_answer_is_named_in_lists() {
    let cluster = Cluster::start(1, BOTS).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    // A node that beats, and that nobody reaches. Its sessions have runtimes of their own.
    let parts = thread::scope(|scope| scope.spawn(|| cluster.database.join("z")).join().unwrap());
    let nodes = Arc::clone(&parts.nodes);
    let beating = Members::start(nodes, parts.tenure.clone(), LeaseDuration::default(), about()).unwrap();
    cluster.until(0, "/v1/nodes", |nodes| ids(nodes, "id") == ["a", "z"]).await;
    for path in ["/v1/connections", "/v1/conversations", "/v1/rings", "/v1/overview", "/v1/supervision", "/v1/nodes"] {
        let answer = cluster.node(0).get(path).await;
        assert_eq!((answer.status, &answer.json["incomplete"]), (200, &json!(["z"])), "{path}");
    }
    // What the others know of it.
    let seen = cluster.node(0).get("/v1/nodes/z").await;
    assert_eq!((seen.status, &seen.json["moves"]), (200, &Value::Null), "{}", seen.text);
    let ending = move || {
        beating.stop();
        drop((beating, parts));
    };
    thread::spawn(ending).join().unwrap();
}

#[actix_rt::test]
async fn a_log_read_at_changing_nodes_by_one_cursor_has_every_event_once() {
    let cluster = Cluster::start(3, BOTS).await;
    cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let id = cluster.emulator.create_conversation(None, None);
    let texts: Vec<String> = (0..30).map(|number| format!("message {number}")).collect();
    let (mut cursor, mut seen, mut said) = ("earliest".to_owned(), Vec::new(), texts.iter());
    let (mut offsets, mut node) = (Vec::new(), 0);
    let reading = async {
        while seen.len() < texts.len() {
            if let Some(text) = said.next() {
                cluster.emulator.say(&id, text).unwrap();
            }
            let path = format!("/v1/events?after={cursor}&limit=3");
            let accept = [("accept", "application/json")];
            let page = cluster.node(node).request(Method::GET, &path, &accept, None).await.json;
            node = (node + 1) % 3;
            cursor = page["cursor"].as_str().unwrap().to_owned();
            for event in page["items"].as_array().unwrap() {
                let offset = event["id"].as_str().unwrap().rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
                offsets.push(offset);
                if event["connection"] == "bots-1"
                    && let Some(body) = event["data"]["body"].as_str()
                {
                    seen.push(body.to_owned());
                }
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    assert_eq!(seen, texts);
    let expected: Vec<u64> = (offsets[0]..offsets[0] + offsets.len() as u64).collect();
    assert_eq!(offsets, expected, "no event is missing and none is there twice");
}
