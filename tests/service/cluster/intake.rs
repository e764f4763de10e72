//! Webhooks of the platform at any node, also while the holder of their connection moves, is slow, or is dead.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tertulia_actors::engine::LogBatch;
use tokio::{task::spawn_blocking, time::timeout};

use super::{Cluster, staged::Staged};
use crate::{
    postgres::Database,
    running::{Answer, PATIENCE},
};

const SHOP: &str = r#"
[[connections]]
id = "shop"
account = "12345678"
role = "intake"
login = { app_key = "app", secret = { env = "APP_SECRET" } }
"#;

const ID: &str = "3f6c1a52-8e0d-4b7e-9a41-5c2d7e8f9010";

fn message(sequence: u64) -> String {
    json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {
        "dialogId": ID, "conversationId": ID, "sentTs": 1_000 + sequence, "changes": [{
            "sequence": sequence, "originatorId": "ann", "originatorMetadata": {"id": "ann", "role": "CONSUMER"},
            "serverTimestamp": 1_000 + sequence, "dialogId": ID, "conversationId": ID,
            "event": {"type": "ContentEvent", "contentType": "text/plain", "message": format!("text {sequence}")}}]}})
    .to_string()
}

fn sign(body: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let mut mac = Hmac::<Sha256>::new_from_slice(b"emulator-secret").unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

async fn post(cluster: &Cluster, node: usize, body: String) -> Answer {
    let signature = sign(&body);
    let headers = [("x-liveperson-signature", signature.as_str())];
    cluster.node(node).request(awc::http::Method::POST, "/v1/intake/shop", &headers, Some(body)).await
}

async fn post_all(cluster: &Cluster, nodes: &[usize], sequences: std::ops::Range<u64>) {
    for (sequence, node) in sequences.zip(nodes.iter().cycle()) {
        let answer = post(cluster, *node, message(sequence)).await;
        assert_eq!(answer.status, 200, "{sequence}: {}", answer.text);
    }
}

/// The number of webhooks in the inbox.
async fn kept(cluster: &Cluster) -> i64 {
    let (url, schema) = (cluster.database.url().to_owned(), cluster.database.schema().to_owned());
    let count = move || Database::session_of(&url, &schema).number("SELECT count(*) FROM record WHERE tab = 5");
    spawn_blocking(count).await.unwrap()
}

async fn until_empty(cluster: &Cluster) {
    let emptying = async { while kept(cluster).await > 0 {} };
    timeout(PATIENCE, emptying).await.expect("webhooks stay in the inbox");
}

/// The texts of the first messages in the log.
async fn texts(cluster: &Cluster, node: usize, count: usize) -> Vec<String> {
    let mut reader = cluster.node(node).service.tertulia().journal().reader(0);
    let mut texts = Vec::new();
    let reading = async {
        while texts.len() < count {
            let Some(LogBatch::Events(batch)) = reader.next().await.unwrap() else { panic!("the log has a hole") };
            for event in batch.iter().filter(|event| event.name == "message") {
                let json: Value = serde_json::from_slice(&event.json).unwrap();
                texts.push(json["data"]["body"].as_str().unwrap().to_owned());
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    texts
}

fn expected(count: u64) -> Vec<String> {
    (0..count).map(|sequence| format!("text {sequence}")).collect()
}

#[actix_rt::test]
async fn every_webhook_is_accepted_while_its_holder_is_dead_and_handled_once_in_order() {
    let mut cluster = Cluster::prepare(2, SHOP);
    let holder = Staged::first(&mut cluster, "shop").await;
    holder.die();
    post_all(&cluster, &[0], 0..20).await;
    // A repetition changes nothing.
    assert_eq!(post(&cluster, 0, message(3)).await.status, 200);
    let next = cluster.holder("shop").await;
    post_all(&cluster, &[0, 1], 20..30).await;
    assert_eq!(texts(&cluster, next, 30).await, expected(30));
    until_empty(&cluster).await;
}

#[actix_rt::test]
async fn webhooks_are_accepted_and_handled_once_while_their_connection_moves() {
    let cluster = Cluster::start(2, SHOP).await;
    let first = cluster.holder("shop").await;
    post_all(&cluster, &[0, 1], 0..10).await;
    let to = cluster.other_than(first);
    let moved = cluster.node(to).post("/v1/connections/shop/move", &json!({ "node": super::NAMES[to] })).await;
    assert!((200..300).contains(&moved.status), "{}", moved.text);
    post_all(&cluster, &[0, 1], 10..40).await;
    cluster.until_runs_at("shop", to).await;
    post_all(&cluster, &[0, 1], 40..50).await;
    assert_eq!(texts(&cluster, to, 50).await, expected(50));
    until_empty(&cluster).await;
}

#[actix_rt::test]
async fn a_webhook_whose_holder_does_not_answer_is_kept() {
    let mut cluster = Cluster::prepare(1, SHOP);
    let holder = Staged::first(&mut cluster, "shop").await;
    let (answer, heard) = tokio::join!(post(&cluster, 0, message(0)), holder.hear());
    assert_eq!((answer.status, kept(&cluster).await), (200, 1));
    assert!(heard.text.starts_with("POST /v1/intake/shop "), "{}", heard.text);
    assert_eq!(heard.header("tertulia-hops"), Some("1"));
    let left: u64 = heard.header("tertulia-deadline").unwrap().parse().unwrap();
    assert!(left <= 2_000, "{left}");
    // The next one waits behind it: the holder learns of the first one before.
    let (answer, heard) = tokio::join!(post(&cluster, 0, message(1)), holder.hear());
    assert_eq!((answer.status, kept(&cluster).await), (200, 2));
    let metrics = cluster.node(0).get("/metrics").await.text;
    assert!(metrics.contains("\ntertulia_webhook_inbox 2\n"), "{metrics}");
    assert!(heard.text.starts_with("POST /internal/v1/nudge "), "{}", heard.text);
    assert!(heard.text.ends_with("shop"), "{}", heard.text);
}

#[actix_rt::test]
async fn the_answer_of_the_holder_decides() {
    let mut cluster = Cluster::prepare(1, SHOP);
    let holder = Staged::first(&mut cluster, "shop").await;
    for (status, expected, in_inbox) in
        [("200 OK", 200, 0), ("400 Bad Request", 400, 0), ("421 Misdirected Request", 200, 1)]
    {
        let answering = async { holder.hear().await.answer(status, "").await };
        let (answer, ()) = tokio::join!(post(&cluster, 0, message(0)), answering);
        assert_eq!((answer.status, kept(&cluster).await), (expected, in_inbox), "{status}");
    }
}

#[actix_rt::test]
async fn a_wrong_signature_is_refused_where_it_arrives() {
    let mut cluster = Cluster::prepare(1, SHOP);
    let holder = Staged::first(&mut cluster, "shop").await;
    let wrong = sign("something else");
    for signature in [None, Some("sha1=x"), Some(wrong.as_str())] {
        let headers: Vec<_> = signature.map(|signature| ("x-liveperson-signature", signature)).into_iter().collect();
        let body = Some(message(0));
        let refused = cluster.node(0).request(awc::http::Method::POST, "/v1/intake/shop", &headers, body).await;
        assert_eq!(refused.problem(), (401, "bad-signature"));
    }
    assert_eq!(cluster.node(0).service.tertulia().metrics().webhooks_refused.get(), 3);
    assert!(!holder.was_called().await && kept(&cluster).await == 0);
    let unknown = cluster.node(0).request(awc::http::Method::POST, "/v1/intake/other", &[], Some(message(0))).await;
    assert_eq!(unknown.problem(), (404, "unknown-connection"));
}

#[actix_rt::test]
async fn the_inbox_of_a_removed_connection_is_deleted() {
    let cluster = Cluster::start(1, SHOP).await;
    cluster.holder("shop").await;
    let removed = cluster.node(0).request(awc::http::Method::DELETE, "/v1/connections/shop", &[], None).await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    let refusing = async {
        loop {
            let refused = post(&cluster, 0, message(0)).await;
            // The node does not know yet that the connection has gone.
            if refused.json["code"] != "moving" {
                return refused;
            }
        }
    };
    let refused = timeout(PATIENCE, refusing).await.unwrap();
    assert_eq!((refused.problem(), kept(&cluster).await), ((404, "unknown-connection"), 0));
}
