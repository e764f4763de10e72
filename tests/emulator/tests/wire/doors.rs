//! The endpoints of the stand-in: discovery, login, tokens, handshakes, grace and idle times, files.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use awc::http::Method;
use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultRule, NetworkSettings, Outcome, Switches};

use crate::client::{End, Socket, Splicing, get, http, login, post, signup};

fn start() -> Emulator {
    Emulator::start(EmulatorConfig::default()).unwrap()
}

fn raw_http(address: SocketAddr, request_line: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{request_line}\r\nHost: adminlogin.liveperson.net\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn discovery_answers_origin_form_and_absolute_form_with_a_flat_object() {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let emulator = Emulator::start(EmulatorConfig { discovery_listen: listen, ..EmulatorConfig::default() }).unwrap();
    let path = "/api/account/12345678/service/agentVep/baseURI.json?version=1.0";
    for target in [path.to_owned(), format!("http://adminlogin.liveperson.net{path}")] {
        let answer = raw_http(emulator.discovery().unwrap(), &format!("GET {target} HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let body: Value = serde_json::from_str(answer.rsplit("\r\n\r\n").next().unwrap()).unwrap();
        let expected = json!({"service": "agentVep", "account": "12345678", "baseURI": emulator.listen().to_string()});
        assert_eq!(body, expected);
    }
    let answer = raw_http(emulator.discovery().unwrap(), "GET /api/account/9/service/idp/baseURI.json HTTP/1.1");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[actix_web::test]
async fn discovery_lists_every_service_a_client_needs() {
    let emulator = start();
    let (_, body) = get(&emulator, "/api/account/12345678/service/baseURI.json?version=1.0", "").await;
    let services: Vec<&str> =
        body["baseURIs"].as_array().unwrap().iter().map(|entry| entry["service"].as_str().unwrap()).collect();
    for service in [
        "asyncMessagingEnt",
        "facadeMsg",
        "agentVep",
        "idp",
        "sentinel",
        "swift",
        "msgHist",
        "accountConfigReadOnly",
        "acCdnDomain",
    ] {
        assert!(services.contains(&service), "{service}");
    }
}

#[actix_web::test]
async fn discovery_answers_the_same_without_the_ending() {
    let emulator = start();
    for (path, plain) in [
        ("/api/account/12345678/service/baseURI.json", "/api/account/12345678/service/baseURI"),
        ("/api/account/12345678/service/idp/baseURI.json", "/csdr/account/12345678/service/idp/baseURI"),
    ] {
        let (status, body) = get(&emulator, plain, "").await;
        assert_eq!((status, body), get(&emulator, path, "").await);
    }
    assert_eq!(get(&emulator, "/api/account/12345678/service/baseURI.xml", "").await.0, 404);
}

#[test]
fn discovery_answers_with_the_name_by_which_it_was_asked_if_it_is_the_emulators() {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let hosts = vec!["emulator".to_owned(), "platform.test".to_owned()];
    let config = EmulatorConfig { discovery_listen: listen, hosts, ..EmulatorConfig::default() };
    let emulator = Emulator::start(config).unwrap();
    let port = emulator.listen().port();
    for (asked, told) in [("platform.test:8443", "platform.test"), ("EMULATOR", "emulator"), ("elsewhere", "emulator")]
    {
        let mut stream = TcpStream::connect(emulator.discovery().unwrap()).unwrap();
        let path = "/api/account/12345678/service/idp/baseURI.json";
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {asked}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body: Value = serde_json::from_str(answer.rsplit("\r\n\r\n").next().unwrap()).unwrap();
        assert_eq!(body["baseURI"], format!("{told}:{port}"), "{asked}");
    }
}

/// A page of any origin may discover, sign up and put files; the endpoints for other clients do not mention origins.
#[actix_web::test]
async fn pages_may_use_discovery_identity_and_storage() {
    let emulator = start();
    let origin = "https://shop.example";
    for (method, path) in [
        ("GET", "/api/account/12345678/service/baseURI.json"),
        ("POST", "/api/account/12345678/signup"),
        ("PUT", "/v1/AUTH_async-images/12345678/x.png"),
    ] {
        let url = format!("https://{}{path}", emulator.listen());
        let preflight = http(&emulator)
            .options(&url)
            .insert_header(("Origin", origin))
            .insert_header(("Access-Control-Request-Method", method))
            .insert_header(("Access-Control-Request-Headers", "content-type, x-shop"));
        let answer = preflight.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(answer.status().as_u16(), 204, "{path}");
        assert_eq!(header("access-control-allow-origin").as_deref(), Some(origin));
        assert_eq!(header("access-control-allow-methods").as_deref(), Some(method));
        assert_eq!(header("access-control-allow-headers").as_deref(), Some("content-type, x-shop"));
        let request = http(&emulator).request(method.parse().unwrap(), &url).insert_header(("Origin", origin));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers().get("access-control-allow-origin").unwrap(), origin, "{path}");
    }
    let url = format!("https://{}/api/account/12345678/shift-status", emulator.listen());
    let answer = http(&emulator).get(url).insert_header(("Origin", origin)).send().await.unwrap();
    assert!(answer.headers().get("access-control-allow-origin").is_none());
}

#[actix_web::test]
async fn the_first_agents_are_administrators_and_a_login_tells_every_service() {
    let emulator = Emulator::start(EmulatorConfig { admins: 1, ..EmulatorConfig::default() }).unwrap();
    let (_, discovered) = get(&emulator, "/api/account/12345678/service/baseURI.json", "").await;
    for (user, is_admin) in [("bot1", true), ("bot2", false)] {
        let session = login(&emulator, user).await;
        assert_eq!(session["config"]["isAdmin"], is_admin);
        assert_eq!(session["csdsCollectionResponse"], discovered);
    }
}

#[actix_web::test]
async fn a_slow_network_delays_answers_over_http_and_over_sockets() {
    let latency = Duration::from_millis(60);
    let network = NetworkSettings { latency, jitter: Duration::from_millis(10), ..NetworkSettings::default() };
    let emulator = Emulator::start(EmulatorConfig { network, ..EmulatorConfig::default() }).unwrap();
    let mut asked = Instant::now();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    assert!(asked.elapsed() >= 2 * latency, "login and upgrade");
    asked = Instant::now();
    agent.ask(".GetClock", json!({})).await;
    assert!(asked.elapsed() >= latency);
}

/// Whatever the pieces are, they are the same frames.
#[actix_web::test]
async fn a_network_that_splits_and_merges_loses_and_changes_nothing() {
    let network = NetworkSettings { split_frames: true, ..NetworkSettings::default() };
    let emulator = Emulator::start(EmulatorConfig { network, ..EmulatorConfig::default() }).unwrap();
    let mut agent = Splicing::open(&emulator, "bot1").await;
    agent.ask(json!({"id": "s", "type": ".ams.aam.SubscribeExConversations", "body": {}})).await;
    let id = emulator.create_conversation(None, None);
    let join = json!([{"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT"}]);
    let body = json!({"conversationId": id, "conversationField": join});
    agent.ask(json!({"id": "j", "type": ".ams.cm.UpdateConversationField", "body": body})).await;
    for number in 0..200 {
        emulator.say(&id, &format!("{number} é")).unwrap();
    }
    let mut heard = Vec::new();
    while heard.len() < 200 {
        let frame = agent.next().await;
        if frame["type"] == ".ams.ms.OnlineEventDistribution" {
            heard.push(frame["body"]["event"]["message"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(heard, (0..200).map(|number| format!("{number} é")).collect::<Vec<_>>());
    assert!(agent.fragments > 0, "some came in fragments");
}

#[actix_web::test]
async fn a_login_gives_what_clients_read_and_wrong_credentials_get_a_plain_text_error() {
    let emulator = start();
    let session = login(&emulator, "bot2").await;
    for member in ["bearer", "csrf", "sessionId", "sessionTTl"] {
        assert!(session[member].is_string(), "{member}");
    }
    assert!(session["config"]["userId"].is_string() && session["config"]["userPid"].is_string());
    let path = "/api/account/12345678/login?v=1.3";
    let keys = json!({"username": "bot1", "appKey": "bot1-key", "secret": "bot1-secret",
        "accessToken": "bot1-token", "accessTokenSecret": "bot1-token-secret"});
    assert_eq!(post(&emulator, path, &keys).await.0, 200);
    let (status, body) = post(&emulator, path, &json!({"username": "bot1", "password": "no"})).await;
    assert_eq!((status, body["error"].is_string()), (401, true));
}

#[actix_web::test]
async fn a_session_is_refreshed_by_cookie_and_csrf_whatever_case_the_cookie_has() {
    let emulator = start();
    let session = login(&emulator, "bot1").await;
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    let url = format!("https://{}/api/account/12345678/refresh?v=1.3", emulator.listen());
    for (cookie, csrf, status) in [
        (format!("session_id={};", text("sessionId")), text("csrf"), 200),
        (format!("Session_id={}", text("sessionId")), text("csrf"), 200),
        (format!("session_id={};", text("sessionId")), "wrong".to_owned(), 401),
    ] {
        let request = http(&emulator).post(&url).insert_header(("Cookie", cookie));
        let response = request.send_json(&json!({"csrf": csrf})).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
}

/// TK-6: one session per user, and the last one wins.
#[actix_web::test]
async fn a_new_login_ends_the_earlier_bearer_and_closes_its_sockets_but_no_other_users() {
    let switches = Switches { login_closes_sockets: true, ..Switches::default() };
    let emulator = Emulator::start(EmulatorConfig { switches, ..EmulatorConfig::default() }).unwrap();
    let old = login(&emulator, "bot1").await["bearer"].as_str().unwrap().to_owned();
    let mut open = Socket::brand(&emulator, &old).await;
    let mut other = Socket::agent(&emulator, "bot2").await;
    let new = login(&emulator, "bot1").await["bearer"].as_str().unwrap().to_owned();
    assert_eq!(open.end().await, End::Code(4401));
    let path = format!("/ws_api/account/12345678/messaging/brand/{old}?v=2.1");
    assert_eq!(Socket::open(&emulator, &path).await.err(), Some(401));
    let mut second = Socket::brand(&emulator, &new).await;
    second.ask(".GetClock", json!({})).await;
    other.ask(".GetClock", json!({})).await;
    assert_eq!((emulator.summary().sessions["bot1"].now, emulator.summary().sessions["bot1"].max), (1, 1));
}

#[actix_web::test]
async fn an_account_may_let_the_sockets_of_an_earlier_session_be() {
    let switches = Switches { login_closes_sockets: false, ..Switches::default() };
    let emulator = Emulator::start(EmulatorConfig { switches, ..EmulatorConfig::default() }).unwrap();
    let mut open = Socket::agent(&emulator, "bot1").await;
    let mut second = Socket::agent(&emulator, "bot1").await;
    open.ask(".GetClock", json!({})).await;
    second.ask(".GetClock", json!({})).await;
    assert_eq!((emulator.summary().sessions["bot1"].now, emulator.summary().sessions["bot1"].max), (2, 2));
}

/// A new login alone makes nothing stale, and neither does its socket. What only keeps a socket open is never stale.
#[actix_web::test]
async fn requests_of_an_older_session_after_a_newer_ones_first_are_counted_by_login() {
    let switches = Switches { login_closes_sockets: false, ..Switches::default() };
    let emulator = Emulator::start(EmulatorConfig { switches, ..EmulatorConfig::default() }).unwrap();
    let away = json!({"availability": "AWAY", "channels": ["MESSAGING"]});
    let mut older = Socket::agent(&emulator, "bot1").await;
    let mut newer = Socket::agent(&emulator, "bot1").await;
    let mut other = Socket::agent(&emulator, "bot2").await;
    older.ask(".ams.routing.SetAgentState", away.clone()).await;
    newer.ask(".GetClock", json!({})).await;
    older.ask(".GetClock", json!({})).await;
    older.ask(".KeepAlive", json!({})).await;
    newer.ask(".ams.routing.SetAgentState", away.clone()).await;
    other.ask(".ams.routing.SetAgentState", away.clone()).await;
    assert!(emulator.summary().stale_requests.is_empty());

    older.ask(".ams.routing.SetAgentState", away).await;
    older.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    older.ask(".ams.ms.GenerateURLForUploadFile", json!({"fileSize": 5, "fileType": "PNG"})).await;
    assert_eq!(older.request(".ams.ms.PublishEvent", json!({"dialogId": "none"})).await["code"], 400);
    newer.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    assert_eq!(emulator.summary().stale_requests, BTreeMap::from([("bot1".to_owned(), 4)]));

    let mut newest = Socket::agent(&emulator, "bot1").await;
    newer.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    newest.ask(".GetClock", json!({})).await;
    for earlier in [&mut older, &mut newer] {
        earlier.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    }
    assert_eq!(emulator.summary().stale_requests["bot1"], 6);
}

/// A refused request was sent all the same, whether the bearer has ended or a rule strikes.
#[actix_web::test]
async fn changes_by_rest_with_an_older_sessions_bearer_are_counted() {
    let emulator = start();
    let bearer = |session: Value| session["bearer"].as_str().unwrap().to_owned();
    let older = bearer(login(&emulator, "bot1").await);
    let newer = bearer(login(&emulator, "bot1").await);
    let conversation = "/v1/conversations/none";
    let change = async |method: Method, path: &str, bearer: &str| {
        let request = http(&emulator).request(method, format!("https://{}{path}", emulator.listen()));
        let request = request.insert_header(("Authorization", format!("Bearer {bearer}")));
        request.send_json(&json!({})).await.unwrap().status().as_u16()
    };
    change(Method::PATCH, conversation, &older).await;
    assert!(emulator.summary().stale_requests.is_empty());
    assert_eq!(get(&emulator, "/api/account/12345678/shift-status", &newer).await.0, 200);
    assert_eq!(get(&emulator, "/api/account/12345678/shift-status", &older).await.0, 401);
    change(Method::PATCH, conversation, &newer).await;
    change(Method::POST, "/messaging_history/api/account/12345678/agent-view/status", &older).await;
    assert!(emulator.summary().stale_requests.is_empty());

    let dialog = format!("{conversation}/dialogs/none");
    for (method, path) in [
        (Method::PATCH, conversation.to_owned()),
        (Method::PATCH, dialog.clone()),
        (Method::POST, format!("{dialog}/messages")),
        (Method::POST, format!("{dialog}/participants")),
        (Method::DELETE, format!("{dialog}/participants/none")),
        (Method::POST, format!("/messaging{dialog}/messages")),
    ] {
        let before = emulator.summary().stale_requests.get("bot1").copied().unwrap_or_default();
        change(method, &path, &older).await;
        assert_eq!(emulator.summary().stale_requests["bot1"], before + 1, "{path}");
    }
    emulator.add_rule(FaultRule::new("PublishEvent", Outcome::Code(429))).unwrap();
    assert_eq!(change(Method::POST, &format!("{dialog}/messages"), &older).await, 429);
    assert_eq!(emulator.summary().stale_requests, BTreeMap::from([("bot1".to_owned(), 7)]));
}

#[actix_web::test]
async fn a_consumer_socket_says_who_it_is_before_anything_else() {
    let config = EmulatorConfig { init_grace: Duration::from_secs(3), ..EmulatorConfig::default() };
    let emulator = Emulator::start(config).unwrap();
    let path = "/ws_api/account/12345678/messaging/consumer?v=3";
    let mut silent = Socket::open(&emulator, path).await.unwrap();
    let early = silent.request("cqm.SubscribeExConversations", json!({})).await;
    assert_eq!((&early["code"], &early["type"]), (&json!(401), &json!("StringResponse")));
    assert_eq!(silent.end().await, End::Code(4401));
    // Refused for its content, not for its duration.
    let emulator = start();
    let mut forged = Socket::open(&emulator, path).await.unwrap();
    let init = json!({"kind": "req", "id": 0, "type": "InitConnection", "headers":
        [{"type": ".ams.headers.ConsumerAuthentication", "jwt": "a.b.c"}]});
    forged.raw(init.to_string()).await;
    assert_eq!(forged.next().await.unwrap()["code"], 401);
    assert_eq!(forged.end().await, End::Code(4401));
}

#[actix_web::test]
async fn a_silent_socket_is_closed_and_one_that_speaks_is_not() {
    let config = EmulatorConfig { idle_close: Duration::from_secs(3), ..EmulatorConfig::default() };
    let emulator = Emulator::start(config).unwrap();
    let mut silent = Socket::agent(&emulator, "bot1").await;
    let mut lively = Socket::agent(&emulator, "bot2").await;
    let speaking = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            lively.ask(".GetClock", json!({})).await;
        }
    };
    tokio::select! {
        end = silent.end() => assert_eq!(end, End::Code(1001)),
        () = speaking => {}
    }
    lively.ask(".GetClock", json!({})).await;
}

#[actix_web::test]
async fn a_close_frame_is_answered_and_the_session_is_counted_off() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    assert_eq!(agent.close().await, End::Code(1000));
    assert_eq!((emulator.summary().sessions["bot1"].now, emulator.summary().sessions["bot1"].max), (0, 1));
}

#[actix_web::test]
async fn a_consumers_token_keeps_its_identity_and_a_step_up_links_the_next_one() {
    let emulator = start();
    let jwt = signup(&emulator).await;
    let mut first = Socket::consumer(&emulator, &jwt).await;
    let mut second = Socket::consumer(&emulator, &jwt).await;
    let anonymous = first.ask("userprofile.GetUserProfile", json!({})).await["userId"].clone();
    assert_eq!(second.ask("userprofile.GetUserProfile", json!({})).await["userId"], anonymous);
    let id = first.ask("cm.ConsumerRequestConversation", Value::Null).await["conversationId"].clone();

    let body = json!({"lp_jwt": jwt, "code": "Ann"});
    let (_, answer) = post(&emulator, "/api/account/12345678/app/101/authenticate?v=3.0", &body).await;
    let mut ann = Socket::consumer(&emulator, answer["token"].as_str().unwrap()).await;
    let profile = ann.ask("userprofile.GetUserProfile", json!({})).await;
    assert_ne!(profile["userId"], anonymous);
    ann.ask("cqm.SubscribeExConversations", json!({"stage": ["OPEN", "CLOSE"]})).await;
    let snapshot = ann.notification("cqm.ExConversationChangeNotification", |_| true).await;
    assert_eq!(snapshot["changes"][0]["result"]["convId"], id);

    let (_, external) = post(&emulator, "/api/account/12345678/anonymous/authorize", &json!({})).await;
    let path = "/api/account/12345678/app/100/authenticate?v=3.0";
    let mut identities = Vec::new();
    for _ in 0..2 {
        let (_, answer) = post(&emulator, path, &json!({"id_token": external["token"]})).await;
        let mut socket = Socket::consumer(&emulator, answer["token"].as_str().unwrap()).await;
        identities.push(socket.ask("userprofile.GetUserProfile", json!({})).await["userId"].clone());
    }
    assert_eq!(identities[0], identities[1]);
}

/// SB-12: a slow machine can only lengthen the pause.
#[actix_web::test]
async fn a_subscriptions_snapshot_comes_a_moment_after_its_response() {
    let snapshot_pause = Duration::from_millis(100);
    let emulator = Emulator::start(EmulatorConfig { snapshot_pause, ..EmulatorConfig::default() }).unwrap();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let asked = Instant::now();
    agent.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    agent.notification(".ams.aam.ExConversationChangeNotification", |_| true).await;
    assert!(asked.elapsed() >= snapshot_pause);
}

/// Clients replace their state when they handle the response, and would lose frames from the same read.
#[actix_web::test]
async fn the_effects_of_any_request_come_a_moment_after_its_response() {
    let snapshot_pause = Duration::from_millis(100);
    let emulator = Emulator::start(EmulatorConfig { snapshot_pause, ..EmulatorConfig::default() }).unwrap();
    let jwt = signup(&emulator).await;
    let mut consumer = Socket::consumer(&emulator, &jwt).await;
    let change = "cqm.ExConversationChangeNotification";
    consumer.ask("cqm.SubscribeExConversations", json!({})).await;
    consumer.notification(change, |_| true).await;
    let opened = separated(&mut consumer, "cm.ConsumerRequestConversation", json!({}), change, snapshot_pause).await;
    let id = opened["conversationId"].as_str().unwrap();
    let close = json!({"conversationId": id,
        "conversationField": [{"field": "ConversationStateField", "conversationState": "CLOSE"}]});
    separated(&mut consumer, "cm.UpdateConversationField", close, change, snapshot_pause).await;

    let mut agent = Socket::agent(&emulator, "bot1").await;
    let change = ".ams.aam.ExConversationChangeNotification";
    separated(&mut agent, ".ams.aam.SubscribeExConversations", json!({}), change, snapshot_pause).await;
    let ann = json!({"consumerId": "ann"});
    let opened = separated(&mut agent, ".ams.cm.AgentRequestConversation", ann, change, snapshot_pause).await;
    let id = opened["conversationId"].as_str().unwrap();
    let join = json!({"conversationId": id,
        "conversationField": [{"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT"}]});
    separated(&mut agent, ".ams.cm.UpdateConversationField", join, change, snapshot_pause).await;
    let say = json!({"dialogId": id, "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "hi"}});
    let message = ".ams.ms.OnlineEventDistribution";
    separated(&mut agent, ".ams.ms.PublishEvent", say, message, snapshot_pause).await;
}

/// Asks, and asserts that the answer comes first and the notification a pause later; the body of the answer.
async fn separated(socket: &mut Socket, kind: &str, body: Value, notification: &str, pause: Duration) -> Value {
    let asked = Instant::now();
    socket.raw(json!({"kind": "req", "id": kind, "type": kind, "body": body}).to_string()).await;
    let mut answer = Value::Null;
    loop {
        let frame = socket.next().await.unwrap();
        if frame["reqId"] == kind {
            answer = frame["body"].clone();
        } else if frame["type"] == notification {
            assert!(!answer.is_null() && asked.elapsed() >= pause, "{kind}: {:?}", asked.elapsed());
            return answer;
        }
    }
}

#[actix_web::test]
async fn a_file_goes_up_and_comes_down_by_signed_urls() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let up = agent.ask(".ams.ms.GenerateURLForUploadFile", json!({"fileSize": 5, "fileType": "PNG"})).await;
    let url = |signed: &Value| {
        let query = &signed["queryParams"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "https://{}{}?temp_url_sig={}&temp_url_expires={}",
            emulator.listen(),
            text(&signed["relativePath"]),
            text(&query["temp_url_sig"]),
            text(&query["temp_url_expires"]),
        )
    };
    let put = http(&emulator).put(url(&up)).send_body("bytes").await.unwrap();
    assert_eq!(put.status().as_u16(), 201);
    let forged = url(&up).replace("temp_url_sig=", "temp_url_sig=0");
    assert_eq!(http(&emulator).put(forged).send_body("bytes").await.unwrap().status().as_u16(), 401);
    let path = json!({"relativePath": up["relativePath"]});
    let down = agent.ask(".ams.ms.GenerateURLForDownloadFile", path).await;
    let mut got = http(&emulator).get(url(&down)).send().await.unwrap();
    assert_eq!(got.body().await.unwrap(), "bytes");
    let large =
        agent.request(".ams.ms.GenerateURLForUploadFile", json!({"fileSize": "99999999", "fileType": "PNG"})).await;
    assert_eq!(large["code"], 400);
}

#[actix_web::test]
async fn binary_frames_and_number_ids_are_taken_and_a_broken_frame_hurts_nobody() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    agent.raw("{not json".to_owned()).await;
    assert_eq!(agent.next().await.unwrap()["code"], 400);
    agent.binary(json!({"kind": "req", "id": 7, "type": ".GetClock"}).to_string()).await;
    assert_eq!(agent.next().await.unwrap()["reqId"], "7");
}

#[actix_web::test]
async fn the_small_rest_services_answer_a_bearer() {
    let emulator = start();
    let session = login(&emulator, "bot1").await;
    let bearer = session["bearer"].as_str().unwrap();
    let (status, shifts) = get(&emulator, "/api/account/12345678/shift-status", bearer).await;
    assert_eq!((status, &shifts[0]["onShift"]), (200, &json!(true)));
    assert_eq!(get(&emulator, "/api/account/12345678/shift-status", "wrong").await.0, 401);
    let pid = session["config"]["userPid"].as_str().unwrap();
    let path = format!("/api/account/12345678/configuration/le-users/users/{pid}");
    assert_eq!(get(&emulator, &path, "").await.1["nickname"], "bot1");
    let statistics = "/api/messaging/rest/reporting/brands/12345678/msgstatistics?v=1";
    assert_eq!(get(&emulator, statistics, bearer).await.0, 200);
}
