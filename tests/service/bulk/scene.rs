//! A manager who sees the whole account, conversations of simulated consumers, and what the platform was asked.

use std::collections::BTreeMap;

use awc::http::Method;
use serde_json::{Value, json};
use tertulia_emulator::{ChangeRequest, Emulator};
use tokio::time::{sleep, timeout};

use crate::running::{Answer, LOOK_EVERY, PATIENCE, Running};

/// Sees every conversation of the account and takes none.
pub(crate) const MANAGER: &str = r#"
[[connections]]
id = "manager"
account = "12345678"
role = "brand"
login = { username = "bot4", password = { env = "PASSWORD" } }
subscribe = { agents = "all" }
"#;

/// Opens conversations.
pub(crate) fn opened(emulator: &Emulator, count: usize, skill: Option<&str>) -> Vec<String> {
    let mut ids: Vec<String> = (0..count).map(|_| emulator.create_conversation(None, skill)).collect();
    ids.sort_unstable();
    ids
}

/// A running manager that sees `count` open conversations.
pub(crate) async fn manager(count: usize) -> (Running, Vec<String>) {
    let running = Running::start(MANAGER);
    running.ready("manager").await;
    let ids = opened(&running.emulator, count, None);
    seen(&running, "manager", count).await;
    (running, ids)
}

/// Waits until a connection sees so many conversations, and the store has them.
pub(crate) async fn seen(running: &Running, connection: &str, count: usize) {
    let order = json!({ "operation": "close", "filter": { "connection": connection }, "dryRun": true });
    let seen = async {
        loop {
            let answer = running.post("/v1/bulk", &order).await;
            if answer.json["matched"].as_u64() >= Some(count as u64) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, seen).await.unwrap();
}

/// Asks for a job; its id.
pub(crate) async fn begun(running: &Running, order: &Value) -> String {
    let answer = running.post("/v1/bulk", order).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn job(running: &Running, id: &str) -> Value {
    let answer = running.get(&format!("/v1/bulk/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

/// Waits until a job is as wanted. While its node still loads the jobs of another one, the service says so.
pub(crate) async fn until(running: &Running, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let reached = async {
        loop {
            let answer = running.get(&format!("/v1/bulk/{id}")).await;
            let is_loading = answer.status == 503 && answer.json["code"] == "not-connected";
            assert!(is_loading || answer.status == 200, "{}", answer.text);
            if answer.status == 200 && wanted(&answer.json) {
                return answer.json;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    match timeout(PATIENCE, reached).await {
        Ok(job) => job,
        Err(_) => panic!("the job did not come so far: {}", job(running, id).await),
    }
}

pub(crate) async fn finished(running: &Running, id: &str) -> Value {
    until(running, id, |job| job["state"] == "finished").await
}

pub(crate) async fn told(running: &Running, id: &str, what: &str) -> Answer {
    running.request(Method::POST, &format!("/v1/bulk/{id}/{what}"), &[], None).await
}

/// All items of a job, page by page: conversation, outcome, code.
pub(crate) async fn items(running: &Running, id: &str, query: &str) -> Vec<[String; 3]> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = running.get(&format!("/v1/bulk/{id}/items?limit=7{query}{cursor}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let page = answer.json["items"].as_array().unwrap().iter();
        items.extend(page.map(|item| ["conversation", "outcome", "code"].map(|name| text(&item[name]))));
        match answer.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// How often the platform took and how often it refused a change of each conversation.
pub(crate) fn changed(emulator: &Emulator) -> BTreeMap<String, (usize, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for ChangeRequest { conversation, accepted, .. } in emulator.changes() {
        let (taken, refused) = counts.entry(conversation).or_default();
        *if accepted { taken } else { refused } += 1;
    }
    counts
}

/// That each of these was changed once, nothing else was, and nothing was refused.
pub(crate) fn assert_each_once(emulator: &Emulator, conversations: &[String]) {
    let expected = conversations.iter().map(|id| (id.clone(), (1, 0))).collect();
    assert_eq!(changed(emulator), expected);
}
