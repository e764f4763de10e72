//! Receivers that misbehave, and addresses that must not be dialled.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix_web::http::header;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    WEBHOOKS, deliveries, happen, happen_padded, impatient, patch, path,
    receiver::{Behaviour, Receiver},
    service, until, webhook,
};
use crate::running::{LOOK_EVERY, PATIENCE, Port, Running};

#[actix_rt::test]
async fn a_receiver_that_hangs_is_given_up_in_time_and_tried_again() {
    let hung = AtomicUsize::new(0);
    let receiver = Receiver::start(move |_| match hung.fetch_add(1, Ordering::Relaxed) {
        0 => Behaviour::Hang,
        _ => Behaviour::Answer(200),
    });
    let running = impatient();
    let made = webhook(&running, &receiver, json!({ "retries": vec![0; 20] })).await;
    happen(&running, Some("a"), 1);
    receiver.until_accepted(1).await;
    until(&running, &made, |webhook| webhook["pending"] == 0).await;
    let log = deliveries(&running, &made).await;
    let first = log.last().unwrap();
    assert_eq!((&first["outcome"], &first["status"]), (&json!("timed-out"), &json!(null)));
    assert_eq!((&log[0]["outcome"], &log[0]["attempt"]), (&json!("delivered"), &json!(log.len())));
}

#[actix_rt::test]
async fn a_receiver_that_is_gone_is_sent_nothing_more_until_it_is_enabled_again() {
    let (running, receiver) = (service(), Receiver::start(|_| Behaviour::Answer(410)));
    let made = webhook(&running, &receiver, json!({})).await;
    happen(&running, Some("a"), 1);
    let gone = until(&running, &made, |webhook| webhook["state"] == "disabled").await;
    assert_eq!((&gone["reason"], gone["since"].is_string()), (&json!("gone"), true));
    happen(&running, Some("a"), 2);
    let running = running.restart().await;
    assert_eq!(until(&running, &made, |webhook| webhook["pending"] == 1).await["state"], "disabled");
    assert_eq!(receiver.received().len(), 1);
    receiver.behave(|_| Behaviour::Answer(200));
    assert_eq!(patch(&running, &made, json!({ "enabled": true })).await.json["state"], "enabled");
    receiver.until_accepted(2).await;
    assert_eq!(receiver.accepted().iter().map(|received| received.number()).collect::<Vec<_>>(), [1, 2]);
}

#[actix_rt::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (running, elsewhere) = (service(), Receiver::willing());
    let to = elsewhere.url();
    let receiver = Receiver::start(move |_| Behaviour::AnswerWith(307, header::LOCATION, to.clone()));
    let made = webhook(&running, &receiver, json!({ "retries": [3600] })).await;
    happen(&running, Some("a"), 1);
    receiver.until(|received| received.len() == 1).await;
    let found = until(&running, &made, |webhook| webhook["lastError"].is_string()).await;
    assert_eq!((&found["lastError"], &found["pending"]), (&json!("the receiver answered 307"), &json!(1)));
    assert_eq!(deliveries(&running, &made).await[0]["outcome"], "redirected");
    assert!(elsewhere.received().is_empty());
}

#[actix_rt::test]
async fn of_an_answer_without_end_no_more_is_read_than_its_head_needs() {
    let (running, receiver) = (service(), Receiver::start(|_| Behaviour::Flood));
    let made = webhook(&running, &receiver, json!({})).await;
    happen(&running, Some("a"), 1);
    until(&running, &made, |webhook| webhook["lastDelivery"].is_string()).await;
    receiver.behave(|_| Behaviour::Dawdle);
    happen(&running, Some("a"), 2);
    receiver.until_accepted(2).await;
    until(&running, &made, |webhook| webhook["pending"] == 0).await;
    let log = deliveries(&running, &made).await;
    assert_eq!((log.len(), &log[0]["outcome"], &log[1]["outcome"]), (2, &json!("delivered"), &json!("delivered")));
}

