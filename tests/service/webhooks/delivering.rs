//! What is delivered, and in which order.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Mutex,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::{
    WEBHOOKS, happen, happened, path,
    receiver::{Behaviour, Received, Receiver},
    service, until, webhook,
};
use crate::running::{BOT, Running};

/// The numbers that each conversation was heard with.
fn by_conversation(received: &[Received]) -> BTreeMap<String, Vec<u64>> {
    let mut heard = BTreeMap::<String, Vec<u64>>::new();
    for received in received {
        heard
            .entry(received.event["subject"].as_str().unwrap_or_default().to_owned())
            .or_default()
            .push(received.number());
    }
    heard
}

#[actix_rt::test]
async fn what_happens_is_delivered_signed_and_as_the_stream_tells_it() {
    let mut running = Running::start(&format!("{BOT}{WEBHOOKS}"));
    running.ready("bots-1").await;
    let receiver = Receiver::willing();
    let made = webhook(&running, &receiver, json!({ "filter": { "type": ["message"] } })).await;
    let mut stream = running.follow("/v1/events?type=message", &[]).await;
    let id = running.conversation().await;
    receiver.until_accepted(1).await;
    let received = receiver.received().remove(0);
    assert_eq!(received.event, stream.event().await);
    assert_eq!((&received.event["subject"], &received.event["id"]), (&json!(id), &json!(received.id)));
    assert_eq!(received.content_type, "application/cloudevents+json; charset=utf-8");
    assert_eq!(received.signed_by(made["secret"].as_str().unwrap()), Some(0));
    let age = jiff::Timestamp::now().as_second() - received.timestamp.parse::<i64>().unwrap();
    assert!((0..300).contains(&age), "receivers refuse what is older");
}

#[actix_rt::test]
async fn each_webhook_gets_what_its_filter_takes_from_the_newest_event_on_or_from_the_one_it_names() {
    let running = service();
    let first = happened(&running, Some("a"), 1, 0).await;
    happen(&running, Some("a"), 2);
    running.service.tertulia().journal().settled().await;
    let (all, one, from) = (Receiver::willing(), Receiver::willing(), Receiver::willing());
    webhook(&running, &all, json!({})).await;
    webhook(&running, &one, json!({ "filter": { "connection": ["c"], "conversation": ["b"] } })).await;
    webhook(&running, &one, json!({ "filter": { "type": ["tertulia.close"] } })).await;
    webhook(&running, &from, json!({ "after": first })).await;
    for (conversation, number) in [(Some("a"), 3), (Some("b"), 4), (None, 5)] {
        happen(&running, conversation, number);
    }
    let numbers = |receiver: &Receiver| receiver.received().iter().map(Received::number).collect::<HashSet<_>>();
    all.until_accepted(3).await;
    from.until_accepted(4).await;
    one.until_accepted(1).await;
    assert_eq!(numbers(&all), HashSet::from([3, 4, 5]));
    assert_eq!(numbers(&from), HashSet::from([2, 3, 4, 5]));
    assert_eq!(numbers(&one), HashSet::from([4]));
}

#[actix_rt::test]
async fn two_webhooks_with_one_url_are_two() {
    let (running, receiver) = (service(), Receiver::willing());
    let one = webhook(&running, &receiver, json!({})).await;
    let other = webhook(&running, &receiver, json!({})).await;
    happen(&running, Some("a"), 1);
    receiver.until_accepted(2).await;
    let received = receiver.received();
    let signed = |webhook: &serde_json::Value| {
        let secret = webhook["secret"].as_str().unwrap();
        received.iter().filter(|received| received.signed_by(secret).is_some()).count()
    };
    assert_eq!((signed(&one), signed(&other), received[0].id == received[1].id), (1, 1, true));
}

#[actix_rt::test]
async fn a_webhook_that_begins_after_an_unknown_event_gets_a_gap() {
    let (running, receiver) = (service(), Receiver::willing());
    webhook(&running, &receiver, json!({ "after": "another-log-7" })).await;
    receiver.until_accepted(1).await;
    let gap = receiver.received().remove(0).event;
    assert_eq!((&gap["type"], &gap["data"]["missed"]), (&json!("tertulia.gap"), &json!(null)));
}

