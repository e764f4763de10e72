//! Consumers as agents meet them: their devices, their profiles, their past; and which agents may read what they said.

use std::net::SocketAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig, HistoryReaders, Switches, TrafficSpec};

use crate::client::{PATIENCE, Socket, signup};

const CHANGE: &str = ".ams.aam.ExConversationChangeNotification";

fn start() -> Emulator {
    let control = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    Emulator::start(EmulatorConfig { control, ..EmulatorConfig::default() }).unwrap()
}

async fn order(emulator: &Emulator, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("http://{}{path}", emulator.control().unwrap());
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let mut answer = client.post(url).send_json(body).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Every conversation as an agent's subscription tells them at first.
async fn snapshot(agent: &mut Socket) -> Vec<Value> {
    agent.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    let snapshot = agent.notification(CHANGE, |_| true).await;
    snapshot["changes"].as_array().unwrap().iter().map(|change| change["result"].clone()).collect()
}

/// The client properties that an agent sees of the only conversation, which a consumer opens on this socket.
async fn properties(emulator: &Emulator, consumer: &mut Socket) -> Value {
    let opened = consumer.ask("cm.ConsumerRequestConversation", json!({})).await;
    let mut agent = Socket::agent(emulator, "bot1").await;
    let all = snapshot(&mut agent).await;
    let own = all.iter().find(|one| one["convId"] == opened["conversationId"]).unwrap();
    own["conversationDetails"]["context"]["clientProperties"].clone()
}

#[actix_web::test]
async fn client_properties_in_the_sockets_url_count_as_those_in_a_header() {
    let emulator = start();
    let jwt = signup(&emulator).await;
    let path = "/ws_api/account/12345678/messaging/consumer?v=3&deviceFamily=MOBILE&os=ANDROID&appId=shop\
        &features=RICH_CONTENT,AUTO_MESSAGES&intid=sdk";
    let introduce = |headers: Value| json!({"kind": "req", "id": "i", "type": "InitConnection", "headers": headers});
    let authentication = json!({"type": ".ams.headers.ConsumerAuthentication", "jwt": jwt});

    let mut socket = Socket::open(&emulator, path).await.unwrap();
    assert_eq!(socket.send(&introduce(json!([authentication]))).await["code"], 200);
    let expected = json!({"type": ".ClientProperties", "ipAddress": "127.0.0.1", "deviceFamily": "MOBILE",
        "os": "ANDROID", "appId": "shop", "features": ["RICH_CONTENT", "AUTO_MESSAGES"]});
    assert_eq!(properties(&emulator, &mut socket).await, expected);

    // A header that tells less takes nothing away, and decides where both tell.
    let told = json!({"type": ".ams.headers.ClientProperties", "os": "IOS", "deviceFamily": null});
    let mut socket = Socket::open(&emulator, path).await.unwrap();
    assert_eq!(socket.send(&introduce(json!([authentication, told]))).await["code"], 200);
    let both = properties(&emulator, &mut socket).await;
    assert_eq!((&both["os"], &both["deviceFamily"]), (&json!("IOS"), &json!("MOBILE")));

    let wrong = "/ws_api/account/12345678/messaging/consumer?v=3&os=PLAN9";
    assert_eq!(Socket::open(&emulator, wrong).await.err(), Some(400));
}

#[actix_web::test]
async fn a_simulated_consumer_may_have_a_profile() {
    let emulator = start();
    let profile = json!({"firstName": "Ann", "authenticatedData": {"lp_sdes": [
        {"type": "personal", "personal": {"firstname": "Ann", "lastname": "Lee"}}]}});
    let opening = json!({"consumer": "ann", "profile": profile});
    assert_eq!(order(&emulator, "/conversations", &opening).await.0, 201);
    let traffic = json!({"conversations": 1, "messages": 0, "rate": 0, "profile": {"firstName": "Bob"}});
    assert_eq!(order(&emulator, "/traffic", &traffic).await.0, 201);
    until(|| emulator.summary().conversations == 2).await;

    let mut agent = Socket::agent(&emulator, "bot1").await;
    let told = agent.ask(".ams.userprofile.GetUserProfile", json!({"userId": "ann"})).await;
    assert_eq!((&told["userId"], &told["firstName"]), (&json!("ann"), &json!("Ann")));
    assert_eq!(told["authenticatedData"], profile["authenticatedData"]);
    let told = agent.ask(".ams.userprofile.GetUserProfile", json!({"userId": "traffic-1-0"})).await;
    assert_eq!(told["firstName"], "Bob");
    emulator.set_profile("ann", json!({"firstName": "Anna"}));
    let told = agent.ask(".ams.userprofile.GetUserProfile", json!({"userId": "ann"})).await;
    assert_eq!(told["firstName"], "Anna");
    for (path, wrong) in [("/conversations", json!({"profile": "Ann"})), ("/traffic", json!({"profile": [1]}))] {
        assert_eq!(order(&emulator, path, &wrong).await, (400, json!({"error": "profile must be an object"})));
    }
}

async fn until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A client that pages by update times gets on only if pages differ in them.
#[actix_web::test]
async fn traffic_spreads_its_update_times_over_the_past() {
    let emulator = start();
    let now = || UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let spec =
        json!({"conversations": 100, "messages": 3, "rate": 0, "backdateSeconds": 86_400, "spreadSeconds": 3_600});
    let begun = now();
    assert_eq!(order(&emulator, "/traffic", &spec).await.0, 201);
    until(|| emulator.summary().consumer_messages == 300).await;
    let ended = now();

    let mut agent = Socket::agent(&emulator, "bot1").await;
    let all = snapshot(&mut agent).await;
    let times: Vec<i64> = all.iter().map(|one| one["lastUpdateTime"].as_i64().unwrap()).collect();
    assert_eq!(times.len(), 100);
    let last = *times.last().unwrap();
    assert!((begun - 86_400_000..=ended - 86_400_000).contains(&last), "{last} of {begun} to {ended}");
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 36_000).abs() <= 2, "{pair:?}");
    }
    let first = &all[0]["conversationDetails"];
    let opened = first["startTs"].as_i64().unwrap();
    assert!((last - 3_600_000 - opened).abs() <= 2, "{opened}");
    // What was said is as old as the conversations, one after the other.
    let ledger: Vec<u64> = emulator
        .ledger()
        .iter()
        .filter(|entry| entry.conversation == all[0]["convId"])
        .map(|entry| entry.time)
        .collect();
    assert_eq!(ledger.len(), 3);
    assert!(ledger.windows(2).all(|pair| pair[0] < pair[1]) && ledger[2] as i64 == times[0], "{ledger:?}");

    // Bounds of a subscription find a part of them.
    let body = json!({"minLastUpdatedTime": times[10], "maxLastUpdatedTime": times[19]});
    agent.ask(".ams.aam.SubscribeExConversations", body).await;
    let part = agent.notification(CHANGE, |body| body["changes"].as_array().unwrap().len() != 100).await;
    assert_eq!(part["changes"].as_array().unwrap().len(), 10);
    for wrong in [json!({"spreadSeconds": -1}), json!({"backdateSeconds": 1e9})] {
        assert_eq!(order(&emulator, "/traffic", &wrong).await.0, 400, "{wrong}");
    }
}

