//! Receivers with replies: the commands of an answer, their order, and answers that fail.

use awc::http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    WEBHOOKS, deliveries, patch, path,
    receiver::{Behaviour, Received, Receiver},
    service, until, webhook,
};
use crate::{
    gateway::MONITOR,
    running::{self, BOT, Running},
};

/// A bot, or another connection, in front of receivers on this machine.
async fn running(connection: &str, name: &str) -> Running {
    let running = Running::start(&format!("{connection}{WEBHOOKS}"));
    running.ready(name).await;
    running
}

/// Answers messages of consumers with the body from `answer`, and all other events with 204.
fn answering(answer: impl Fn(&Received) -> Behaviour + Send + Sync + 'static) -> Receiver {
    Receiver::start(move |received| match received.event["data"]["role"] == "CONSUMER" {
        true => answer(received),
        false => Behaviour::Answer(204),
    })
}

fn saying(answer: Value) -> Receiver {
    answering(move |_| Behaviour::Say(answer.to_string()))
}

async fn replies_to(running: &Running, receiver: &Receiver) -> Value {
    webhook(running, receiver, json!({ "replies": true, "filter": { "type": ["message"] }, "retries": [0.01, 0.01] }))
        .await
}

/// The messages in a conversation that are not from consumers: the kind, the audience and the text.
fn said(running: &Running, conversation: &str) -> Vec<(String, String, String)> {
    let ledger = running.emulator.ledger();
    let own = ledger.iter().filter(|entry| entry.conversation == conversation && entry.role != "CONSUMER");
    let content = own.filter(|entry| entry.kind != "AcceptStatusEvent");
    content.map(|entry| (entry.kind, entry.audience, entry.text.unwrap_or_default())).collect()
}

fn text(text: &str) -> (String, String, String) {
    ("ContentEvent".to_owned(), "ALL".to_owned(), text.to_owned())
}

async fn letters(running: &Running) -> Vec<Value> {
    running.get("/v1/dead-letters").await.json["items"].as_array().unwrap().clone()
}

/// Waits for one dead letter; its reason.
async fn letter(running: &Running) -> Value {
    let deadline = tokio::time::Instant::now() + running::PATIENCE;
    loop {
        if let [letter] = &letters(running).await[..] {
            return letter.clone();
        }
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(running::LOOK_EVERY).await;
    }
}

#[actix_rt::test]
async fn the_commands_of_an_answer_run_in_order_and_their_events_have_the_key_and_the_webhook() {
    let mut running = running(BOT, "bots-1").await;
    let receiver = saying(json!({
        "close": { "survey": false },
        "messages": [
            { "text": "Hello" },
            { "richText": { "type": "vertical", "elements": [] } },
            { "text": "between us", "private": true },
        ],
        "typing": true,
    }));
    let hook = replies_to(&running, &receiver).await;
    assert_eq!(hook["replies"], true);
    let id = running.emulator.create_conversation(None, None);
    running.emulator.say(&id, "hi").unwrap();
    let mut commands = Vec::new();
    for _ in 0..5 {
        commands.push(running.heard_by("bots-1", "command-sent", &id).await);
    }
    let rich = ("RichContentEvent".to_owned(), "ALL".to_owned(), String::new());
    let private = ("ContentEvent".to_owned(), "AGENTS_AND_MANAGERS".to_owned(), "between us".to_owned());
    assert_eq!(said(&running, &id), [text("Hello"), rich, private]);

    let names = ["chat-state", "send-text", "send-rich-text", "send-text", "close-at-once"];
    assert_eq!(commands.iter().map(|it| &it["command"]).collect::<Vec<_>>(), names);
    let event = &receiver.received().into_iter().find(|it| it.event["data"]["role"] == "CONSUMER").unwrap().id;
    let keys = (0..4).map(|number| format!("{event}/{number}"));
    assert_eq!(
        commands.iter().skip(1).map(|it| it["key"].as_str().unwrap()).collect::<Vec<_>>(),
        keys.collect::<Vec<_>>()
    );
    let caller = format!("webhook:{}", hook["id"].as_str().unwrap());
    assert!(commands.iter().all(|it| it["caller"] == caller), "{commands:?}");
    assert!(letters(&running).await.is_empty());
}