/// Promise 1, over HTTP: whatever fails, each conversation is heard in order, one event at a time.
#[actix_rt::test]
async fn under_random_failures_each_conversation_is_heard_whole_and_in_order() {
    const CONVERSATIONS: usize = 30;
    const EVENTS: usize = 12;
    for seed in [1, 2, 3] {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        let receiver = Receiver::start(move |_| match random.lock().unwrap().random_range(0..10) {
            0 => Behaviour::Answer(500),
            1 => Behaviour::Answer(302),
            2 => Behaviour::Answer(429),
            3 => Behaviour::Answer(404),
            _ => Behaviour::Answer(200),
        });
        let running = service();
        let made = webhook(&running, &receiver, json!({ "retries": vec![0.001; 20] })).await;
        for number in 0..EVENTS {
            for conversation in 0..CONVERSATIONS {
                happen(&running, Some(&format!("c{conversation}")), number);
            }
        }
        receiver.until_accepted(CONVERSATIONS * EVENTS).await;
        until(&running, &made, |webhook| webhook["pending"] == 0).await;
        let heard = by_conversation(&receiver.accepted());
        assert_eq!(heard.len(), CONVERSATIONS);
        for numbers in heard.values() {
            assert_eq!(*numbers, (0..EVENTS as u64).collect::<Vec<_>>(), "seed {seed}");
        }
        assert_eq!(receiver.most_together(), 1);
        let attempts = receiver.received();
        let ids: HashSet<_> = attempts.iter().map(|received| (&received.id, received.number())).collect();
        assert_eq!(ids.len(), CONVERSATIONS * EVENTS, "an event has one id for all of its attempts");
    }
}

#[actix_rt::test]
async fn an_event_that_fails_holds_up_its_conversation_alone_and_without_order_itself_alone() {
    let running = service();
    let script = |received: &Received| Behaviour::Answer(if received.event["data"]["number"] == 0 { 500 } else { 200 });
    let (ordered, unordered) = (Receiver::start(script), Receiver::start(script));
    let retries = json!([3600]);
    webhook(&running, &ordered, json!({ "retries": retries })).await;
    webhook(&running, &unordered, json!({ "retries": retries, "ordered": false })).await;
    happen(&running, Some("a"), 0);
    ordered.until(|received| received.len() == 1).await;
    for number in 1..=3 {
        happen(&running, Some("a"), number);
        happen(&running, Some("b"), number);
    }
    unordered.until_accepted(6).await;
    ordered.until_accepted(3).await;
    let heard = by_conversation(&ordered.accepted());
    assert_eq!(heard, BTreeMap::from([("b".to_owned(), vec![1, 2, 3])]));
    ordered.behave(|_| Behaviour::Answer(200));
    let page = running.get("/v1/webhooks").await.json;
    super::patch(&running, &page["items"][0], json!({ "retries": [] })).await;
    ordered.until_accepted(7).await;
    assert_eq!(by_conversation(&ordered.accepted())["a"], [0, 1, 2, 3]);
}

#[actix_rt::test]
async fn thousands_of_conversations_are_delivered_many_at_a_time() {
    let (running, receiver) = (service(), Receiver::willing());
    let made = webhook(&running, &receiver, json!({})).await;
    for number in 0..2 {
        for conversation in 0..2_000 {
            happen(&running, Some(&format!("c{conversation}")), number);
        }
    }
    receiver.until_accepted(4_000).await;
    assert!(by_conversation(&receiver.accepted()).values().all(|numbers| *numbers == [0, 1]));
    until(&running, &made, |webhook| webhook["pending"] == 0).await;
    // The log holds the newest thousand.
    let last = running.get(&format!("{}/deliveries?limit=1000", path(&made))).await.json;
    assert_eq!((last["items"].as_array().unwrap().len(), &last["nextCursor"]), (1_000, &json!(null)));
}

/// Events that were not delivered before the end are delivered after the restart, in order and under the same ids.
#[actix_rt::test]
async fn a_restart_goes_on_where_the_service_ended() {
    let receiver = Receiver::start(|received| match received.event["subject"].as_str() {
        Some("sick") => Behaviour::Answer(500),
        _ => Behaviour::Answer(200),
    });
    let running = service();
    let made = webhook(&running, &receiver, json!({ "retries": [3600] })).await;
    for number in 0..3 {
        happen(&running, Some("sick"), number);
        happen(&running, Some("well"), number);
    }
    receiver.until_accepted(3).await;
    receiver.until(|received| received.iter().any(|received| received.event["subject"] == "sick")).await;
    let before = receiver.received();
    let running = running.restart().await;
    assert_eq!(until(&running, &made, |webhook| webhook["pending"] == 3).await["state"], "enabled");
    happen(&running, Some("sick"), 3);
    happen(&running, Some("well"), 3);
    receiver.until_accepted(4).await;
    receiver.behave(|_| Behaviour::Answer(200));
    let enabled = super::patch(&running, &made, json!({ "enabled": true })).await;
    assert_eq!(enabled.status, 200, "what waits is tried at once");
    receiver.until_accepted(8).await;
    let heard = by_conversation(&receiver.accepted());
    assert_eq!((&heard["sick"], &heard["well"]), (&vec![0, 1, 2, 3], &vec![0, 1, 2, 3]));
    let first = |received: &[Received]| received.iter().find(|it| it.event["subject"] == "sick").unwrap().id.clone();
    assert_eq!(first(&before), first(&receiver.accepted()));
}
