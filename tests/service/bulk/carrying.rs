//! What a bulk job does to its conversations, and how fast.

use serde_json::json;
use tertulia_emulator::{Fault, FaultKind};

use super::scene::{
    MANAGER, assert_each_once, begun, changed, finished, items, job, manager, opened, seen, told, until,
};
use crate::running::{BOT, Running};

#[actix_rt::test]
async fn every_conversation_of_a_job_is_closed_once_and_has_its_outcome() {
    let (running, ids) = manager(40).await;
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true }, "rate": 100 })).await;
    let job = finished(&running, &id).await;
    let counts = ["matched", "done", "refused", "unknown", "left", "inFlight"].map(|name| job[name].as_u64());
    assert_eq!(counts, [40, 40, 0, 0, 0, 0].map(Some), "{job}");
    assert!(job["started"].is_string() && job["ended"].is_string() && job["estimatedEnd"].is_null(), "{job}");
    let expected: Vec<_> = ids.iter().map(|id| [id.clone(), "done".to_owned(), "closed".to_owned()]).collect();
    assert_eq!(items(&running, &id, "").await, expected);
    assert_each_once(&running.emulator, &ids);
    assert!(items(&running, &id, "&outcome=refused").await.is_empty());
}

#[actix_rt::test]
async fn a_transfer_moves_only_conversations_of_other_skills() {
    let running = Running::start(BOT);
    running.ready("bots-1").await;
    let there = opened(&running.emulator, 2, Some("502"));
    let elsewhere = opened(&running.emulator, 5, Some("501"));
    seen(&running, "bots-1", 7).await;
    // The bot would get a new offer of a conversation that it transferred.
    running.emulator.set_shift("502", false);
    let order = json!({ "operation": "transfer", "filter": { "all": true }, "arguments": { "skillId": "502" } });
    let id = begun(&running, &order).await;
    let job = finished(&running, &id).await;
    assert_eq!((job["done"].as_u64(), job["refused"].as_u64()), (Some(7), Some(0)), "{job}");
    let codes = items(&running, &id, "").await;
    let of = |wanted: &str| -> Vec<String> {
        codes.iter().filter(|[_, _, code]| code == wanted).map(|[id, ..]| id.clone()).collect()
    };
    assert_eq!((of("already-there"), of("transferred")), (there, elsewhere.clone()));
    let skills = running.emulator.changes().into_iter().filter(|change| change.fields.contains(&"Skill".to_owned()));
    let mut moved: Vec<String> = skills.filter(|change| change.accepted).map(|change| change.conversation).collect();
    moved.sort_unstable();
    assert_eq!(moved, elsewhere);
}

#[actix_rt::test]
async fn the_agent_who_has_a_conversation_acts_where_another_only_sees_it() {
    // By the ids of the connections the manager would come first.
    let sections = format!("{}{BOT}", MANAGER.replace("\"manager\"", "\"a-manager\""));
    let running = Running::start(&sections);
    running.ready("a-manager").await;
    running.ready("bots-1").await;
    let ids = opened(&running.emulator, 3, None);
    seen(&running, "bots-1", 3).await;
    seen(&running, "a-manager", 3).await;
    let id = begun(&running, &json!({ "operation": "close", "filter": { "conversations": ids } })).await;
    finished(&running, &id).await;
    assert_each_once(&running.emulator, &ids);
    assert!(running.emulator.changes().iter().all(|change| change.by == "bot1"));
}

#[actix_rt::test]
async fn a_refusal_of_the_platform_is_reported_with_its_code_and_words() {
    let (running, ids) = manager(2).await;
    // The manager takes no part, and the platform lets only participants change the skill.
    let order = json!({ "operation": "transfer", "filter": { "all": true }, "arguments": { "skillId": "502" } });
    let id = begun(&running, &order).await;
    let job = finished(&running, &id).await;
    assert_eq!((job["done"].as_u64(), job["refused"].as_u64()), (Some(0), Some(2)), "{job}");
    let answer = running.get(&format!("/v1/bulk/{id}/items?outcome=refused")).await.json;
    let item = &answer["items"][0];
    assert_eq!((&item["conversation"], &item["code"]), (&json!(ids[0]), &json!("platform-rejected")), "{item}");
    assert_eq!(item["platformCode"], 400);
    assert!(item["detail"].as_str().unwrap().contains("does not exist in conversation"), "{item}");
}

#[actix_rt::test]
async fn a_conversation_that_its_consumer_closed_meanwhile_is_done() {
    let (running, ids) = manager(5).await;
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true }, "rate": 1 })).await;
    until(&running, &id, |job| job["done"].as_u64() >= Some(1)).await;
    // The last one by id is the last one to be closed.
    running.emulator.close_conversation(&ids[4]).unwrap();
    let job = finished(&running, &id).await;
    assert_eq!(job["done"].as_u64(), Some(5), "{job}");
    assert_eq!(items(&running, &id, "").await[4][2], "already-closed");
    assert_each_once(&running.emulator, &ids[..4]);
}

