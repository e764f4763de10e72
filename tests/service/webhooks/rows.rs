//! The rows of the interface.

use awc::http::Method;
use serde_json::json;
use tertulia_actors::engine::{RecordKey, Table};

use super::{
    WEBHOOKS, deliveries, happen, impatient, patch, path,
    receiver::{Behaviour, Receiver},
    service, until, webhook,
};
use crate::running::{LOOK_EVERY, PATIENCE, Running};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[actix_rt::test]
async fn a_webhook_is_made_read_changed_and_deleted() {
    let (running, receiver) = (service(), Receiver::willing());
    let filter = json!({ "connection": ["c"], "conversation": [], "type": ["tertulia.message"] });
    let made = webhook(&running, &receiver, json!({ "filter": filter, "secret": SECRET, "enabled": false })).await;
    assert_eq!((&made["secret"], &made["ordered"], &made["filter"]), (&json!(SECRET), &json!(true), &filter));
    assert_eq!((&made["state"], &made["reason"]), (&json!("disabled"), &json!("requested")));
    assert_eq!(made["retries"], json!([5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0]));

    let found = running.get(&path(&made)).await;
    assert_eq!((&found.json["id"], &found.json["url"]), (&made["id"], &json!(receiver.url())));
    assert!(!found.text.contains("whsec_") && !running.get("/v1/webhooks").await.text.contains("whsec_"));

    happen(&running, Some("a"), 1);
    let changed = patch(&running, &made, json!({ "enabled": true, "retries": [1], "filter": {} })).await.json;
    assert_eq!(
        (&changed["state"], &changed["reason"], &changed["since"]),
        (&json!("enabled"), &json!(null), &json!(null))
    );
    assert_eq!((&changed["retries"], &changed["filter"]["type"]), (&json!([1.0]), &json!([])));
    receiver.until_accepted(1).await;

    let gone = running.request(Method::DELETE, &path(&made), &[], None).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    for (method, row) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::PATCH, ""),
        (Method::GET, "/deliveries"),
        (Method::POST, "/test"),
        (Method::POST, "/secret"),
    ] {
        let body = (method != Method::GET && method != Method::DELETE).then(|| "{}".to_owned());
        let answer = running.request(method, &format!("{}{row}", path(&made)), &[], body).await;
        assert_eq!(answer.problem(), (404, "unknown-webhook"), "{row}");
    }
}

#[actix_rt::test]
async fn what_cannot_be_is_refused_with_its_reason() {
    let running = service();
    let url = "http://127.0.0.1:1/";
    for (body, expected) in [
        (json!({}), (400, "bad-request")),
        (json!({ "url": url, "urls": [] }), (400, "bad-request")),
        (json!({ "url": url, "filter": { "kind": [] } }), (400, "bad-request")),
        (json!({ "url": "ftp://127.0.0.1/" }), (422, "invalid-url")),
        (json!({ "url": url, "secret": "hunter2" }), (422, "invalid-secret")),
        (json!({ "url": url, "retries": [-1] }), (422, "invalid-retries")),
        (json!({ "url": url, "filter": { "type": ["x".repeat(257)] } }), (422, "filter-too-long")),
    ] {
        let answer = running.post("/v1/webhooks", &body).await;
        assert_eq!(answer.problem(), expected, "{body}");
        assert!(!answer.text.contains("hunter2"));
    }
    assert_eq!(running.get("/v1/webhooks").await.json, json!({ "items": [], "nextCursor": null }));
    let made = running.post("/v1/webhooks", &json!({ "url": url })).await.json;
    for (body, expected) in [
        (json!({ "ordered": false }), (400, "bad-request")),
        (json!({ "url": "nonsense" }), (422, "invalid-url")),
        (json!({ "retries": [1e9] }), (422, "invalid-retries")),
    ] {
        assert_eq!(patch(&running, &made, body).await.problem(), expected);
    }
    let rotate = format!("{}/secret", path(&made));
    assert_eq!(running.post(&rotate, &json!({ "secret": "x" })).await.problem(), (422, "invalid-secret"));
    let too_long = json!({ "overlapSeconds": 2_592_001 });
    assert_eq!(running.post(&rotate, &too_long).await.problem(), (422, "invalid-overlap"));
}

