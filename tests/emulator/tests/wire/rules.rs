//! Rules of refusal, over real sockets and real HTTP: they refuse the named requests, and no others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultRule, Outcome, RuleCounts, RuleId};

use crate::client::{End, PATIENCE, Socket, get, http, login, post, signup};

const LOGIN: &str = "/api/account/12345678/login?v=1.3";
const DISCOVERY: &str = "/api/account/12345678/service/baseURI.json?version=1.0";

fn start() -> Emulator {
    let control = Some("127.0.0.1:0".parse().unwrap());
    Emulator::start(EmulatorConfig { control, ..EmulatorConfig::default() }).unwrap()
}

fn rule(emulator: &Emulator, rule: FaultRule) -> RuleId {
    emulator.add_rule(rule).unwrap()
}

fn say(id: &str, text: &str) -> Value {
    json!({"conversationId": id, "dialogId": id,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text}})
}

async fn code(socket: &mut Socket, kind: &str, body: Value) -> u64 {
    socket.request(kind, body).await["code"].as_u64().unwrap()
}

/// A conversation in which the agent takes part and the consumer has said some words.
async fn joined(emulator: &Emulator, agent: &mut Socket, words: usize) -> String {
    let id = emulator.create_conversation(None, None);
    let join = json!([{"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT"}]);
    agent.ask(".ams.cm.UpdateConversationField", json!({"conversationId": id, "conversationField": join})).await;
    for word in 0..words {
        emulator.say(&id, &word.to_string()).unwrap();
    }
    id
}

#[actix_web::test]
async fn the_named_request_of_the_named_user_is_refused_as_often_as_asked_and_no_other_is() {
    let emulator = start();
    let mut one = Socket::agent(&emulator, "bot1").await;
    let mut two = Socket::agent(&emulator, "bot2").await;
    for (kind, body) in [
        (".ams.aam.SubscribeExConversations", json!({})),
        (".ams.routing.SubscribeRoutingTasks", json!({})),
        (".ams.routing.SetAgentState", json!({"availability": "ONLINE"})),
        (".ams.ms.GenerateURLForUploadFile", json!({"fileSize": 5, "fileType": "PNG"})),
        (".GetClock", json!({})),
    ] {
        let name = kind.rsplit('.').next().unwrap();
        let id = rule(&emulator, FaultRule::new(name, Outcome::Code(403)).user("bot1").times(2));
        assert!(code(&mut two, kind, body.clone()).await < 300, "{name}");
        let answer = one.request(kind, body.clone()).await;
        assert_eq!((&answer["code"], &answer["body"]), (&json!(403), &json!("Forbidden")), "{name}");
        assert_eq!(code(&mut one, kind, body.clone()).await, 403, "{name}");
        assert!(code(&mut one, kind, body).await < 300, "{name}");
        assert_eq!(emulator.rule_counts(id), Some(RuleCounts { granted: 1, refused: 2 }));
    }
    assert_eq!(emulator.summary().faults, 10);
}

#[actix_web::test]
async fn a_ring_is_refused_by_its_conversation() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    agent.ask(".ams.routing.SubscribeRoutingTasks", json!({})).await;
    agent.ask(".ams.routing.SetAgentState", json!({"availability": "ONLINE"})).await;
    let id = emulator.create_conversation(None, Some("501"));
    rule(&emulator, FaultRule::new("UpdateRingState", Outcome::Code(429)).conversation(&id));
    let rings = |body: &Value| body["changes"][0]["result"]["ringsDetails"][0]["ringState"] == "WAITING";
    let ring = agent.notification(".ams.routing.RoutingTaskNotification", rings).await;
    let ring = &ring["changes"][0]["result"]["ringsDetails"][0]["ringId"];
    let accept = json!({"ringId": ring, "ringState": "ACCEPTED"});
    assert_eq!(code(&mut agent, ".ams.routing.UpdateRingState", accept.clone()).await, 429);
    assert_eq!(code(&mut agent, ".ams.routing.UpdateRingState", accept).await, 202);
}

