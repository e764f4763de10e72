//! The HTTP interface as callers meet it (interfaces §3), in front of real actors and a platform stand-in.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod running;

use awc::http::Method;
use running::{BOT, PATIENCE, Running};
use serde_json::{Value, json};

/// A monitor that sees every conversation of the account and takes none.
const MONITOR: &str = r#"
[[connections]]
id = "monitor"
account = "12345678"
role = "brand"
login = { username = "bot2", password = { env = "PASSWORD" } }
subscribe = { agents = "all" }
"#;
const WRONG: &str = r#"
[[connections]]
id = "wrong"
account = "12345678"
role = "brand"
login = { username = "bot3", password = { env = "WRONG" } }
"#;
const TOKENS: &str = r#"
[gateway]
listen = "127.0.0.1:0"
tokens = [
    { name = "looker", token = { env = "READ_TOKEN" }, scope = "read" },
    { name = "ops", token = { env = "WRITE_TOKEN" }, scope = "write" },
]
"#;

fn messages(conversation: &str) -> String {
    format!("/v1/conversations/{conversation}/messages")
}

fn ids(answer: &Value, member: &str) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test]
async fn the_process_is_alive_whatever_the_platform_does_and_ready_once_each_connection_is() {
    let running = Running::start(&format!("{BOT}{WRONG}"));
    running.ready("bots-1").await;
    assert!(running.service.tertulia().ready(&"wrong".into(), PATIENCE).await.is_err());
    assert_eq!(running.get("/healthz").await.status, 200);
    let answer = running.get("/readyz").await;
    assert_eq!(answer.problem(), (503, "not-ready"));
    let reasons = json!([{ "connection": "wrong", "state": "failed", "failure": "credentials_refused" }]);
    assert_eq!(answer.json["reasons"], reasons);

    let running = Running::bot().await;
    let answer = running.get("/readyz").await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "ready": true })));
}

#[actix_rt::test]
async fn connections_are_listed_in_pages_with_what_keeps_them_from_being_ready() {
    let running = Running::start(&format!("{BOT}{MONITOR}{WRONG}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    assert!(running.service.tertulia().ready(&"wrong".into(), PATIENCE).await.is_err());

    let first = running.get("/v1/connections?limit=2").await.json;
    assert_eq!(ids(&first, "id"), ["bots-1", "monitor"]);
    assert_eq!(first["items"][0]["state"], "ready");
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = running.get(&format!("/v1/connections?limit=2&cursor={cursor}")).await.json;
    assert_eq!(ids(&second, "id"), ["wrong"]);
    assert!(second["nextCursor"].is_null());

    let wrong = running.get("/v1/connections/wrong").await.json;
    assert_eq!((&wrong["state"], &wrong["failure"]), (&json!("failed"), &json!("credentials_refused")));
    assert!(wrong["lastError"].as_str().unwrap().contains("401") && wrong["since"].is_string());
    assert_eq!(running.get("/v1/connections/none").await.problem(), (404, "unknown-connection"));
}

#[actix_rt::test]
async fn a_conversation_is_found_over_all_connections_with_the_members_of_the_class_page() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let found = running.get(&format!("/v1/conversations/{id}")).await.json;
    assert_eq!((&found["connection"], &found["conversationId"]), (&json!("bots-1"), &json!(id)));
    assert_eq!((&found["stage"], &found["notificationIgnoredCount"]), (&json!("OPEN"), &json!(0)));
    assert!(found["ttrEffective"].is_number() && found["dialogs"].is_array());
    let answer = running.get("/v1/conversations/none").await;
    assert_eq!(answer.problem(), (404, "unknown-conversation"));
    let answer = running.get(&format!("/v1/conversations/{id}?connection=none")).await;
    assert_eq!(answer.problem(), (404, "unknown-connection"));
}

#[actix_rt::test]
async fn every_conversation_is_in_exactly_one_page() {
    let mut running = Running::start(&format!("{BOT}{MONITOR}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        let id = running.emulator.create_conversation(None, None);
        // Both connections tell of it.
        running.heard("conversation", &id).await;
        running.heard("conversation", &id).await;
        expected.extend([(id.clone(), "bots-1".to_owned()), (id, "monitor".to_owned())]);
    }
    expected.sort();

    let mut listed = Vec::new();
    let mut path = "/v1/conversations?limit=3".to_owned();
    loop {
        let page = running.get(&path).await.json;
        listed.extend(ids(&page, "conversationId").into_iter().zip(ids(&page, "connection")));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/conversations?limit=3&cursor={cursor}");
    }
    assert_eq!(listed, expected);
    let own = running.get("/v1/conversations?connection=monitor").await.json;
    assert_eq!(ids(&own, "connection"), ["monitor"; 5]);
}

#[actix_rt::test]
async fn text_and_rich_text_are_published_and_answered_with_their_sequence() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = messages(&id);
    let metadata = json!([{ "type": "Source", "id": "test" }]);
    let text = json!({ "text": "hi", "metadata": metadata, "dialog": id });
    let answer = running.post(&path, &text).await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "sequence": 1 })), "{}", answer.text);
    let rich = json!({ "richText": { "type": "text", "text": "rich" } });
    assert_eq!(running.post(&path, &rich).await.json, json!({ "sequence": 2 }));
    let private = json!({ "text": "between us", "private": true });
    assert_eq!(running.post(&path, &private).await.json, json!({ "sequence": 3 }));

    let ledger = running.emulator.ledger();
    let said: Vec<_> = ledger.iter().map(|entry| (entry.audience, entry.text)).skip(1).collect();
    let texts: Vec<_> = said.iter().map(|(audience, text)| (audience.as_str(), text.as_deref())).collect();
    assert_eq!((texts[0], texts[2]), (("ALL", Some("hi")), ("AGENTS_AND_MANAGERS", Some("between us"))));
}

