//! Every fault by hand, over real sockets; and that no accepted message is ever lost to one.

use std::time::Duration;

use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig, Fault, FaultKind, FaultMode, Side};

use crate::client::{End, Socket, http, login, post, signup};

fn start() -> Emulator {
    Emulator::start(EmulatorConfig::default()).unwrap()
}

fn say(id: &str, text: &str) -> Value {
    json!({"conversationId": id, "dialogId": id,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text}})
}

/// A consumer with a conversation whose messages it hears.
async fn talker(emulator: &Emulator) -> (Socket, String, String) {
    let jwt = signup(emulator).await;
    let mut consumer = Socket::consumer(emulator, &jwt).await;
    let id =
        consumer.ask("cm.ConsumerRequestConversation", json!({})).await["conversationId"].as_str().unwrap().to_owned();
    consumer.ask("ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 0})).await;
    consumer.notification("ms.MessagingEventNotification", |_| true).await;
    (consumer, id, jwt)
}

#[actix_web::test]
async fn a_dropped_socket_ends_without_a_close_frame_and_only_the_named_user_is_hit() {
    let emulator = start();
    let mut one = Socket::agent(&emulator, "bot1").await;
    let mut two = Socket::agent(&emulator, "bot2").await;
    assert_eq!(emulator.inject(Fault::new(FaultKind::Drop).user("bot1")), 1);
    assert_eq!(one.end().await, End::Abrupt);
    two.ask(".GetClock", json!({})).await;
    assert_eq!((emulator.summary().faults, emulator.summary().sessions["bot1"].now), (1, 0));
}

#[actix_web::test]
async fn a_socket_is_closed_with_the_code_that_was_asked_for() {
    let emulator = start();
    let (mut consumer, _, _) = talker(&emulator).await;
    assert_eq!(emulator.inject(Fault::new(FaultKind::Close).side(Side::Consumer).code(4407)), 1);
    assert_eq!(consumer.end().await, End::Code(4407));
    let mut agent = Socket::agent(&emulator, "bot1").await;
    emulator.inject(Fault::new(FaultKind::Close).side(Side::Brand));
    assert_eq!(agent.end().await, End::Code(1011));
}

#[actix_web::test]
async fn a_half_open_socket_stays_but_says_nothing() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    agent.ask(".GetClock", json!({})).await;
    emulator.inject(Fault::new(FaultKind::HalfOpen).user("bot1"));
    agent.raw(json!({"kind": "req", "id": "x", "type": ".GetClock"}).to_string()).await;
    let silence = tokio::time::timeout(Duration::from_millis(300), agent.next()).await;
    assert!(silence.is_err());
    let again = Socket::agent(&emulator, "bot1").await;
    assert_eq!(emulator.summary().sessions["bot1"].max, 1, "the platform has given the old one up");
    drop(again);
}

#[actix_web::test]
async fn logins_are_refused_as_often_as_armed_with_the_status_asked_for() {
    let emulator = start();
    emulator.inject(Fault::new(FaultKind::RefuseLogin).count(2).code(429));
    emulator.inject(Fault::new(FaultKind::RefuseLogin).user("bot2"));
    let credentials = json!({"username": "bot1", "password": "secret"});
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(post(&emulator, "/api/account/12345678/login?v=1.3", &credentials).await.0);
    }
    assert_eq!(statuses, [429, 429, 200]);
    let credentials = json!({"username": "bot2", "password": "secret"});
    assert_eq!(post(&emulator, "/api/account/12345678/login?v=1.3", &credentials).await.0, 401);
    login(&emulator, "bot2").await;
}

/// A client that gives a login up sooner than it would be answered is let in the next time.
#[actix_web::test]
async fn a_slow_login_is_answered_late_and_only_as_often_as_armed() {
    let emulator = start();
    emulator.inject(Fault::new(FaultKind::SlowLogin).user("bot1"));
    let impatient = tokio::time::timeout(Duration::from_millis(500), login(&emulator, "bot1")).await;
    assert!(impatient.is_err());
    login(&emulator, "bot1").await;
    assert_eq!(emulator.summary().faults, 1);
}

