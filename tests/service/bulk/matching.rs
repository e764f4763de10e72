//! Which conversations a job is for.

use serde_json::{Value, json};

use super::scene::{MANAGER, assert_each_once, begun, changed, finished, items, manager, opened, seen};
use crate::running::{BOT, Running, until};

async fn would_match(running: &Running, filter: Value) -> Value {
    let answer = running.post("/v1/bulk", &json!({ "operation": "close", "filter": filter, "dryRun": true })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

fn conversations(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["conversation"].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test]
async fn a_dry_run_tells_what_matches_and_does_nothing() {
    let running = Running::start(&format!("{MANAGER}{BOT}"));
    running.ready("manager").await;
    running.ready("bots-1").await;
    let in_501 = opened(&running.emulator, 3, Some("501"));
    let in_502 = opened(&running.emulator, 2, Some("502"));
    seen(&running, "bots-1", 5).await;
    seen(&running, "manager", 5).await;

    let answer = would_match(&running, json!({ "skill": "501" })).await;
    assert_eq!(conversations(&answer), in_501);
    assert_eq!(answer["byConnection"], json!({ "bots-1": 3 }), "each once, by the agent who has it");
    let answer = would_match(&running, json!({ "skill": "502", "connection": "manager" })).await;
    assert_eq!((conversations(&answer), &answer["byConnection"]), (in_502.clone(), &json!({ "manager": 2 })));
    let matched = |answer: Value| answer["matched"].as_u64().unwrap();
    for (filter, expected) in [
        (json!({ "all": true }), 5),
        (json!({ "stage": "OPEN" }), 5),
        (json!({ "stage": "CLOSE" }), 0),
        (json!({ "agent": "nobody" }), 0),
        (json!({ "updatedBefore": "2020-01-01T00:00:00Z" }), 0),
        (json!({ "startedBefore": "2100-01-01T00:00:00Z" }), 5),
        (json!({ "skill": "501", "conversations": [in_501[0], in_502[0]] }), 1),
    ] {
        assert_eq!(matched(would_match(&running, filter.clone()).await), expected, "{filter}");
    }
    let answer = would_match(&running, json!({ "conversations": ["none", in_501[0]] })).await;
    assert_eq!((answer["matched"].as_u64(), answer["unseen"].as_u64()), (Some(2), Some(1)));
    let assigned = running.get(&format!("/v1/conversations/{}?connection=manager", in_501[0])).await.json;
    let agent = assigned["assignedAgent"]["userId"].as_str().unwrap();
    assert_eq!(matched(would_match(&running, json!({ "agent": agent })).await), 5);

    assert!(changed(&running.emulator).is_empty());
    assert!(running.get("/v1/bulk").await.json["items"].as_array().unwrap().is_empty());
}

#[actix_rt::test]
async fn listed_conversations_each_have_an_outcome_closed_and_unseen_ones_too() {
    let (mut running, ids) = manager(3).await;
    running.emulator.close_conversation(&ids[0]).unwrap();
    running.heard("close", &ids[0]).await;
    let listed = json!([ids[0], ids[1], ids[1], "none"]);
    let order = json!({ "operation": "close", "filter": { "conversations": listed } });
    let id = begun(&running, &order).await;
    let job = finished(&running, &id).await;
    assert_eq!((job["matched"].as_u64(), job["done"].as_u64()), (Some(3), Some(2)), "{job}");
    let row = |id: &str, outcome: &str, code: &str| [id, outcome, code].map(str::to_owned);
    let mut expected = vec![
        row(&ids[0], "done", "already-closed"),
        row(&ids[1], "done", "closed"),
        row("none", "refused", "unknown-conversation"),
    ];
    expected.sort();
    assert_eq!(items(&running, &id, "").await, expected);
    assert_each_once(&running.emulator, &ids[1..2]);
}

/// A closed conversation is not restored, and the store still shows that it is closed.
#[actix_rt::test]
async fn a_listed_conversation_that_was_closed_before_the_start_is_closed_already() {
    let (mut running, ids) = manager(1).await;
    running.emulator.close_conversation(&ids[0]).unwrap();
    running.heard("close", &ids[0]).await;
    let running = running.restart().await;
    running.ready("manager").await;
    let id = begun(&running, &json!({ "operation": "close", "filter": { "conversations": ids } })).await;
    finished(&running, &id).await;
    let expected = [ids[0].as_str(), "done", "already-closed"].map(str::to_owned);
    assert_eq!(items(&running, &id, "").await, [expected]);
}

/// Unloaded conversations are matched in the store, and each is loaded only when it must be closed.
#[actix_rt::test]
async fn conversations_that_sleep_are_matched_asleep() {
    let (running, ids) = manager(5).await;
    let running = running.restart().await;
    running.ready("manager").await;
    let asleep = || running.service.tertulia().metrics().conversations_asleep.get();
    // Each is loaded to be brought up to date, and unloaded again.
    until(|| asleep() == 5).await;
    assert_eq!(would_match(&running, json!({ "all": true })).await["matched"].as_u64(), Some(5));
    assert_eq!(asleep(), 5);
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true } })).await;
    assert_eq!(finished(&running, &id).await["done"].as_u64(), Some(5));
    assert_each_once(&running.emulator, &ids);
}