#[actix_rt::test]
async fn a_message_that_cannot_be_sent_is_refused_with_its_stable_code() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = messages(&id);
    for (body, expected) in [
        (json!({ "text": "" }), (422, "text-empty")),
        (json!({ "text": "x".repeat(8_001) }), (422, "text-too-long")),
        (json!({ "richText": { "no": "type" } }), (422, "rich-text-invalid")),
        (json!({ "text": "x", "dialog": "none" }), (404, "unknown-dialog")),
        (json!({ "text": "x", "richText": {} }), (400, "bad-request")),
        (json!({ "text": "x", "subject": "y" }), (400, "bad-request")),
        (json!({}), (400, "bad-request")),
        (json!({ "text": "x".repeat(600_000) }), (413, "body-too-large")),
    ] {
        assert_eq!(running.post(&path, &body).await.problem(), expected);
    }
    let answer = running.post(&messages("none"), &json!({ "text": "x" })).await;
    assert_eq!(answer.problem(), (404, "unknown-conversation"));
    let answer = running.request(Method::POST, &path, &[], None).await;
    assert_eq!(answer.problem(), (415, "not-json"));

    running.emulator.close_conversation(&id).unwrap();
    running.heard("close", &id).await;
    let answer = running.post(&path, &json!({ "text": "too late" })).await;
    assert_eq!(answer.problem(), (409, "no-open-dialog"));
}

#[actix_rt::test]
async fn a_refusal_of_the_platform_is_told_with_its_code_and_words() {
    let mut running = Running::start(MONITOR);
    running.ready("monitor").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard("conversation", &id).await;
    // The monitor takes no part, and the platform lets nobody else speak.
    let answer = running.post(&messages(&id), &json!({ "text": "let me in" })).await;
    assert_eq!(answer.problem(), (422, "platform-rejected"));
    assert!(answer.json["platformCode"].is_number() && answer.json["platformText"].is_string(), "{}", answer.text);
}