/// On a hostile day some refreshes of a good session are answered 401.
#[actix_web::test]
async fn a_refresh_is_refused_on_a_hostile_day() {
    let emulator = start();
    let session = login(&emulator, "bot1").await;
    let cookie = format!("session_id={}", session["sessionId"].as_str().unwrap());
    let url = format!("https://{}/api/account/12345678/refresh?v=1.3", emulator.listen());
    let refresh = async || {
        let request = http(&emulator).post(&url).insert_header(("Cookie", cookie.clone()));
        request.send_json(&json!({"csrf": session["csrf"]})).await.unwrap().status().as_u16()
    };
    assert_eq!(refresh().await, 200);
    emulator.set_faults(FaultMode::Hostile, 7);
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(refresh().await);
    }
    emulator.set_faults(FaultMode::None, 0);
    assert_eq!(refresh().await, 200);
    assert!(statuses.contains(&401) && statuses.contains(&200), "{statuses:?}");
}

#[actix_web::test]
async fn an_expired_token_closes_the_socket_and_opens_no_other() {
    let emulator = start();
    let bearer = login(&emulator, "bot1").await["bearer"].as_str().unwrap().to_owned();
    let mut agent = Socket::brand(&emulator, &bearer).await;
    let (mut consumer, _, jwt) = talker(&emulator).await;
    assert_eq!(emulator.inject(Fault::new(FaultKind::ExpireToken).count(9)), 2);
    assert_eq!((agent.end().await, consumer.end().await), (End::Code(4401), End::Code(4407)));
    let path = format!("/ws_api/account/12345678/messaging/brand/{bearer}?v=2.1");
    assert_eq!(Socket::open(&emulator, &path).await.err(), Some(401));
    let path = "/ws_api/account/12345678/messaging/consumer?v=3";
    let mut refused = Socket::open(&emulator, path).await.unwrap();
    refused
        .raw(
            json!({"kind": "req", "type": "InitConnection",
        "headers": [{"type": ".ams.headers.ConsumerAuthentication", "jwt": jwt}]})
            .to_string(),
        )
        .await;
    assert_eq!(refused.end().await, End::Code(4401));
}

#[actix_web::test]
async fn requests_are_throttled_or_fail_without_being_carried_out() {
    let emulator = start();
    let (mut consumer, id, _) = talker(&emulator).await;
    emulator.inject(Fault::new(FaultKind::Throttle).count(2));
    emulator.inject(Fault::new(FaultKind::Error).code(503));
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(consumer.request("ms.PublishEvent", say(&id, "hi")).await["code"].as_u64().unwrap());
    }
    assert_eq!(codes, [429, 429, 503, 200]);
    assert_eq!(emulator.ledger().len(), 1);
}

#[actix_web::test]
async fn notifications_come_twice_or_late_or_out_of_order_but_they_come() {
    let emulator = start();
    let (mut consumer, id, _) = talker(&emulator).await;
    emulator.inject(Fault::new(FaultKind::Duplicate));
    emulator.say(&id, "0").unwrap();
    let text = |body: &Value| body["changes"][0]["event"]["message"].clone();
    for _ in 0..2 {
        assert_eq!(text(&consumer.notification("ms.MessagingEventNotification", |_| true).await), "0");
    }
    emulator.inject(Fault::new(FaultKind::Reorder));
    emulator.say(&id, "1").unwrap();
    emulator.say(&id, "2").unwrap();
    let mut order = Vec::new();
    for _ in 0..2 {
        order.push(text(&consumer.notification("ms.MessagingEventNotification", |_| true).await));
    }
    assert_eq!(order, ["2", "1"]);
    emulator.inject(Fault::new(FaultKind::Delay));
    consumer.ask("GetClock", json!({})).await;
}

#[actix_web::test]
async fn malformed_and_oversize_frames_arrive_and_the_socket_goes_on() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    emulator.inject(Fault::new(FaultKind::Malformed));
    assert_eq!(agent.next().await.unwrap(), "not JSON");
    emulator.inject(Fault::new(FaultKind::Oversize));
    assert_eq!(agent.next().await.unwrap()["type"], "emulator.Oversize");
    agent.ask(".GetClock", json!({})).await;
}

#[actix_web::test]
async fn a_stale_snapshot_arrives_after_changes_that_are_newer_than_it() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    emulator.inject(Fault::new(FaultKind::StaleSnapshot));
    agent.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    emulator.create_conversation(None, None);
    let kind = ".ams.aam.ExConversationChangeNotification";
    let sizes = [0, 1].map(|_| 0);
    let mut seen = Vec::new();
    for _ in sizes {
        seen.push(agent.notification(kind, |_| true).await["changes"].as_array().unwrap().len());
    }
    assert_eq!(seen, [1, 0]);
}