#[actix_rt::test]
async fn a_conversation_is_transferred_after_the_last_message() {
    let mut running = running(BOT, "bots-1").await;
    let receiver =
        saying(json!({ "transfer": { "skillId": "502" }, "messages": [{ "text": "a colleague takes over" }] }));
    replies_to(&running, &receiver).await;
    let id = running.conversation().await;
    let is_moved = |change: &tertulia_emulator::ChangeRequest| change.fields.iter().any(|field| field == "Skill");
    running::until(|| running.emulator.changes().iter().any(is_moved)).await;
    assert_eq!(said(&running, &id), [text("a colleague takes over")]);
    assert!(letters(&running).await.is_empty());
}

#[actix_rt::test]
async fn the_next_message_of_a_conversation_is_delivered_after_the_previous_reply_was_accepted() {
    let running = running(BOT, "bots-1").await;
    let receiver = answering(|received| {
        let said = received.event["data"]["body"].as_str().unwrap();
        let parts = ["a", "b", "c"].map(|part| json!({ "text": format!("{part} {said}") }));
        Behaviour::Say(json!({ "messages": parts }).to_string())
    });
    replies_to(&running, &receiver).await;
    let conversations: Vec<_> = (0..5).map(|_| running.emulator.create_conversation(None, None)).collect();
    for number in 0..6 {
        for id in &conversations {
            running.emulator.say(id, &number.to_string()).unwrap();
        }
    }
    let expected: Vec<_> =
        (0..6).flat_map(|number| ["a", "b", "c"].map(|part| text(&format!("{part} {number}")))).collect();
    for id in &conversations {
        running::until(|| said(&running, id).len() >= expected.len()).await;
        assert_eq!(said(&running, id), expected);
    }
    assert_eq!(receiver.most_together(), 1);
}

#[actix_rt::test]
async fn an_empty_answer_and_the_answer_to_a_webhook_without_replies_have_no_effect() {
    let mut running = running(BOT, "bots-1").await;
    let (silent, empty) = (answering(|_| Behaviour::Answer(204)), saying(json!({})));
    let deaf = saying(json!({ "messages": [{ "text": "not asked for" }] }));
    let hooks = [replies_to(&running, &silent).await, replies_to(&running, &empty).await];
    let without = webhook(&running, &deaf, json!({ "filter": { "type": ["message"] } })).await;
    assert_eq!(without["replies"], false);
    let id = running.conversation().await;
    for receiver in [&silent, &empty, &deaf] {
        receiver.until_accepted(1).await;
    }
    for hook in hooks.iter().chain([&without]) {
        until(&running, hook, |hook| hook["lastDelivery"].is_string() && hook["pending"] == 0).await;
        assert_eq!(deliveries(&running, hook).await[0]["outcome"], "delivered");
    }
    assert!(said(&running, &id).is_empty() && letters(&running).await.is_empty());
}