#[actix_rt::test]
async fn a_paused_job_begins_nothing_more_also_after_a_restart() {
    let (running, ids) = manager(40).await;
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true }, "rate": 10 })).await;
    until(&running, &id, |job| job["done"].as_u64() >= Some(2)).await;
    let paused = told(&running, &id, "pause").await;
    assert_eq!((paused.status, paused.json["state"].as_str()), (200, Some("paused")));
    let still = until(&running, &id, |job| job["inFlight"] == 0).await;
    let done = changed(&running.emulator).len();
    assert_eq!(still["done"].as_u64(), Some(done as u64));

    let running = running.restart().await;
    running.ready("manager").await;
    let after = job(&running, &id).await;
    assert_eq!((after["state"].as_str(), after["done"].as_u64()), (Some("paused"), Some(done as u64)), "{after}");
    assert_eq!(changed(&running.emulator).len(), done, "a paused job does not continue by itself");

    let resumed = told(&running, &id, "resume").await;
    assert_eq!((resumed.status, resumed.json["state"].as_str()), (200, Some("running")));
    assert_eq!(finished(&running, &id).await["done"].as_u64(), Some(40));
    assert_each_once(&running.emulator, &ids);
}

#[actix_rt::test]
async fn a_cancelled_job_leaves_what_it_has_not_begun() {
    let (running, _) = manager(30).await;
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true }, "rate": 5 })).await;
    until(&running, &id, |job| job["done"].as_u64() >= Some(1)).await;
    let cancelled = told(&running, &id, "cancel").await;
    assert_eq!((cancelled.status, cancelled.json["state"].as_str()), (200, Some("cancelled")));
    let job = until(&running, &id, |job| job["inFlight"] == 0).await;
    let (done, left) = (job["done"].as_u64().unwrap(), job["left"].as_u64().unwrap());
    assert!(left > 0 && done + left == 30, "{job}");
    assert_eq!(items(&running, &id, "&outcome=left").await.len() as u64, left);
    assert_eq!(changed(&running.emulator).len() as u64, done);
    for what in ["pause", "resume"] {
        assert_eq!(told(&running, &id, what).await.problem(), (409, "job-ended"));
    }
    assert_eq!(told(&running, &id, "cancel").await.status, 200, "a second cancel is not an error");
}

/// The stand-in records the times. A slow machine can only make the job slower.
#[actix_rt::test]
async fn a_job_is_no_faster_than_its_rate() {
    let (running, _) = manager(11).await;
    let before = jiff::Timestamp::now().as_millisecond();
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true }, "rate": 10 })).await;
    finished(&running, &id).await;
    let mut times: Vec<_> = running.emulator.changes().iter().map(|change| change.time as i64 - before).collect();
    times.sort_unstable();
    for (place, time) in times.iter().enumerate() {
        assert!(*time >= 100 * place as i64 - 1, "{times:?}");
    }
}

/// Protocol §8, §9.3.
#[actix_rt::test]
async fn too_many_requests_slow_a_job_down_and_nothing_is_done_twice_or_lost() {
    let (running, ids) = manager(20).await;
    let throttle = Fault { count: 2, user: Some("bot4".to_owned()), ..Fault::new(FaultKind::Throttle) };
    assert_eq!(running.emulator.inject(throttle), 1);
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true }, "rate": 50 })).await;
    let job = finished(&running, &id).await;
    assert_eq!(job["done"].as_u64(), Some(20), "{job}");
    assert_each_once(&running.emulator, &ids);
    let metrics = running.get("/metrics").await.text;
    let slowed = metrics.lines().find_map(|line| line.strip_prefix("tertulia_bulk_slowed_down_total ")).unwrap();
    assert!(slowed.parse::<u64>().unwrap() >= 1, "{slowed}");
    let counted = "tertulia_bulk_items_total{operation=\"close\",outcome=\"done\"} 20";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
}

#[actix_rt::test]
async fn a_connection_that_comes_back_is_waited_for() {
    let (running, ids) = manager(20).await;
    let id = begun(&running, &json!({ "operation": "close", "filter": { "all": true }, "rate": 20 })).await;
    until(&running, &id, |job| job["done"].as_u64() >= Some(2)).await;
    let user = Some("bot4".to_owned());
    running.emulator.inject(Fault { user, ..Fault::new(FaultKind::Drop) });
    assert_eq!(finished(&running, &id).await["done"].as_u64(), Some(20));
    let changes = changed(&running.emulator);
    assert_eq!(changes.keys().collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    assert!(changes.values().all(|(taken, _)| *taken == 1), "{changes:?}");
}

#[actix_rt::test]
async fn a_close_begins_the_survey_if_the_job_asks_for_it() {
    let (running, _) = manager(2).await;
    let arguments = json!({ "survey": true });
    let order = json!({ "operation": "close", "filter": { "all": true }, "arguments": arguments });
    let id = begun(&running, &order).await;
    let job = finished(&running, &id).await;
    assert_eq!((&job["arguments"], job["done"].as_u64()), (&arguments, Some(2)));
    assert!(running.emulator.changes().iter().all(|change| change.fields == ["DialogChange"]));
}