#[actix_web::test]
async fn one_conversations_history_fails_for_ever_or_never_comes_while_another_is_read() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let broken = joined(&emulator, &mut agent, 1).await;
    let silent = joined(&emulator, &mut agent, 1).await;
    let sound = joined(&emulator, &mut agent, 1).await;
    rule(&emulator, FaultRule::new("QueryMessages", Outcome::Code(500)).conversation(&broken).always());
    rule(&emulator, FaultRule::new("QueryMessages", Outcome::Never).conversation(&silent).always());
    let query = |id: &str| json!({"kind": "req", "id": id, "type": ".ams.ms.QueryMessages", "body": {"dialogId": id}});
    agent.raw(query(&silent).to_string()).await;
    for _ in 0..3 {
        assert_eq!(agent.send(&query(&broken)).await["code"], 500);
    }
    assert_eq!(agent.send(&query(&sound)).await["code"], 200);
    let unasked = agent.request(".GetClock", json!({})).await;
    assert_eq!(unasked["code"], 200, "the silent one is not answered in between");
}

#[actix_web::test]
async fn what_was_carried_out_is_answered_with_the_code_or_not_at_all() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let id = joined(&emulator, &mut agent, 0).await;
    rule(&emulator, FaultRule::new("PublishEvent", Outcome::Code(429)).carried_out());
    assert_eq!(code(&mut agent, ".ams.ms.PublishEvent", say(&id, "once")).await, 429);
    rule(&emulator, FaultRule::new("PublishEvent", Outcome::Never).carried_out());
    let unanswered = json!({"kind": "req", "id": "x", "type": ".ams.ms.PublishEvent", "body": say(&id, "twice")});
    agent.raw(unanswered.to_string()).await;
    assert_eq!(code(&mut agent, ".ams.ms.PublishEvent", say(&id, "thrice")).await, 200);
    let said: Vec<String> = emulator.ledger().iter().filter_map(|entry| entry.text).collect();
    assert_eq!(said, ["once", "twice", "thrice"]);
    let echoed = agent.notification(".ams.ms.OnlineEventDistribution", |_| true).await;
    assert_eq!(echoed["event"]["message"], "once", "everybody hears what was carried out");
}

#[actix_web::test]
async fn a_socket_is_closed_or_dropped_on_a_given_content_and_on_no_other() {
    let emulator = start();
    for close in [4410, 1009, 1008] {
        let mut agent = Socket::agent(&emulator, "bot1").await;
        let id = joined(&emulator, &mut agent, 0).await;
        let close_on = FaultRule::new("PublishEvent", Outcome::Close(close)).containing("poison").always();
        let standing = rule(&emulator, close_on);
        agent.ask(".ams.ms.PublishEvent", say(&id, "water")).await;
        let poison = json!({"kind": "req", "id": "x", "type": ".ams.ms.PublishEvent", "body": say(&id, "poison")});
        agent.raw(poison.to_string()).await;
        assert_eq!(agent.end().await, End::Code(close));
        assert!(emulator.lift_rule(standing));
    }
    let mut agent = Socket::agent(&emulator, "bot1").await;
    rule(&emulator, FaultRule::new("GetClock", Outcome::Drop));
    agent.raw(json!({"kind": "req", "id": "x", "type": ".GetClock"}).to_string()).await;
    assert_eq!(agent.end().await, End::Abrupt);
    assert_eq!(emulator.ledger().len(), 3);
}