#[actix_rt::test]
async fn where_several_connections_could_act_one_must_be_named() {
    let mut running = Running::start(&format!("{BOT}{MONITOR}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    let id = running.emulator.create_conversation(None, None);
    running.heard("conversation", &id).await;
    running.heard("conversation", &id).await;
    let text = json!({ "text": "who speaks?" });
    let answer = running.post(&messages(&id), &text).await;
    assert_eq!(answer.problem(), (409, "ambiguous-connection"));
    assert_eq!(answer.json["connections"].as_array().unwrap().len(), 2);
    let answer = running.post(&format!("{}?connection=bots-1", messages(&id)), &text).await;
    assert_eq!(answer.json, json!({ "sequence": 0 }));
}

#[actix_rt::test]
async fn the_same_key_and_body_act_once_and_get_the_same_answer() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = messages(&id);
    let body = json!({ "text": "once" }).to_string();
    let send = |key: &'static str, body: String| {
        let (running, path) = (&running, &path);
        async move { running.request(Method::POST, path, &[("idempotency-key", key)], Some(body)).await }
    };
    let together =
        futures_util::future::join_all([send("k1", body.clone()), send("k1", body.clone()), send("\"k1\"", body)]);
    for answer in together.await {
        assert_eq!((answer.status, &answer.json), (200, &json!({ "sequence": 1 })));
    }
    let other = json!({ "text": "twice" }).to_string();
    assert_eq!(send("k1", other.clone()).await.problem(), (422, "key-reused"));
    assert_eq!(send("k2", other.clone()).await.json, json!({ "sequence": 2 }));
    assert_eq!(send("", other).await.problem(), (400, "bad-key"));
    assert_eq!(running.emulator.summary().agent_messages, 2);
}

#[actix_rt::test]
async fn a_key_whose_command_was_refused_before_it_was_sent_can_be_used_again() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let (path, header) = (messages(&id), [("idempotency-key", "k1")]);
    let send = |text| running.request(Method::POST, &path, &header, Some(json!({ "text": text }).to_string()));
    assert_eq!(send("").await.problem(), (422, "text-empty"));
    assert_eq!(send("better").await.json, json!({ "sequence": 1 }));
}

#[actix_rt::test]
async fn with_tokens_one_is_needed_and_its_scope_says_for_what() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.ready("bots-1").await;
    let id = running.conversation().await;
    let text = json!({ "text": "hi" });
    for token in [None, Some("guess"), Some("reader-and-more"), Some("")] {
        running.token = token;
        for path in ["/v1/connections", "/v1/events", "/metrics"] {
            let answer = running.get(path).await;
            assert_eq!(answer.problem(), (401, "unauthenticated"), "{token:?} {path}");
            assert_eq!(answer.authenticate, "Bearer");
        }
        assert_eq!(running.post(&messages(&id), &text).await.problem(), (401, "unauthenticated"));
        assert_eq!((running.get("/healthz").await.status, running.get("/readyz").await.status), (200, 200));
    }
    running.token = Some("reader");
    assert_eq!(running.get("/v1/connections").await.status, 200);
    assert_eq!(running.get("/metrics").await.status, 200);
    assert_eq!(running.post(&messages(&id), &text).await.problem(), (403, "not-permitted"));
    running.token = Some("writer");
    assert_eq!(running.get("/v1/connections").await.status, 200);
    assert_eq!(running.post(&messages(&id), &text).await.status, 200);
}

#[actix_rt::test]
async fn without_tokens_a_page_that_reaches_loopback_by_a_name_of_its_own_is_refused() {
    let running = Running::bot().await;
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1"] {
        let answer = running.request(Method::GET, "/v1/connections", &[("host", host)], None).await;
        assert_eq!(answer.problem(), (403, "not-permitted"), "{host}");
    }
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"] {
        let answer = running.request(Method::GET, "/v1/connections", &[("host", host)], None).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[actix_rt::test]
