//! Requests for bulk jobs, and their responses.

use awc::http::Method;
use serde_json::json;

use super::scene::{MANAGER, assert_each_once, begun, finished, job, manager, told};
use crate::running::{Answer, Running};

async fn with_key(running: &Running, key: &str, body: &str) -> Answer {
    running.request(Method::POST, "/v1/bulk", &[("idempotency-key", key)], Some(body.to_owned())).await
}

#[actix_rt::test]
async fn the_same_key_and_body_make_one_job_over_restarts_too() {
    let (running, ids) = manager(3).await;
    let body = json!({ "operation": "close", "filter": { "all": true } }).to_string();
    let together = futures_util::future::join_all((0..5).map(|_| with_key(&running, "k1", &body))).await;
    let made: Vec<_> = together.iter().map(|answer| (answer.status, answer.json["id"].clone())).collect();
    assert!(made.iter().all(|one| *one == made[0] && one.0 == 201), "{made:?}");
    let id = made[0].1.as_str().unwrap();
    finished(&running, id).await;
    let other = json!({ "operation": "close", "filter": { "skill": "501" } }).to_string();
    assert_eq!(with_key(&running, "k1", &other).await.problem(), (422, "key-reused"));

    let running = running.restart().await;
    running.ready("manager").await;
    let again = with_key(&running, "\"k1\"", &body).await;
    assert_eq!((again.status, again.json["id"].as_str(), again.json["done"].as_u64()), (201, Some(id), Some(3)));
    assert_eq!(with_key(&running, "k1", &other).await.problem(), (422, "key-reused"));
    assert_eq!(running.get("/v1/bulk").await.json["items"].as_array().unwrap().len(), 1);
    assert_each_once(&running.emulator, &ids);
}

#[actix_rt::test]
async fn jobs_are_listed_in_pages_the_newest_first() {
    let running = Running::start(MANAGER);
    running.ready("manager").await;
    let mut ids = Vec::new();
    for skill in ["501", "502", "503"] {
        let id = begun(&running, &json!({ "operation": "close", "filter": { "skill": skill } })).await;
        let job = finished(&running, &id).await;
        assert_eq!((job["matched"].as_u64(), &job["filter"]), (Some(0), &json!({ "skill": skill })));
        ids.insert(0, id);
    }
    let mut listed = Vec::new();
    let mut path = "/v1/bulk?limit=2".to_owned();
    loop {
        let page = running.get(&path).await.json;
        listed.extend(page["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/bulk?limit=2&cursor={cursor}");
    }
    assert_eq!(listed, ids);
}

#[actix_rt::test]
async fn a_job_that_cannot_be_understood_is_refused_with_its_stable_code() {
    let running = Running::start(MANAGER);
    let all = json!({ "all": true });
    let many: Vec<String> = (0..10_001).map(|number| number.to_string()).collect();
    let long = json!(["1".repeat(257)]);
    for (body, expected) in [
        (json!({ "operation": "close", "filter": {} }), (422, "no-condition")),
        (json!({ "operation": "close", "filter": { "all": false } }), (422, "no-condition")),
        (json!({ "operation": "close" }), (400, "bad-request")),
        (json!({ "operation": "delete", "filter": all }), (400, "bad-request")),
        (json!({ "operation": "close", "filter": { "skil": "501" } }), (400, "bad-request")),
        (json!({ "operation": "close", "filter": { "stage": "OPENED" } }), (400, "bad-request")),
        (json!({ "operation": "close", "filter": { "updatedBefore": "yesterday" } }), (400, "bad-request")),
        (json!({ "operation": "close", "filter": { "conversations": [] } }), (422, "too-many-items")),
        (json!({ "operation": "close", "filter": { "conversations": many } }), (422, "too-many-items")),
        (json!({ "operation": "close", "filter": { "conversations": long } }), (422, "filter-too-long")),
        (json!({ "operation": "close", "filter": { "connection": "none" } }), (404, "unknown-connection")),
        (json!({ "operation": "close", "filter": all, "arguments": { "skillId": "1" } }), (400, "bad-request")),
        (json!({ "operation": "close", "filter": all, "rate": 0 }), (422, "bad-rate")),
        (json!({ "operation": "close", "filter": all, "rate": 101 }), (422, "bad-rate")),
        (json!({ "operation": "close", "filter": all, "rate": -1 }), (400, "bad-request")),
        (json!({ "operation": "transfer", "filter": all }), (400, "bad-request")),
        (json!({ "operation": "transfer", "filter": all, "arguments": { "skillId": "" } }), (400, "bad-request")),
        (json!({ "operation": "transfer", "filter": all, "arguments": { "survey": true } }), (400, "bad-request")),
    ] {
        assert_eq!(running.post("/v1/bulk", &body).await.problem(), expected, "{body}");
    }
    assert!(running.get("/v1/bulk").await.json["items"].as_array().unwrap().is_empty());
}

#[actix_rt::test]
async fn unknown_jobs_and_wrong_parameters_are_refused() {
    let running = Running::start(MANAGER);
    for what in ["pause", "resume", "cancel"] {
        assert_eq!(told(&running, "none", what).await.problem(), (404, "unknown-job"), "{what}");
    }
    for (path, expected) in [
        ("/v1/bulk/none", (404, "unknown-job")),
        ("/v1/bulk/none/items", (404, "unknown-job")),
        ("/v1/bulk?limit=0", (400, "bad-request")),
        ("/v1/bulk/none/items?outcome=odd", (400, "bad-request")),
        ("/v1/bulk/none/items?order=asc", (400, "bad-request")),
    ] {
        assert_eq!(running.get(path).await.problem(), expected, "{path}");
    }
}

#[actix_rt::test]
async fn only_so_many_jobs_wait_at_a_time() {
    let (running, _) = manager(1).await;
    let mut ids = Vec::new();
    for _ in 0..16 {
        let id = begun(&running, &json!({ "operation": "close", "filter": { "stage": "CLOSE" }, "rate": 1 })).await;
        // A job with nothing to do ends by itself, unless it is paused before.
        let paused = told(&running, &id, "pause").await;
        if paused.status == 200 {
            ids.push(id);
        }
    }
    // Some may have ended before they were paused; as many are added as there is room for.
    let order = json!({ "operation": "close", "filter": { "stage": "CLOSE" }, "rate": 1 });
    loop {
        let answer = running.post("/v1/bulk", &order).await;
        if answer.status != 201 {
            assert_eq!(answer.problem(), (409, "too-many-jobs"));
            break;
        }
        let id = answer.json["id"].as_str().unwrap().to_owned();
        if told(&running, &id, "pause").await.status == 200 {
            ids.push(id);
        }
    }
    assert_eq!(ids.len(), 16);
    assert_eq!(told(&running, &ids[0], "cancel").await.status, 200);
    assert_eq!(job(&running, &ids[0]).await["state"], "cancelled");
    assert_eq!(running.post("/v1/bulk", &order).await.status, 201);
}