/// The socket's answer keeps its form; what is inside is what a proxy would have said.
#[actix_web::test]
async fn an_answer_over_a_socket_can_be_a_page_or_late() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    rule(&emulator, FaultRule::new("GetClock", Outcome::Html(502)));
    let answer = agent.request(".GetClock", json!({})).await;
    assert_eq!(answer["code"], 502);
    assert!(answer["body"].as_str().unwrap().starts_with("<!DOCTYPE html>"));
    rule(&emulator, FaultRule::new("GetClock", Outcome::Late(200)));
    let asked = Instant::now();
    agent.ask(".GetClock", json!({})).await;
    assert!(asked.elapsed() >= Duration::from_millis(200));
}

/// A rate as clients meet it: this many requests of a kind and a user in any second, and the others are refused.
#[actix_web::test]
async fn a_rate_limit_grants_so_many_requests_of_a_user_in_a_second_and_counts_both() {
    let emulator = start();
    let mut one = Socket::agent(&emulator, "bot1").await;
    let mut two = Socket::agent(&emulator, "bot2").await;
    let limit = rule(&emulator, FaultRule::new("GetClock", Outcome::Code(429)).above_per_second(4));
    let began = Instant::now();
    let mut granted = 0_u64;
    let mut asked = 0_u64;
    while granted < 9 {
        asked += 1;
        granted += u64::from(code(&mut one, ".GetClock", json!({})).await == 200);
    }
    // The platform's clock has whole milliseconds.
    assert!(began.elapsed() > Duration::from_millis(1_998), "4 at once, 4 after a second, the ninth after two");
    two.ask(".GetClock", json!({})).await;
    let counts = emulator.rule_counts(limit).unwrap();
    assert_eq!((counts.granted, counts.refused), (granted + 1, asked - granted));
}

#[actix_web::test]
async fn a_rule_for_a_time_ends_by_itself_and_others_when_they_are_lifted() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    rule(&emulator, FaultRule::new("*", Outcome::Code(503)).always().lasting(Duration::from_millis(300)));
    let began = Instant::now();
    while code(&mut agent, ".GetClock", json!({})).await == 503 {
        assert!(began.elapsed() < PATIENCE);
    }
    assert!(began.elapsed() >= Duration::from_millis(290));
    rule(&emulator, FaultRule::new("*", Outcome::Code(503)).always());
    assert_eq!(code(&mut agent, ".GetClock", json!({})).await, 503);
    emulator.clear_rules();
    assert_eq!(code(&mut agent, ".GetClock", json!({})).await, 200);
}