#[actix_rt::test]
async fn an_event_with_an_invalid_answer_becomes_a_dead_letter_and_is_not_delivered_again() {
    let running = running(BOT, "bots-1").await;
    let many = json!({ "messages": vec![json!({ "text": "a" }); 21] }).to_string();
    let long = json!({ "messages": [{ "text": "x".repeat(64 * 1024) }] }).to_string();
    for (body, why) in [
        ("OK".to_owned(), "not a JSON object"),
        ("[]".to_owned(), "not a JSON object"),
        ("{\"mesages\":[]}".to_owned(), "unknown field"),
        ("{\"messages\":[{}]}".to_owned(), "message 1 must have either a text or a richText"),
        (many, "21 messages"),
        (long, "65536 bytes"),
    ] {
        let receiver = answering(move |_| Behaviour::Say(body.clone()));
        let hook = replies_to(&running, &receiver).await;
        let id = running.emulator.create_conversation(None, None);
        running.emulator.say(&id, "hi").unwrap();
        let letter = letter(&running).await;
        assert!(letter["reason"].as_str().unwrap().contains(why), "{letter}");
        assert_eq!((&letter["kind"], &letter["conversation"]), (&json!("delivery"), &json!(id)));
        assert_eq!(letter["subscriber"], format!("webhook:{}", hook["id"].as_str().unwrap()));
        let line = &deliveries(&running, &hook).await[0];
        assert_eq!(
            (&line["outcome"], &line["status"], &line["nextTry"]),
            (&json!("unusable-reply"), &json!(200), &json!(null))
        );
        let heard = receiver.received().into_iter().filter(|received| received.event["subject"] == id.as_str()).count();
        assert_eq!((said(&running, &id).len(), heard), (0, 1), "{why}");

        // After a replay, the receiver gives a valid answer.
        receiver.behave(|_| Behaviour::Say(json!({ "messages": [{ "text": "better" }] }).to_string()));
        let replay = format!("/v1/dead-letters/{}/replay", letter["id"].as_str().unwrap());
        assert_eq!(running.post(&replay, &json!(null)).await.status, 204);
        running::until(|| said(&running, &id) == [text("better")]).await;
        assert!(letters(&running).await.is_empty());
        assert_eq!(running.request(Method::DELETE, &path(&hook), &[], None).await.status, 204);
    }
}

#[actix_rt::test]
async fn a_refused_command_makes_a_dead_letter_with_the_reason_and_the_other_commands_run() {
    let running = running(BOT, "bots-1").await;
    let long = "x".repeat(8_001);
    let receiver = saying(json!({ "messages": [{ "text": "first" }, { "text": long }, { "text": "last" }] }));
    replies_to(&running, &receiver).await;
    let id = running.emulator.create_conversation(None, None);
    running.emulator.say(&id, "hi").unwrap();
    let letter = letter(&running).await;
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.contains("/1 (send-text)") && reason.contains("failed: "), "{reason}");
    running::until(|| said(&running, &id).len() == 2).await;
    assert_eq!(said(&running, &id), [text("first"), text("last")]);
    let heard = receiver.received().into_iter().filter(|it| it.event["data"]["role"] == "CONSUMER").count();
    assert_eq!(heard, 1, "not delivered again");
}

#[actix_rt::test]
async fn a_command_that_the_platform_refuses_makes_a_dead_letter_with_the_platforms_reason() {
    let running = running(MONITOR, "monitor").await;
    let receiver = Receiver::start(|_| Behaviour::Say(json!({ "messages": [{ "text": "let me in" }] }).to_string()));
    let hook = webhook(&running, &receiver, json!({ "replies": true, "filter": { "type": ["conversation"] } })).await;
    running.emulator.create_conversation(None, None);
    // The monitor is not a participant, and only participants may send.
    let letter = letter(&running).await;
    assert!(letter["reason"].as_str().unwrap().contains("/0 (send-text)"), "{letter}");
    assert_eq!(letter["connection"], "monitor");
    assert_eq!(deliveries(&running, &hook).await[0]["outcome"], "delivered");
    assert_eq!(receiver.received().len(), 1);
}

#[actix_rt::test]
async fn an_answer_that_breaks_off_or_does_not_end_is_a_failure_and_is_tried_again() {
    let running = Running::start(&format!("{BOT}{WEBHOOKS}attempt_within = \"500ms\"\n"));
    running.ready("bots-1").await;
    let receiver = answering(|_| Behaviour::Break);
    let hook = replies_to(&running, &receiver).await;
    let id = running.emulator.create_conversation(None, None);
    running.emulator.say(&id, "hi").unwrap();
    receiver.until(|received| !received.is_empty()).await;
    receiver.behave(|_| Behaviour::Dawdle);
    receiver.until(|received| received.iter().any(|received| received.accepted)).await;
    receiver.behave(|_| Behaviour::Say(json!({ "messages": [{ "text": "at last" }] }).to_string()));
    assert_eq!(patch(&running, &hook, json!({ "retries": vec![0.01; 20] })).await.status, 200);
    running::until(|| said(&running, &id) == [text("at last")]).await;
    let outcomes: Vec<_> = deliveries(&running, &hook).await.iter().map(|line| line["outcome"].clone()).collect();
    assert!(outcomes.contains(&json!("connection-lost")) && outcomes.contains(&json!("timed-out")), "{outcomes:?}");
}

