//! Coming in: discovery, login, tokens, handshakes, grace and idle times, files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod client;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use client::{End, Socket, get, http, login, post, signup};
use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig, Switches};

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

#[actix_web::test]
async fn a_consumer_socket_says_who_it_is_before_anything_else() {
    let config = EmulatorConfig { init_grace: Duration::from_secs(3), ..EmulatorConfig::default() };
    let emulator = Emulator::start(config).unwrap();
    let path = "/ws_api/account/12345678/messaging/consumer?v=3";
    let mut silent = Socket::open(&emulator, path).await.unwrap();
    let early = silent.request("cqm.SubscribeExConversations", json!({})).await;
    assert_eq!((&early["code"], &early["type"]), (&json!(401), &json!("StringResponse")));
    assert_eq!(silent.end().await, End::Code(4401));
    // Refused for what it says, not for how long it takes.
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

/// SB-12: however slow the machine is, no sooner than that.
#[actix_web::test]
async fn a_subscriptions_snapshot_comes_a_moment_behind_its_answer() {
    let snapshot_pause = Duration::from_millis(100);
    let emulator = Emulator::start(EmulatorConfig { snapshot_pause, ..EmulatorConfig::default() }).unwrap();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let asked = Instant::now();
    agent.ask(".ams.aam.SubscribeExConversations", json!({})).await;
    agent.notification(".ams.aam.ExConversationChangeNotification", |_| true).await;
    assert!(asked.elapsed() >= snapshot_pause);
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