/// The same key and body make one webhook, over restarts too; its secret is answered once.
#[actix_rt::test]
async fn a_creation_with_a_key_makes_one_webhook() {
    let running = service();
    let body = json!({ "url": "http://127.0.0.1:1/" }).to_string();
    let (headers, text) = ([("idempotency-key", "once")], Some(body));
    let first = running.request(Method::POST, "/v1/webhooks", &headers, text.clone()).await;
    let again = running.request(Method::POST, "/v1/webhooks", &headers, text.clone()).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json["id"], again.json["id"]);
    let secret = first.json["secret"].as_str().unwrap();
    assert!(!again.text.contains(secret) && again.json.get("secret").is_none(), "{}", again.text);
    let other = json!({ "url": "http://127.0.0.1:2/" }).to_string();
    let reused = running.request(Method::POST, "/v1/webhooks", &headers, Some(other)).await;
    assert_eq!(reused.problem(), (422, "key-reused"));

    let running = running.restart().await;
    let again = running.request(Method::POST, "/v1/webhooks", &headers, text.clone()).await;
    assert_eq!(first.json["id"], again.json["id"]);
    assert!(!again.text.contains(secret), "{}", again.text);
    let headers = [("idempotency-key", "twice")];
    let second = running.request(Method::POST, "/v1/webhooks", &headers, text).await;
    assert_ne!(first.json["id"], second.json["id"]);
    assert_eq!(running.get("/v1/webhooks").await.json["items"].as_array().unwrap().len(), 2);
}