async fn every_error_is_a_problem() {
    let running = Running::bot().await;
    for (method, path, expected) in [
        (Method::GET, "/nothing", (404, "not-found")),
        (Method::GET, "/v1/nothing", (404, "not-found")),
        (Method::DELETE, "/healthz", (405, "method-not-allowed")),
        (Method::PUT, "/v1/connections", (405, "method-not-allowed")),
        (Method::GET, "/v1/connections?limit=0", (400, "bad-request")),
        (Method::GET, "/v1/connections?limit=1001", (400, "bad-request")),
        (Method::GET, "/v1/connections?limit=x", (400, "bad-request")),
        (Method::GET, "/v1/conversations?order=asc", (400, "bad-request")),
        (Method::GET, "/v1/conversations?cursor=x", (400, "bad-request")),
        (Method::GET, "/v1/events?speed=fast", (400, "bad-request")),
    ] {
        assert_eq!(running.request(method, path, &[], None).await.problem(), expected, "{path}");
    }
}

#[actix_rt::test]
async fn what_is_counted_is_there_for_prometheus() {
    let mut running = Running::bot().await;
    running.conversation().await;
    let answer = running.get("/metrics").await;
    assert!(answer.content_type.starts_with("application/openmetrics-text"), "{}", answer.content_type);
    let value = |name: &str| {
        let line = answer.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {}", answer.text)).parse::<u64>().unwrap()
    };
    assert_eq!((value("tertulia_connections_ready"), value("tertulia_conversations")), (1, 1));
    assert!(value("tertulia_frames_total") > 0 && value("process_resident_memory_bytes") > 1_000_000);
    assert!(answer.text.ends_with("# EOF\n"));
}

#[actix_rt::test]
async fn events_are_streamed_as_they_happen_and_only_those_asked_for() {
    let mut running = Running::bot().await;
    let mut all = running.follow("/v1/events", &[]).await;
    let mut messages_only = running.follow("/v1/events?type=tertulia.message&type=close&connection=bots-1", &[]).await;
    let mut elsewhere = running.follow("/v1/events?connection=none", &[]).await;
    let mut other = running.follow("/v1/events?conversation=none", &[]).await;
    // A comment comes at once: from here on nothing is missed.
    for stream in [&mut all, &mut messages_only, &mut elsewhere, &mut other] {
        let block = stream.block().await.unwrap();
        assert!(block.ends_with("\n: heartbeat"), "{block}");
    }
    let id = running.conversation().await;
    running.emulator.close_conversation(&id).unwrap();

    let message = messages_only.event().await;
    assert_eq!((&message["type"], &message["subject"]), (&json!("tertulia.message"), &json!(id)));
    assert_eq!((&message["specversion"], &message["data"]["body"]), (&json!("1.0"), &json!("hello")));
    assert_eq!(messages_only.event().await["type"], "tertulia.close");
    let block = all.block().await.unwrap();
    let (id_line, data) = block.split_once("\ndata: ").unwrap();
    let event: Value = serde_json::from_str(data).unwrap();
    assert_eq!(id_line, format!("id: {}", event["id"].as_str().unwrap()));

    running.service.stop(PATIENCE).await;
    // Nothing of another conversation or connection came before the end.
    assert_eq!((elsewhere.block().await, other.block().await), (None, None));
}

/// Interfaces §4: a cursor of another log is answered with a gap; what comes from now on follows.
#[actix_rt::test]
async fn whoever_comes_with_an_unknown_cursor_is_told_that_something_is_missing() {
    let mut running = Running::bot().await;
    let by_header = running.follow("/v1/events?after=old&type=message", &[("last-event-id", "epoch-7")]).await;
    let by_query = running.follow("/v1/events?after=epoch-7&type=message", &[]).await;
    let mut streams = [by_header, by_query];
    for stream in &mut streams {
        let gap = stream.event().await;
        assert_eq!((&gap["type"], &gap["data"]["snapshot"]), (&json!("tertulia.gap"), &json!("/v1/conversations")));
    }
    running.conversation().await;
    for stream in &mut streams {
        assert_eq!(stream.event().await["type"], "tertulia.message");
    }
}