#[actix_web::test]
async fn what_is_meant_for_the_next_frames_of_a_user_without_a_socket_waits_for_one() {
    let emulator = start();
    emulator.inject(Fault::new(FaultKind::Throttle).user("bot2"));
    let mut other = Socket::agent(&emulator, "bot1").await;
    other.ask(".GetClock", json!({})).await;
    let mut agent = Socket::agent(&emulator, "bot2").await;
    let mut codes = Vec::new();
    for _ in 0..2 {
        codes.push(agent.request(".GetClock", json!({})).await["code"].as_u64().unwrap());
    }
    assert_eq!(codes, [429, 200]);
}

#[actix_web::test]
async fn a_message_can_come_after_the_delete_of_its_conversation() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    agent.ask(".ams.aam.SubscribeExConversations", json!({"stage": ["OPEN"]})).await;
    let id = emulator.create_conversation(Some("ann"), None);
    let join = json!([{"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT"}]);
    agent.ask(".ams.cm.UpdateConversationField", json!({"conversationId": id, "conversationField": join})).await;
    emulator.inject(Fault::new(FaultKind::DeleteThenLate));
    emulator.say(&id, "last words").unwrap();
    emulator.close_conversation(&id).unwrap();
    let mut order = Vec::new();
    while order.len() < 2 {
        let frame = agent.next().await.unwrap();
        if frame["body"]["changes"][0]["type"] == "DELETE" {
            order.push("delete");
        } else if frame["type"] == ".ams.ms.OnlineEventDistribution" {
            order.push("message");
        }
    }
    assert_eq!(order, ["delete", "message"]);
}

#[actix_web::test]
async fn on_a_flaky_day_sockets_drop_after_accepting_a_message_and_nothing_accepted_is_lost() {
    let emulator = start();
    emulator.set_faults(FaultMode::Flaky, 7);
    let jwt = signup(&emulator).await;
    let id = emulator.create_conversation(Some("someone"), None);
    drop(id);
    let mut socket = Socket::consumer(&emulator, &jwt).await;
    let mut id = String::new();
    let (mut accepted, mut drops) = (0_u32, 0_u32);
    for number in 0..3_000 {
        if id.is_empty() {
            let request = json!({"kind": "req", "id": "open", "type": "cm.ConsumerRequestConversation"});
            match attempt(&mut socket, &request).await {
                Some(answer) => id = answer["body"]["conversationId"].as_str().unwrap().to_owned(),
                None => socket = Socket::consumer(&emulator, &jwt).await,
            }
            continue;
        }
        let request = json!({"kind": "req", "id": format!("m{number}"), "type": "ms.PublishEvent", "body": say(&id, &number.to_string())});
        match attempt(&mut socket, &request).await {
            Some(answer) => accepted += u32::from(answer["code"] == 200),
            None => {
                drops += 1;
                socket = Socket::consumer(&emulator, &jwt).await;
            }
        }
    }
    assert!(drops >= 3, "{drops}");
    let ledger = emulator.ledger().iter().filter(|entry| entry.conversation == id).count();
    assert!(ledger > accepted as usize, "some were accepted and never answered: {ledger} against {accepted}");
    emulator.set_faults(FaultMode::None, 0);
    let mut socket = Socket::consumer(&emulator, &jwt).await;
    socket.ask("ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 0})).await;
    let replay = socket.notification("ms.MessagingEventNotification", |_| true).await;
    assert_eq!(replay["changes"].as_array().unwrap().len(), ledger);
}

/// Sends a request; its answer, or nothing when the socket ended first.
async fn attempt(socket: &mut Socket, request: &Value) -> Option<Value> {
    if !socket.try_raw(request.to_string()).await {
        return None;
    }
    loop {
        match socket.next().await {
            Ok(frame) if frame["reqId"] == request["id"] => return Some(frame),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[actix_web::test]
async fn a_socket_that_does_not_read_is_dropped_and_slows_nobody_down() {
    let emulator = Emulator::start(EmulatorConfig { socket_queue: 64, ..EmulatorConfig::default() }).unwrap();
    let mut deaf = Socket::agent(&emulator, "bot1").await;
    deaf.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    let id = emulator.create_conversation(None, None);
    for _ in 0..6_000 {
        emulator.say(&id, &"x".repeat(2_000)).unwrap();
    }
    assert_eq!(emulator.summary().sessions["bot1"].now, 0);
    assert_eq!(deaf.end().await, End::Abrupt);
}