#[actix_rt::test]
async fn a_retry_that_a_receiver_asks_for_is_not_made_before() {
    let receiver = Receiver::start(|_| Behaviour::AnswerWith(503, header::RETRY_AFTER, "3600".to_owned()));
    let running = service();
    let made = webhook(&running, &receiver, json!({ "retries": [0, 0] })).await;
    happen(&running, Some("a"), 1);
    until(&running, &made, |webhook| webhook["lastError"].is_string()).await;
    let line = deliveries(&running, &made).await.remove(0);
    let time = |member: &str| line[member].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time("nextTry").duration_since(time("time")).as_secs() >= 3_600, "{line}");
    // The whole webhook waits.
    happen(&running, Some("b"), 2);
    until(&running, &made, |webhook| webhook["pending"] == 2).await;
    assert_eq!(receiver.received().len(), 1);
}

#[actix_rt::test]
async fn events_of_more_than_a_mebibyte_are_delivered() {
    let (running, receiver) = (service(), Receiver::willing());
    webhook(&running, &receiver, json!({ "retries": vec![0; 20] })).await;
    happen_padded(&running, Some("a"), 1, 3 << 19);
    happen(&running, Some("a"), 2);
    receiver.until_accepted(2).await;
    assert!(receiver.received()[0].body.len() > 3 << 19);
}

