//! The Connector API: an app speaks for its consumers over HTTPS and hears them by signed webhooks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod client;

use std::net::TcpListener;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use client::{PATIENCE, Socket, http, post};
use serde_json::{Value, json};
use tertulia_emulator::{AppInstall, Emulator, EmulatorConfig};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

type Heard = (String, Value);

async fn endpoint(heard: Data<UnboundedSender<Heard>>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let signature = request.headers().get("x-liveperson-signature").unwrap().to_str().unwrap().to_owned();
    heard.send((signature, serde_json::from_slice(&body).unwrap())).unwrap();
    HttpResponse::Ok().finish()
}

/// An endpoint and what it hears.
fn listen() -> (String, UnboundedReceiver<Heard>) {
    let (sender, heard) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = move || App::new().app_data(Data::new(sender.clone())).default_service(web::to(endpoint));
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
    actix_web::rt::spawn(server);
    (format!("http://{address}/lp"), heard)
}

async fn tokens(emulator: &Emulator) -> (String, String) {
    let path =
        "/sentinel/api/account/12345678/app/token?v=1.0&grant_type=client_credentials&client_id=c&client_secret=s";
    let app = post(emulator, path, &json!({})).await.1["access_token"].as_str().unwrap().to_owned();
    let url = format!("https://{}/api/account/12345678/consumer?v=1.0", emulator.listen());
    let request = http(emulator).post(url).insert_header(("Authorization", app.clone()));
    let mut answer = request.send_json(&json!({"ext_consumer_id": "whatsapp:1"})).await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let consumer: Value = answer.json().await.unwrap();
    (app, consumer["token"].as_str().unwrap().to_owned())
}

async fn send(emulator: &Emulator, tokens: &(String, String), path: &str, body: &Value) -> (u16, Value) {
    let url = format!("https://{}/api/account/12345678/messaging/consumer/{path}?v=3", emulator.listen());
    let request = http(emulator).post(url).insert_header(("Authorization", tokens.0.clone()));
    let mut answer = request.insert_header(("X-LP-ON-BEHALF", tokens.1.clone())).send_json(body).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

fn opening() -> Value {
    json!([
        {"kind": "req", "id": "1", "type": "userprofile.SetUserProfile", "body": {"firstName": "Ann"}},
        {"kind": "req", "id": "2", "type": "cm.ConsumerRequestConversation",
            "body": {"brandId": "12345678", "channelType": "MESSAGING"}}])
}

#[actix_web::test]
async fn a_connector_opens_speaks_and_hears_the_agent_by_signed_webhooks_in_order() {
    let (address, mut heard) = listen();
    let app = AppInstall::new("c", "s").webhooks(&address);
    let emulator = Emulator::start(EmulatorConfig { app: Some(app), ..EmulatorConfig::default() }).unwrap();
    let tokens = tokens(&emulator).await;
    let (status, answers) = send(&emulator, &tokens, "conversation", &opening()).await;
    assert_eq!((status, &answers[0]["code"]), (200, &json!("OK")));
    assert_eq!(answers[0]["body"], json!({"msg": "OK User Profile set successfully"}));
    let id = answers[1]["body"]["conversationId"].as_str().unwrap();
    let say = json!({"kind": "req", "id": "3", "type": "ms.PublishEvent", "body": {"dialogId": id,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "hi"}}});
    let (_, answer) = send(&emulator, &tokens, "conversation/send", &say).await;
    assert_eq!(answer, json!({"reqId": "3", "code": "OK", "body": {"sequence": 0}}));

    let mut agent = Socket::agent(&emulator, "bot1").await;
    let join = json!([{"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT"}]);
    agent.ask(".ams.cm.UpdateConversationField", json!({"conversationId": id, "conversationField": join})).await;
    agent.ask(".ams.ms.PublishEvent", say["body"].clone()).await;

    let (mut changes, mut messages) = (0, Vec::new());
    while messages.len() < 2 {
        let (signature, body) = timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
        assert!(signature.starts_with("sha1="));
        assert!(body["body"].get("subscriptionId").is_none());
        if body["type"] == "ms.MessagingEventNotification" {
            messages.push(body["body"]["changes"][0]["originatorMetadata"]["role"].clone());
        } else {
            assert_eq!(body["type"], "cqm.ExConversationChangeNotification");
            changes += 1;
        }
    }
    assert_eq!(messages, ["CONSUMER", "ASSIGNED_AGENT"]);
    assert_eq!(changes, 3, "opened, spoken, joined");
    let users: Vec<String> = emulator.sessions().into_iter().map(|session| session.user).collect();
    assert_eq!(users, ["bot1"], "a connector's consumer has no socket");
}

#[actix_web::test]
async fn tokens_that_are_missing_or_wrong_are_told_apart_by_their_error_codes() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let (app, consumer) = tokens(&emulator).await;
    let url = format!("https://{}/api/account/12345678/messaging/consumer/conversation?v=3", emulator.listen());
    let mut answer = http(&emulator).post(url).send_json(&opening()).await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["body"]["errorCode"], 40105);
    for (pair, code) in [
        (("forged".to_owned(), consumer.clone()), 40102),
        ((consumer.clone(), consumer.clone()), 40102),
        ((app.clone(), app.clone()), 40103),
    ] {
        let (status, answer) = send(&emulator, &pair, "conversation", &opening()).await;
        assert_eq!((status, &answer["body"]["errorCode"]), (401, &json!(code)));
    }
    let incomplete =
        json!([opening()[0], {"kind": "req", "id": "2", "type": "cm.ConsumerRequestConversation", "body": {}}]);
    let (status, answer) = send(&emulator, &(app, consumer), "conversation", &incomplete).await;
    assert_eq!((status, &answer["body"]["errorCode"]), (400, &json!(40001)));
}
