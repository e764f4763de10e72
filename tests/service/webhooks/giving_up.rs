//! A delivery that is given up becomes a dead letter, and can be delivered from there.

use std::{num::NonZeroUsize, sync::Arc};

use serde_json::json;
use tertulia::{
    reach::Reach,
    webhooks::{NewWebhook, Settings, Wanted, Webhooks},
};
use tertulia_actors::{
    Tertulia,
    engine::{Journal, MemoryStore, Retention},
};
use tokio::time::timeout;

use super::{
    happen, happened,
    receiver::{Behaviour, Receiver},
    service, step, until, webhook,
};
use crate::running::{LOOK_EVERY, PATIENCE};

#[actix_rt::test]
async fn after_the_last_retry_the_event_is_a_dead_letter_and_its_conversation_goes_on() {
    let receiver =
        Receiver::start(|received| Behaviour::Answer(if received.event["data"]["number"] == 1 { 500 } else { 200 }));
    let running = service();
    let made = webhook(&running, &receiver, json!({ "retries": [0, 0] })).await;
    let id = happened(&running, Some("a"), 1, 0).await;
    happen(&running, Some("a"), 2);
    receiver.until_accepted(1).await;
    assert_eq!(receiver.received().iter().map(|received| received.number()).collect::<Vec<_>>(), [1, 1, 1, 2]);
    until(&running, &made, |webhook| webhook["pending"] == 0).await;

    let letters = running.get("/v1/dead-letters").await.json;
    let letter = &letters["items"][0];
    assert_eq!((&letter["kind"], &letter["conversation"]), (&json!("delivery"), &json!("a")));
    assert_eq!(letter["subscriber"], format!("webhook:{}", made["id"].as_str().unwrap()));
    assert_eq!(letter["reason"], "3 attempts; at the last attempt the receiver answered 500");

    // It outlives the process, and so does its delivery once it is asked for again.
    let running = running.restart().await;
    let replay = format!("/v1/dead-letters/{}/replay", letter["id"].as_str().unwrap());
    receiver.behave(|_| Behaviour::Answer(200));
    assert_eq!(running.post(&replay, &json!({})).await.status, 204);
    receiver.until_accepted(2).await;
    let again = receiver.accepted().pop().unwrap();
    assert_eq!((again.id, again.event["data"]["number"].as_u64()), (id, Some(1)));
    assert_eq!(running.post(&replay, &json!({})).await.problem(), (404, "unknown-dead-letter"));
    until(&running, &made, |webhook| webhook["pending"] == 0).await;
}

#[actix_rt::test]
async fn a_letter_that_fails_again_is_a_letter_again_and_one_whose_webhook_is_gone_stays() {
    let (running, receiver) = (service(), Receiver::start(|_| Behaviour::Answer(500)));
    let made = webhook(&running, &receiver, json!({ "retries": [] })).await;
    happen(&running, Some("a"), 1);
    let letter = |running| async move {
        let running: &super::Running = running;
        running.get("/v1/dead-letters").await.json["items"][0]["id"].as_str().map(str::to_owned)
    };
    until(&running, &made, |webhook| webhook["lastError"].is_string() && webhook["pending"] == 0).await;
    let first = letter(&running).await.unwrap();
    let replay = |id: &str| format!("/v1/dead-letters/{id}/replay");
    assert_eq!(running.post(&replay(&first), &json!({})).await.status, 204);
    receiver.until(|received| received.len() == 2).await;
    let second = timeout(PATIENCE, async {
        loop {
            match letter(&running).await {
                Some(id) if id != first => break id,
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    });
    let second = second.await.unwrap();
    running.request(awc::http::Method::DELETE, &super::path(&made), &[], None).await;
    assert_eq!(running.post(&replay(&second), &json!({})).await.problem(), (404, "unknown-webhook"));
    assert_eq!(letter(&running).await, Some(second));
}

/// While a webhook is disabled, the log forgets events that the webhook did not get.
#[actix_rt::test]
async fn what_the_log_forgot_meanwhile_is_one_gap() {
    let store = MemoryStore::new(NonZeroUsize::new(10).unwrap());
    let journal = Journal::start(Arc::new(store), Retention::default()).unwrap();
    let tertulia = Arc::new(Tertulia::builder().journal(Arc::clone(&journal)).start().unwrap());
    let happen = |conversation: &str, number| journal.append(step(Some(conversation), number, 0));
    let receiver =
        Receiver::start(|received| Behaviour::Answer(if received.event["subject"] == "a" { 500 } else { 200 }));
    let settings = Settings { allow_internal: true, ..Settings::default() };
    let webhooks = Webhooks::start(&tertulia, settings);
    let new = NewWebhook {
        url: receiver.url(),
        filter: Wanted::default(),
        ordered: true,
        replies: false,
        retries: Some(vec![3_600.0].try_into().unwrap()),
        secret: None,
        after: None,
        enabled: true,
        reach: Reach::EVERYTHING,
    };
    let id = webhooks.create(new, None).await.unwrap().webhook.definition.id;
    // Three events wait after a failed one.
    (0..3).for_each(|number| happen("a", number));
    happen("b", 0);
    receiver.until_accepted(1).await;
    receiver.until(|received| received.iter().any(|received| received.event["subject"] == "a")).await;
    let waiting = async {
        while webhooks.get(id.clone()).await.unwrap().status.pending < 3 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
    // They are forgotten.
    (1..30).for_each(|number| happen("b", number));
    receiver.until_accepted(30).await;
    receiver.behave(|_| Behaviour::Answer(200));
    webhooks.change(id, tertulia::webhooks::Changes::default()).await.unwrap();
    receiver.until_accepted(31).await;
    let gap = receiver.accepted().pop().unwrap().event;
    assert_eq!((&gap["type"], &gap["subject"]), (&json!("tertulia.gap"), &json!("a")));
    assert_eq!(gap["data"], json!({ "missed": 3, "snapshot": "/v1/conversations/a" }));
    webhooks.stop(PATIENCE).await;
    Arc::into_inner(tertulia).unwrap().stop(PATIENCE).await;
}