#[actix_rt::test]
async fn there_are_a_hundred_webhooks_at_most_and_each_is_in_one_page() {
    let running = service();
    let mut made = Vec::new();
    for number in 0..100 {
        let body = json!({ "url": "http://127.0.0.1:1/", "enabled": number % 2 == 0 });
        made.push(running.post("/v1/webhooks", &body).await.json["id"].as_str().unwrap().to_owned());
    }
    let one_more = running.post("/v1/webhooks", &json!({ "url": "http://127.0.0.1:1/" })).await;
    assert_eq!(one_more.problem(), (409, "too-many-webhooks"));
    let (mut listed, mut path) = (Vec::new(), "/v1/webhooks?limit=33".to_owned());
    loop {
        let page = running.get(&path).await.json;
        let ids = page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
        listed.extend(ids);
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/webhooks?limit=33&cursor={cursor}");
    }
    assert_eq!(listed, made);
    // Counted once they are at work.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let metrics = running.get("/metrics").await.text;
        if metrics.contains("tertulia_webhook_webhooks 100\n") && metrics.contains("tertulia_webhook_disabled 50\n") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{metrics}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[actix_rt::test]
async fn while_a_secret_is_rotated_both_sign() {
    let (running, receiver) = (service(), Receiver::willing());
    let made = webhook(&running, &receiver, json!({ "secret": SECRET })).await;
    let rotate = format!("{}/secret", path(&made));
    let rotated = running.post(&rotate, &json!({})).await.json;
    let second = rotated["secret"].as_str().unwrap();
    let until: jiff::Timestamp = rotated["oldSecretUntil"].as_str().unwrap().parse().unwrap();
    let left = until.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((86_000..=86_400).contains(&left), "a day, unless told otherwise");
    assert_eq!(running.get(&path(&made)).await.json["oldSecretsUntil"], json!([rotated["oldSecretUntil"]]));

    // Over a restart too.
    let running = running.restart().await;
    happen(&running, Some("a"), 1);
    receiver.until_accepted(1).await;
    let received = receiver.received().remove(0);
    assert_eq!((received.signed_by(second), received.signed_by(SECRET)), (Some(0), Some(1)));

    // One that leaked ends at once; the one before it still has its time.
    let third = running.post(&rotate, &json!({ "overlapSeconds": 0 })).await.json;
    happen(&running, Some("a"), 2);
    receiver.until_accepted(2).await;
    let received = receiver.received().remove(1);
    assert_eq!(received.signed_by(third["secret"].as_str().unwrap()), Some(0));
    assert_eq!((received.signed_by(second), received.signed_by(SECRET)), (None, Some(1)));
}

#[actix_rt::test]
async fn a_test_tells_what_the_receiver_says_whether_the_webhook_is_enabled_or_not() {
    let (running, receiver) = (service(), Receiver::willing());
    let made = webhook(&running, &receiver, json!({ "enabled": false })).await;
    let test = format!("{}/test", path(&made));
    let tested = running.post(&test, &json!({})).await.json;
    assert_eq!(
        (&tested["delivered"], &tested["status"], &tested["type"]),
        (&json!(true), &json!(204), &json!("tertulia.test"))
    );
    let received = receiver.received().remove(0);
    assert!(received.signed_by(made["secret"].as_str().unwrap()).is_some());
    assert_eq!((&json!(received.id), &received.event["type"]), (&tested["eventId"], &json!("tertulia.test")));

    receiver.behave(|_| Behaviour::Answer(403));
    let tested = running.post(&test, &json!({})).await.json;
    assert_eq!((&tested["delivered"], &tested["outcome"]), (&json!(false), &json!("client-error")));
    let log = deliveries(&running, &made).await;
    assert_eq!(log.iter().map(|line| line["status"].clone()).collect::<Vec<_>>(), [403, 204]);
    assert_eq!(running.get(&path(&made)).await.json["state"], "disabled");
}

#[actix_rt::test]
async fn the_delivery_log_is_read_in_pages_newest_first_and_holds_no_text() {
    let (running, receiver) = (service(), Receiver::willing());
    let made = webhook(&running, &receiver, json!({})).await;
    for number in 0..7 {
        happen(&running, Some("a"), number);
    }
    receiver.until_accepted(7).await;
    until(&running, &made, |webhook| webhook["pending"] == 0).await;
    let (mut lines, mut page) = (Vec::new(), format!("{}/deliveries?limit=3", path(&made)));
    loop {
        let answer = running.get(&page).await;
        assert!(!answer.text.contains("number") && !answer.text.contains("whsec_"));
        lines.extend(answer.json["items"].as_array().unwrap().clone());
        let Some(cursor) = answer.json["nextCursor"].as_str() else { break };
        page = format!("{}/deliveries?limit=3&cursor={cursor}", path(&made));
    }
    let ids: Vec<_> = lines.iter().map(|line| line["eventId"].as_str().unwrap().to_owned()).collect();
    let sent: Vec<_> = receiver.received().iter().rev().map(|received| received.id.clone()).collect();
    assert_eq!(ids, sent);
    assert_eq!((&lines[0]["conversation"], &lines[0]["type"]), (&json!("a"), &json!("tertulia.message")));
}

#[actix_rt::test]
async fn nothing_stays_of_a_webhook_that_was_deleted() {
    let (running, receiver) = (impatient(), Receiver::start(|_| Behaviour::Hang));
    let made = webhook(&running, &receiver, json!({ "retries": vec![0; 20] })).await;
    let stays = webhook(&running, &Receiver::willing(), json!({})).await;
    for conversation in ["a", "b", "c"] {
        (0..3).for_each(|number| happen(&running, Some(conversation), number));
    }
    until(&running, &made, |webhook| webhook["lastError"].is_string()).await;
    assert_eq!(running.request(Method::DELETE, &path(&made), &[], None).await.status, 204);
    let id = made["id"].as_str().unwrap().to_owned();
    let records = running
        .service
        .tertulia()
        .journal()
        .read(|store| store.scan(Table::Notes, &RecordKey::of(&["webhook"]), None, usize::MAX));
    let keys: Vec<_> = records.await.unwrap().into_iter().map(|record| record.key.parts().unwrap()).collect();
    assert!(!keys.iter().any(|parts| parts.contains(&id)), "{keys:?}");
    assert_eq!(running.get(&path(&stays)).await.status, 200);
    let metrics = running.get("/metrics").await.text;
    assert!(metrics.contains("tertulia_webhook_webhooks 1\n"), "{metrics}");
    let running = running.restart().await;
    assert_eq!(running.get(&path(&made)).await.problem(), (404, "unknown-webhook"));
}

#[actix_rt::test]
async fn who_may_only_look_makes_no_webhooks() {
    let tokens = "[gateway]\nlisten = \"127.0.0.1:0\"\n\
                  tokens = [{ name = \"looker\", token = { env = \"READ_TOKEN\" }, scope = \"read\" }]\n";
    let mut running = Running::start(&format!("{WEBHOOKS}{tokens}"));
    assert_eq!(running.get("/v1/webhooks").await.problem(), (401, "unauthenticated"));
    running.token = Some("reader");
    assert_eq!(running.get("/v1/webhooks").await.status, 200);
    let made = running.post("/v1/webhooks", &json!({ "url": "http://127.0.0.1:1/" })).await;
    assert_eq!(made.problem(), (403, "not-permitted"));
}
