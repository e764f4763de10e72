//! The Connector API: an app speaks for its consumers over HTTPS and hears them by signed webhooks.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use tertulia_emulator::{AppInstall, EVENT_TYPES, Emulator, EmulatorConfig, Fault, FaultKind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::client::{PATIENCE, Socket, http, post};

type Heard = (String, Value);

/// How many webhooks an endpoint refuses before it takes any.
type Refusing = Arc<AtomicUsize>;

async fn endpoint(
    heard: Data<UnboundedSender<Heard>>,
    refusing: Data<Refusing>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    let less = |left: usize| left.checked_sub(1);
    if refusing.try_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let signature = request.headers().get("x-liveperson-signature").unwrap().to_str().unwrap().to_owned();
    heard.send((signature, serde_json::from_slice(&body).unwrap())).unwrap();
    HttpResponse::Ok().finish()
}

/// An endpoint and its received webhooks.
fn listen() -> (String, UnboundedReceiver<Heard>) {
    listen_after(0)
}

/// An endpoint that refuses its first webhooks, and its received webhooks.
fn listen_after(refused: usize) -> (String, UnboundedReceiver<Heard>) {
    let refusing = Refusing::new(AtomicUsize::new(refused));
    let (sender, heard) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = move || {
        let refusing = Data::new(Refusing::clone(&refusing));
        App::new().app_data(Data::new(sender.clone())).app_data(refusing).default_service(web::to(endpoint))
    };
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

/// As three connectors write it: no channel, properties without a known type, and the first message along with it.
#[actix_web::test]
async fn a_conversation_opens_with_the_brand_alone_and_with_its_first_message() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let tokens = tokens(&emulator).await;
    let say = json!({"kind": "req", "id": "3", "type": "ms.PublishEvent",
        "body": {"event": {"type": "ContentEvent", "contentType": "text/plain", "message": "hi"}}});
    let mut requests = opening();
    requests[1]["body"] = json!({"brandId": "12345678"});
    requests.as_array_mut().unwrap().push(say.clone());
    let url = format!("https://{}/api/account/12345678/messaging/consumer/conversation?v=3", emulator.listen());
    let post = |properties: &str| {
        let request = http(&emulator).post(&url).insert_header(("Authorization", tokens.0.clone()));
        request.insert_header(("X-LP-ON-BEHALF", tokens.1.clone())).insert_header(("Client-Properties", properties))
    };
    let mut answer = post(r#"{"type":"ClientProperties","os":"ANDROID"}"#).send_json(&requests).await.unwrap();
    let answers: Value = answer.json().await.unwrap();
    let id = answers[1]["body"]["conversationId"].as_str().unwrap();
    assert_eq!(answers[2], json!({"reqId": "3", "code": "OK", "body": {"sequence": 0}}));
    let said: Vec<_> = emulator.ledger().iter().map(|entry| (entry.conversation, entry.text)).collect();
    assert_eq!(said, [(id.to_owned(), Some("hi".to_owned()))]);
    assert_eq!(post("{}").send_json(&opening()).await.unwrap().status().as_u16(), 200);

    let mut wrong = opening();
    wrong.as_array_mut().unwrap().extend([say.clone(), say]);
    assert_eq!(post("{}").send_json(&wrong).await.unwrap().status().as_u16(), 400, "one message, not two");
    let mut nobodys = opening();
    nobodys[1]["body"] = json!({});
    assert_eq!(post("{}").send_json(&nobodys).await.unwrap().status().as_u16(), 400);
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

/// Opens a conversation; its id.
async fn open(emulator: &Emulator, tokens: &(String, String)) -> String {
    let (_, answers) = send(emulator, tokens, "conversation", &opening()).await;
    answers[1]["body"]["conversationId"].as_str().unwrap().to_owned()
}

/// The sequences of the next webhooks that have one.
async fn sequences(heard: &mut UnboundedReceiver<Heard>, count: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    while sequences.len() < count {
        let (_, body) = timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
        sequences.extend(body["body"]["changes"][0]["sequence"].as_u64());
    }
    sequences
}

#[actix_web::test]
async fn webhooks_that_are_not_taken_are_tried_again_in_the_order_of_their_conversation() {
    let (address, mut heard) = listen_after(3);
    let app = AppInstall { first_pause: Duration::from_millis(10), ..AppInstall::new("c", "s").webhooks(&address) };
    let emulator = Emulator::start(EmulatorConfig { app: Some(app), ..EmulatorConfig::default() }).unwrap();
    let id = open(&emulator, &tokens(&emulator).await).await;
    for number in 0..20 {
        emulator.say(&id, &number.to_string()).unwrap();
    }
    assert_eq!(sequences(&mut heard, 20).await, (0..20).collect::<Vec<_>>());
}

#[actix_web::test]
async fn webhooks_come_twice_or_overtaken_when_that_is_asked_for() {
    let (address, mut heard) = listen();
    let app = AppInstall::new("c", "s").webhooks(&address);
    let emulator = Emulator::start(EmulatorConfig { app: Some(app), ..EmulatorConfig::default() }).unwrap();
    let id = open(&emulator, &tokens(&emulator).await).await;
    assert_eq!(emulator.inject(Fault::new(FaultKind::Duplicate)), 1);
    emulator.say(&id, "twice").unwrap();
    assert_eq!(sequences(&mut heard, 2).await, [0, 0]);
    assert_eq!(emulator.inject(Fault::new(FaultKind::Reorder)), 1);
    emulator.say(&id, "late").unwrap();
    emulator.say(&id, "last").unwrap();
    assert_eq!(sequences(&mut heard, 2).await, [2, 1]);
}

#[actix_web::test]
async fn an_application_is_installed_by_its_document_and_hears_what_it_has_endpoints_for() {
    let (address, mut heard) = listen();
    let control = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let emulator = Emulator::start(EmulatorConfig { control, ..EmulatorConfig::default() }).unwrap();
    let url = format!("http://{}/apps", emulator.control().unwrap());
    let install = |webhooks: Value| {
        let document = json!({"client_name": "mine", "client_id": "c", "client_secret": "s", "enabled": true,
            "scope": "msg.consumer", "capabilities": {"webhooks": webhooks}});
        let request = awc::Client::builder().timeout(PATIENCE).finish().post(&url);
        async move { request.send_json(&document).await.unwrap().status().as_u16() }
    };
    assert_eq!(install(json!({"ms.Unheard": {"endpoint": address}})).await, 400);
    assert_eq!(install(json!({(EVENT_TYPES[0]): {"endpoint": address, "headers": []}})).await, 201);

    let path = "/sentinel/api/account/12345678/app/token?v=1.0&client_id=c&client_secret=wrong";
    assert_eq!(post(&emulator, path, &json!({})).await.0, 401, "an installed application has its secret");
    let id = open(&emulator, &tokens(&emulator).await).await;
    emulator.say(&id, "hi").unwrap();
    let (_, first) = timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
    assert_eq!(first["body"]["changes"][0]["event"]["message"], "hi", "states have no endpoint");
}

#[actix_web::test]
async fn a_description_of_the_device_is_checked() {
    let (address, _heard) = listen();
    let app = AppInstall::new("c", "s").webhooks(&address);
    let emulator = Emulator::start(EmulatorConfig { app: Some(app), ..EmulatorConfig::default() }).unwrap();
    let (app, consumer) = tokens(&emulator).await;
    let path = "/api/account/12345678/messaging/consumer/conversation?v=3";
    for (properties, status) in [
        (r#"{"type":".ClientProperties","features":["AUTO_MESSAGES"]}"#, 200),
        (r#"{"type":".ClientProperties","os":"PLAN9"}"#, 400),
        (r#"{"type":".ClientProperties","features":"AUTO_MESSAGES"}"#, 400),
        ("AUTO_MESSAGES", 400),
    ] {
        let request = http(&emulator).post(format!("https://{}{path}", emulator.listen()));
        let request = request.insert_header(("Authorization", app.clone()));
        let request = request.insert_header(("X-LP-ON-BEHALF", consumer.clone()));
        let answer = request.insert_header(("Client-Properties", properties)).send_json(&opening()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{properties}");
    }
    assert_eq!(emulator.summary().conversations, 1);
}