#[actix_web::test]
async fn a_history_comes_with_fewer_records_than_asked_or_with_one_that_cannot_be_read() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let id = joined(&emulator, &mut agent, 5).await;
    let query = json!({"dialogId": id, "newerThanSequence": 0, "maxQuantity": 5});
    let all = agent.ask(".ams.ms.QueryMessages", query.clone()).await;
    rule(&emulator, FaultRule::new("QueryMessages", Outcome::Clamp(2)));
    let clamped = agent.ask(".ams.ms.QueryMessages", query.clone()).await;
    assert_eq!(clamped.as_array().unwrap()[..], all.as_array().unwrap()[..2]);
    rule(&emulator, FaultRule::new("QueryMessages", Outcome::Unreadable(3)));
    let damaged = agent.ask(".ams.ms.QueryMessages", query).await;
    let (all, damaged) = (all.as_array().unwrap(), damaged.as_array().unwrap());
    assert_eq!(all.len(), damaged.len());
    for (sound, damaged) in all.iter().zip(damaged) {
        assert_eq!(sound == damaged, sound["sequence"] != 3, "{damaged}");
        assert!(damaged["sequence"].is_number() == (sound["sequence"] != 3));
    }
    // A consumer's history comes as the first notification of its subscription.
    let jwt = signup(&emulator).await;
    let mut consumer = Socket::consumer(&emulator, &jwt).await;
    let opened = consumer.ask("cm.ConsumerRequestConversation", json!({})).await;
    let id = opened["conversationId"].as_str().unwrap();
    for text in ["a", "b", "c"] {
        consumer.ask("ms.PublishEvent", say(id, text)).await;
    }
    rule(&emulator, FaultRule::new("SubscribeMessagingEvents", Outcome::Clamp(1)));
    consumer.ask("ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 0})).await;
    let replay = consumer.notification("ms.MessagingEventNotification", |_| true).await;
    assert_eq!(replay["changes"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn an_upgrade_is_refused_with_the_code_asked_for() {
    let emulator = start();
    let bearer = login(&emulator, "bot1").await["bearer"].as_str().unwrap().to_owned();
    let path = format!("/ws_api/account/12345678/messaging/brand/{bearer}?v=2.1");
    for status in [401, 403, 502] {
        rule(&emulator, FaultRule::new("upgrade", Outcome::Code(status)).user("bot1"));
        assert_eq!(Socket::open(&emulator, &path).await.err(), Some(status));
    }
    rule(&emulator, FaultRule::new("upgrade", Outcome::Html(502)).user("bot2"));
    Socket::open(&emulator, &path).await.unwrap().ask(".GetClock", json!({})).await;
}

#[actix_web::test]
async fn discovery_and_login_are_refused_as_json_or_as_a_page() {
    let emulator = start();
    rule(&emulator, FaultRule::new("discovery", Outcome::Code(403)));
    assert_eq!(get(&emulator, DISCOVERY, "").await, (403, json!({"error": "Forbidden"})));
    rule(&emulator, FaultRule::new("discovery", Outcome::Html(200)));
    let mut page = http(&emulator).get(format!("https://{}{DISCOVERY}", emulator.listen())).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    assert_eq!(page.headers().get("content-type").unwrap(), "text/html");
    assert!(page.body().await.unwrap().starts_with(b"<!DOCTYPE html>"));
    assert_eq!(get(&emulator, DISCOVERY, "").await.0, 200);

    let credentials = json!({"username": "bot1", "password": "secret"});
    rule(&emulator, FaultRule::new("login", Outcome::Code(403)).user("bot2"));
    rule(&emulator, FaultRule::new("login", Outcome::Echo(401)).user("bot1"));
    assert_eq!(post(&emulator, LOGIN, &credentials).await, (401, credentials.clone()));
    assert_eq!(post(&emulator, LOGIN, &credentials).await.0, 200);

    let session = login(&emulator, "bot1").await;
    rule(&emulator, FaultRule::new("refresh", Outcome::Code(502)).user("bot1"));
    let cookie = format!("session_id={}", session["sessionId"].as_str().unwrap());
    let url = format!("https://{}/api/account/12345678/refresh?v=1.3", emulator.listen());
    let refresh = http(&emulator).post(url).insert_header(("Cookie", cookie));
    assert_eq!(refresh.send_json(&json!({"csrf": session["csrf"]})).await.unwrap().status().as_u16(), 502);
    rule(&emulator, FaultRule::new("signup", Outcome::Code(500)));
    assert_eq!(post(&emulator, "/api/account/12345678/signup", &json!({})).await.0, 500);
}

#[actix_web::test]
async fn an_answer_over_http_never_comes_or_breaks_off() {
    let emulator = start();
    let credentials = json!({"username": "bot1", "password": "secret"});
    rule(&emulator, FaultRule::new("login", Outcome::Never));
    let unanswered = post(&emulator, LOGIN, &credentials);
    assert!(tokio::time::timeout(Duration::from_millis(500), unanswered).await.is_err());
    rule(&emulator, FaultRule::new("login", Outcome::Drop));
    let url = format!("https://{}{LOGIN}", emulator.listen());
    assert!(http(&emulator).post(url).send_json(&credentials).await.is_err());
    login(&emulator, "bot1").await;
}

#[actix_web::test]
async fn a_request_by_rest_is_struck_under_the_name_that_it_has_on_a_socket() {
    let emulator = start();
    let session = login(&emulator, "bot1").await;
    let bearer = session["bearer"].as_str().unwrap();
    let id = emulator.create_conversation(None, None);
    rule(&emulator, FaultRule::new("QueryMessages", Outcome::Code(429)).user("bot1").conversation(&id));
    let path = format!("/v1/conversations/{id}/dialogs/{id}/messages");
    assert_eq!(get(&emulator, &path, bearer).await.0, 429);
    assert_ne!(get(&emulator, &path, bearer).await.0, 429);
}

#[actix_web::test]
async fn an_answer_dribbles_a_byte_at_a_time_and_is_whole_in_the_end() {
    let emulator = start();
    let (_, whole) = get(&emulator, "/api/account/12345678/service/idp/baseURI.json", "").await;
    rule(&emulator, FaultRule::new("discovery", Outcome::Dribble(2)));
    let asked = Instant::now();
    let (status, dribbled) = get(&emulator, "/api/account/12345678/service/idp/baseURI.json", "").await;
    assert_eq!((status, &dribbled), (200, &whole));
    assert!(asked.elapsed() >= Duration::from_millis(2) * whole.to_string().len() as u32);
}

#[test]
fn early_hints_come_before_the_answer() {
    let emulator = start();
    rule(&emulator, FaultRule::new("login", Outcome::EarlyHints));
    let body = json!({"username": "bot1", "password": "secret"}).to_string();
    let length = body.len();
    let answer = raw_https(
        &emulator,
        &format!(
            "POST {LOGIN} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    );
    let (hints, rest) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(hints, "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload");
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, body) = rest.split_once("\r\n\r\n").unwrap();
    assert!(serde_json::from_str::<Value>(body).unwrap()["bearer"].is_string());
}

fn raw_https(emulator: &Emulator, request: &str) -> String {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(emulator.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let tcp = TcpStream::connect(emulator.listen()).unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = rustls::StreamOwned::new(rustls::ClientConnection::new(tls, name).unwrap(), tcp);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // The server may end the connection without the goodbye of TLS.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[actix_web::test]
async fn rules_are_given_counted_and_lifted_over_the_control_interface() {
    let emulator = start();
    let faults = format!("http://{}/faults", emulator.control().unwrap());
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let give = async |rule: Value| {
        let mut response = client.post(&faults).send_json(&rule).await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let rule = json!({"request": "GetClock", "user": "bot1", "often": "always", "outcome": {"code": 403}});
    assert_eq!(give(rule).await, (200, json!({"rule": "r1"})));
    let limit = json!({"request": "GetClock", "often": {"above-per-second": 5}, "outcome": "never", "seconds": 60});
    assert_eq!(give(limit).await, (200, json!({"rule": "r2"})));
    let mut agent = Socket::agent(&emulator, "bot1").await;
    assert_eq!(code(&mut agent, ".GetClock", json!({})).await, 403);
    let list = client.get(&faults).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!((&list["injected"], &list["rules"][0]["refused"]), (&json!(1), &json!(1)));
    assert_eq!(list["rules"][1]["rule"]["often"], json!({"above-per-second": 5}));
    assert_eq!(client.delete(format!("{faults}/r1")).send().await.unwrap().status().as_u16(), 204);
    assert_eq!(client.delete(format!("{faults}/r1")).send().await.unwrap().status().as_u16(), 404);
    assert_eq!(code(&mut agent, ".GetClock", json!({})).await, 200);
    assert_eq!(client.delete(&faults).send().await.unwrap().status().as_u16(), 204);
    for wrong in [
        json!({"request": "QueryMesages", "outcome": "never"}),
        json!({"request": "QueryMessages"}),
        json!({"request": "QueryMessages", "outcome": {"code": 429}, "often": "sometimes"}),
        json!({"request": "QueryMessages", "outcome": {"code": 429}, "usr": "bot1"}),
    ] {
        let (status, body) = give(wrong).await;
        assert_eq!((status, body["error"].is_string()), (400, true), "{body}");
    }
}