/// Promise 1 and interfaces §4: whoever comes back with the id of the last event that they saw goes on behind it, each
/// event once, over the end of a service too.
#[actix_rt::test]
async fn a_stream_goes_on_behind_the_last_event_that_was_seen() {
    const SAID: usize = 12;
    let mut running = Running::bot().await;
    let mut stream = running.follow("/v1/events", &[]).await;
    let id = running.conversation().await;
    let (mut heard, mut sequences, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    for round in 0..SAID {
        running.emulator.say(&id, &round.to_string()).unwrap();
        while heard.last() != Some(&round.to_string()) {
            let event = stream.event().await;
            if event["subject"] != *id {
                continue;
            }
            cursor = Some(event["id"].as_str().unwrap().to_owned());
            sequences.push(event["sequence"].as_str().unwrap().parse::<u64>().unwrap());
            if event["type"] == "tertulia.message" {
                heard.push(event["data"]["body"].as_str().unwrap().to_owned());
            }
        }
        if round % 4 == 3 {
            running = running.restart().await;
        }
        let header = [("last-event-id", cursor.as_deref().unwrap())];
        stream = running.follow(&format!("/v1/events?conversation={id}"), &header).await;
    }
    let said = (0..SAID).map(|round| round.to_string());
    assert_eq!(heard, std::iter::once("hello".to_owned()).chain(said).collect::<Vec<_>>());
    assert_eq!(sequences, (1..).take(sequences.len()).collect::<Vec<_>>());
}

/// Interfaces §3 and promise 5: the same key and body give the same answer and act once, after a restart too.
#[actix_rt::test]
async fn a_key_acts_once_over_restarts() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let send = async |running: &Running, text: &str| {
        let body = json!({ "text": text }).to_string();
        running.request(Method::POST, &messages(&id), &[("idempotency-key", "k")], Some(body)).await
    };
    assert_eq!(send(&running, "once").await.json, json!({ "sequence": 1 }));
    running = running.restart().await;
    running.ready("bots-1").await;
    assert_eq!(send(&running, "once").await.json, json!({ "sequence": 1 }));
    assert_eq!(send(&running, "twice").await.problem(), (422, "key-reused"));
    let said = running.emulator.ledger().iter().filter_map(|entry| entry.text).collect::<Vec<_>>();
    assert_eq!(said, ["hello", "once"]);
}

#[actix_rt::test]
async fn a_connection_of_a_consumer_is_served_too() {
    let running = Running::start("[[connections]]\nid = \"ann\"\naccount = \"12345678\"\nrole = \"consumer\"");
    running.ready("ann").await;
    assert_eq!(running.get("/readyz").await.status, 200);
}

/// WH-1, WH-3: the platform's signature vouches for a webhook; a wrong one is refused with 401 and counted. The
/// signature is the test vector of protocol §10.4.
#[actix_rt::test]
async fn a_webhook_is_taken_by_its_signature_alone() {
    const SHOP: &str = r#"
[[connections]]
id = "shop"
account = "12345678"
role = "connector"
login = { app_key = "app", secret = { env = "APP_SECRET" } }
"#;
    const BODY: &str = r#"{"kind":"notification","body":{"changes":[]},"type":"ms.MessagingEventNotification"}"#;
    const SIGNATURE: &str = "sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=";
    let running = Running::start(SHOP);
    let post = |path: &'static str, signature: &'static str, body: &'static str| {
        let headers = [("x-liveperson-signature", signature)];
        let running = &running;
        async move { running.request(Method::POST, path, &headers, Some(body.to_owned())).await }
    };
    assert_eq!(post("/v1/intake/shop", SIGNATURE, BODY).await.status, 200);
    let refused = post("/v1/intake/shop", SIGNATURE, "{}").await;
    assert_eq!((refused.status, refused.json["code"].as_str()), (401, Some("bad-signature")));
    let unknown = post("/v1/intake/nobody", SIGNATURE, BODY).await;
    assert_eq!((unknown.status, unknown.json["code"].as_str()), (404, Some("unknown-connection")));
    assert_eq!(running.service.tertulia().metrics().webhooks_refused.get(), 1);
}