#[actix_rt::test]
async fn a_reply_to_an_event_without_a_conversation_becomes_a_dead_letter() {
    let running = service();
    let receiver = Receiver::start(|_| Behaviour::Say(json!({ "messages": [{ "text": "hello?" }] }).to_string()));
    webhook(&running, &receiver, json!({ "replies": true })).await;
    super::happen(&running, None, 0);
    let letter = letter(&running).await;
    assert!(letter["reason"].as_str().unwrap().contains("belongs to no conversation"), "{letter}");
}

#[actix_rt::test]
async fn replies_need_order_and_can_be_switched_and_a_test_event_shows_whether_the_answer_is_valid() {
    let running = service();
    let receiver = Receiver::start(|_| Behaviour::Say("fine".to_owned()));
    let unordered = json!({ "url": receiver.url(), "replies": true, "ordered": false });
    assert_eq!(running.post("/v1/webhooks", &unordered).await.problem(), (422, "unordered-replies"));
    let hook = webhook(&running, &receiver, json!({ "ordered": false })).await;
    assert_eq!(patch(&running, &hook, json!({ "replies": true })).await.problem(), (422, "unordered-replies"));

    let hook = webhook(&running, &receiver, json!({})).await;
    let test = format!("{}/test", path(&hook));
    assert_eq!(running.post(&test, &json!(null)).await.json["outcome"], "delivered");
    assert_eq!(patch(&running, &hook, json!({ "replies": true })).await.json["replies"], true);
    let tested = running.post(&test, &json!(null)).await.json;
    assert_eq!((&tested["outcome"], &tested["answer"]), (&json!("unusable-reply"), &json!("fine")), "{tested}");
    receiver.behave(|_| Behaviour::Say(json!({ "messages": [{ "text": "hi" }] }).to_string()));
    assert_eq!(running.post(&test, &json!(null)).await.json["outcome"], "delivered");
}

/// Answers the first request with an answer that breaks off, and the others with a complete one.
async fn breaking_off(listener: TcpListener, cut: &'static str) {
    let complete = r#"{"messages":[{"text":"complete"}]}"#;
    let complete = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{complete}", complete.len());
    for answer in [cut, &complete].into_iter().chain(std::iter::repeat("HTTP/1.1 204 No Content\r\n\r\n")) {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (mut request, mut piece) = (Vec::new(), [0; 4096]);
        // The body of a delivery is one object.
        while !(request.ends_with(b"}") && request.windows(4).any(|part| part == b"\r\n\r\n")) {
            let length = socket.read(&mut piece).await.unwrap();
            assert_ne!(length, 0, "the delivery breaks off");
            request.extend_from_slice(&piece[..length]);
        }
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
    }
}

#[actix_rt::test]
async fn an_answer_that_breaks_off_fails_the_delivery_and_is_never_carried_out() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"messages\":[{\"text\":\"cut\"}]}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1e\r\n{\"messages\":[{\"text\":\"cut!\"}]}\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n",
    ] {
        let mut running = running(BOT, "bots-1").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        actix_rt::spawn(breaking_off(listener, cut));
        let filter = json!({ "type": ["message"] });
        let definition = json!({ "url": url, "replies": true, "filter": filter, "retries": [0.01, 0.01] });
        assert_eq!(running.post("/v1/webhooks", &definition).await.status, 201);
        let id = running.conversation().await;
        running.heard("command-sent", &id).await;
        assert_eq!(said(&running, &id), [text("complete")], "{cut}");
        assert_eq!(letters(&running).await, Vec::<Value>::new());
    }
}