#[actix_web::test]
async fn traffic_that_is_backdated_rings_now() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    agent.ask(".ams.routing.SubscribeRoutingTasks", json!({})).await;
    agent.ask(".ams.routing.SetAgentState", json!({"availability": "ONLINE"})).await;
    let spec =
        TrafficSpec { conversations: 1, messages: 1, rate: 0.0, backdate_seconds: 86_400.0, ..TrafficSpec::default() };
    emulator.traffic(spec);
    let waiting = |body: &Value| body["changes"][0]["result"]["ringsDetails"][0]["ringState"] == "WAITING";
    let ring = agent.notification(".ams.routing.RoutingTaskNotification", waiting).await;
    let ring = &ring["changes"][0]["result"]["ringsDetails"][0];
    let now = UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    assert!(ring["ringExpirationTs"].as_i64().unwrap() > now, "{ring}");
    agent.ask(".ams.routing.UpdateRingState", json!({"ringId": ring["ringId"], "ringState": "ACCEPTED"})).await;
}

/// Managers and readers of the conversation may read, and the agents that the switch names.
#[actix_web::test]
async fn an_agent_who_takes_no_part_reads_a_history_if_it_is_a_manager_or_the_switch_lets_it() {
    for (readers, manager, other) in [
        (HistoryReaders::Participants, 400, 400),
        (HistoryReaders::Managers, 200, 400),
        (HistoryReaders::Everybody, 200, 200),
    ] {
        let switches = Switches { history_readers: readers, ..Switches::default() };
        let emulator = Emulator::start(EmulatorConfig { admins: 1, switches, ..EmulatorConfig::default() }).unwrap();
        let id = emulator.create_conversation(None, None);
        emulator.say(&id, "hello").unwrap();
        for (user, code) in [("bot1", manager), ("bot2", other)] {
            let mut agent = Socket::agent(&emulator, user).await;
            let answer = agent.request(".ams.ms.QueryMessages", json!({"dialogId": id})).await;
            assert_eq!(answer["code"], code, "{readers:?} {user}");
            if code == 200 {
                assert_eq!(answer["body"][0]["event"]["message"], "hello");
            } else {
                assert_eq!(answer["body"], "Agent does not exist in conversation");
            }
        }
        for (user, role) in [("bot3", "MANAGER"), ("bot4", "READER")] {
            let mut agent = Socket::agent(&emulator, user).await;
            let join = json!({"conversationId": id,
                "conversationField": [{"field": "ParticipantsChange", "type": "ADD", "role": role}]});
            agent.ask(".ams.cm.UpdateConversationField", join).await;
            let answer = agent.request(".ams.ms.QueryMessages", json!({"dialogId": id})).await;
            assert_eq!(answer["code"], 200, "{readers:?} {role}");
        }
    }
    assert_eq!(HistoryReaders::default(), HistoryReaders::Managers);
}