/// It answers once it has seen the head, and hangs up without having read the rest.
#[actix_rt::test]
async fn a_receiver_that_answers_before_it_has_read_does_not_hold_anything_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let server = actix_rt::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 1_024];
            let _ = socket.read(&mut head).await.unwrap();
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let running = service();
    let body = json!({ "url": url, "retries": [0, 0] });
    let made = running.post("/v1/webhooks", &body).await.json;
    happen(&running, Some("small"), 1);
    happen_padded(&running, Some("large"), 2, 4 << 20);
    happen(&running, Some("small"), 3);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let log = loop {
        let log = deliveries(&running, &made).await;
        assert!(tokio::time::Instant::now() < deadline, "{log:?}");
        let delivered = |conversation: &str| {
            log.iter().filter(|line| line["conversation"] == conversation && line["outcome"] == "delivered").count()
        };
        let large = log.iter().filter(|line| line["conversation"] == "large").count();
        if delivered("small") == 2 && (large == 3 || delivered("large") == 1) {
            break log;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    // A delivery counts as delivered only after its response was read.
    for line in log.iter().filter(|line| line["conversation"] == "large") {
        assert!(["connection-lost", "timed-out", "delivered"].contains(&line["outcome"].as_str().unwrap()), "{line}");
    }
    assert!(answered.load(Ordering::Relaxed) >= 3);
    server.abort();
}

#[actix_rt::test]
async fn a_receiver_that_is_down_is_probed_one_by_one_and_gets_everything_when_it_is_back() {
    const CONVERSATIONS: usize = 40;
    let receiver = Receiver::start(|_| Behaviour::Answer(503));
    let running = service();
    let made = webhook(&running, &receiver, json!({ "retries": [0.05, 3600] })).await;
    for number in 0..5 {
        for conversation in 0..CONVERSATIONS {
            happen(&running, Some(&format!("c{conversation}")), number);
        }
    }
    until(&running, &made, |webhook| webhook["isReceiverDown"] == true && webhook["pending"] == 200).await;
    let before = receiver.received().len();
    assert!(before < CONVERSATIONS, "{before} attempts");
    receiver.behave(|_| Behaviour::Answer(200));
    patch(&running, &made, json!({ "url": receiver.url() })).await;
    receiver.until_accepted(5 * CONVERSATIONS).await;
    let found = until(&running, &made, |webhook| webhook["pending"] == 0).await;
    assert_eq!((&found["isReceiverDown"], &found["failingSince"]), (&json!(false), &json!(null)));
}

#[actix_rt::test]
async fn a_receiver_that_was_away_is_found_again_by_itself() {
    let running = service();
    let port = Port::free();
    let away = Receiver::start_at(port.number, |_| Behaviour::Answer(200));
    // Some of them while it is away, and the others have time until it is back.
    let retries: Vec<f64> = [0.05].into_iter().chain([1.0; 19]).collect();
    let made = webhook(&running, &away, json!({ "retries": retries })).await;
    away.stop().await;
    drop(away);
    happen(&running, Some("a"), 1);
    until(&running, &made, |webhook| webhook["lastError"].is_string()).await;
    let outcome = deliveries(&running, &made).await[0]["outcome"].clone();
    assert!(["unreachable", "connection-lost"].contains(&outcome.as_str().unwrap()), "{outcome}");
    let back = Receiver::start_at(port.number, |_| Behaviour::Answer(200));
    back.until_accepted(1).await;
}

/// Away for so short a time that only a few attempts failed: what waits for hours comes as soon as anything is
/// delivered.
#[actix_rt::test]
async fn a_success_brings_what_waits_of_other_conversations() {
    let receiver = Receiver::start(|_| Behaviour::Answer(503));
    let running = service();
    let made = webhook(&running, &receiver, json!({ "retries": [0.05, 3600] })).await;
    for conversation in ["a", "b"] {
        happen(&running, Some(conversation), 1);
    }
    // Each was tried twice, and is due in an hour.
    receiver.until(|received| received.len() == 4).await;
    until(&running, &made, |webhook| webhook["pending"] == 2 && webhook["isReceiverDown"] == false).await;
    receiver.behave(|_| Behaviour::Answer(200));
    happen(&running, Some("c"), 1);
    receiver.until_accepted(3).await;
    until(&running, &made, |webhook| webhook["pending"] == 0).await;
}

#[actix_rt::test]
async fn internal_addresses_are_refused_unless_the_configuration_allows_them() {
    let receiver = Receiver::willing();
    let running = Running::start("");
    for (url, code) in [
        (receiver.url(), "invalid-url"),
        (receiver.url().replace("http:", "https:"), "internal-address"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "internal-address"),
        ("https://[::ffff:10.0.0.1]/".to_owned(), "internal-address"),
        ("https://me:secret@example.com/".to_owned(), "invalid-url"),
    ] {
        let answer = running.post("/v1/webhooks", &json!({ "url": url })).await;
        assert_eq!(answer.problem(), (422, code), "{url}");
        assert!(!answer.text.contains("secret"));
    }
    // A name is looked at when it is dialled, each time.
    let url = receiver.url().replace("http:", "https:").replace("127.0.0.1", "localhost");
    let made = running.post("/v1/webhooks", &json!({ "url": url })).await.json;
    let tested = running.post(&format!("{}/test", path(&made)), &json!({})).await.json;
    assert_eq!((&tested["outcome"], &tested["delivered"]), (&json!("internal-address"), &json!(false)));
    assert!(receiver.received().is_empty());
}

/// The platform's authority is trusted for receivers too, and no other that is not public.
#[actix_rt::test]
async fn the_certificates_of_receivers_are_verified() {
    let running = service();
    let test = async |url: String| {
        let made = running.post("/v1/webhooks", &json!({ "url": url })).await.json;
        running.post(&format!("{}/test", path(&made)), &json!({})).await.json
    };
    // The stand-in answers 404 there, by TLS.
    let tested = test(format!("https://{}/hook", running.emulator.listen())).await;
    assert_eq!((&tested["outcome"], &tested["status"]), (&json!("client-error"), &json!(404)));
    let other = tertulia_emulator::Emulator::start(tertulia_emulator::EmulatorConfig::default()).unwrap();
    let tested = test(format!("https://{}/hook", other.listen())).await;
    assert_eq!((&tested["outcome"], &tested["status"]), (&json!("unreachable"), &json!(null)));
}

#[actix_rt::test]
async fn a_webhook_that_does_nothing_but_fail_is_disabled_and_goes_on_where_it_stopped() {
    let receiver = Receiver::start(|_| Behaviour::Answer(500));
    let running = Running::start(&format!("{WEBHOOKS}disable_after = \"200ms\"\n"));
    let made = webhook(&running, &receiver, json!({ "retries": vec![0.02; 20] })).await;
    happen(&running, Some("a"), 1);
    let disabled = until(&running, &made, |webhook| webhook["state"] == "disabled").await;
    assert_eq!((&disabled["reason"], disabled["failingSince"].is_string()), (&json!("failing"), true));
    assert!(receiver.received().len() > 1);
    let metrics = running.get("/metrics").await.text;
    assert!(metrics.contains("tertulia_webhook_disabled 1\n"), "{metrics}");
    happen(&running, Some("a"), 2);
    receiver.behave(|_| Behaviour::Answer(200));
    patch(&running, &made, json!({ "enabled": true })).await;
    receiver.until_accepted(2).await;
    let found = until(&running, &made, |webhook| webhook["pending"] == 0).await;
    assert_eq!((&found["state"], &found["failingSince"]), (&json!("enabled"), &json!(null)));
}
