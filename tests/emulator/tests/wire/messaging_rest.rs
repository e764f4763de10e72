//! The messaging REST API: agents, consumers and connectors on behalf of consumers.

use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultRule, Outcome};

use crate::client::{Socket, http, login, post, signup};

struct Answer {
    status: u16,
    etag: Option<String>,
    body: Value,
}

/// The headers of one caller.
type Who = Vec<(&'static str, String)>;

fn bearer(token: &str) -> Who {
    vec![
        ("Authorization", format!("Bearer {token}")),
        ("Brand-ID", "12345678".to_owned()),
        ("Client-source", "tests".to_owned()),
    ]
}

async fn agent(emulator: &Emulator, user: &str) -> Who {
    bearer(login(emulator, user).await["bearer"].as_str().unwrap())
}

/// A connector's two tokens, and the consumer that they are for.
async fn connector(emulator: &Emulator) -> (Who, String) {
    let path = "/sentinel/api/account/12345678/app/token?client_id=c&client_secret=s";
    let app = post(emulator, path, &json!({})).await.1["access_token"].as_str().unwrap().to_owned();
    let url = format!("https://{}/api/account/12345678/consumer?v=1.0", emulator.listen());
    let request = http(emulator).post(url).insert_header(("Authorization", app.clone()));
    let mut answer = request.send_json(&json!({"ext_consumer_id": "sms:1"})).await.unwrap();
    let token = answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let who = vec![
        ("Authorization", app),
        ("LP-On-Behalf", token.clone()),
        ("Brand-ID", "12345678".to_owned()),
        ("Client-source", "tests".to_owned()),
    ];
    (who, subject(&token))
}

/// The subject of a token.
fn subject(token: &str) -> String {
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["sub"].as_str().unwrap().to_owned()
}

async fn ask(emulator: &Emulator, who: &Who, method: &str, path: &str, body: &Value) -> Answer {
    let url = format!("https://{}/messaging/v1{path}", emulator.listen());
    let mut request = http(emulator).request(method.parse().unwrap(), url);
    for (name, value) in who {
        request = request.insert_header((*name, value.as_str()));
    }
    let mut answer = match body {
        Value::Null => request.send().await.unwrap(),
        body => request.send_json(body).await.unwrap(),
    };
    assert_eq!(answer.headers().get("content-type").unwrap(), "application/json", "{path}");
    let etag = answer.headers().get("etag").map(|etag| etag.to_str().unwrap().to_owned());
    let (status, body) = (answer.status().as_u16(), answer.body().await.unwrap());
    Answer { status, etag, body: serde_json::from_slice(&body).unwrap() }
}

#[actix_web::test]
async fn a_connector_opens_speaks_reads_and_closes_on_behalf_of_its_consumer() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let (who, consumer) = connector(&emulator).await;
    let own = format!("/consumers/{consumer}");
    let put = ask(&emulator, &who, "PUT", &own, &json!({"firstName": "Ann"})).await;
    assert_eq!((put.status, &put.body["firstName"]), (200, &json!("Ann")));
    let other = ask(&emulator, &who, "PUT", "/consumers/other", &json!({})).await;
    assert_eq!(other.status, 403);
    let opened = ask(&emulator, &who, "POST", &format!("{own}/conversations"), &json!({"skillId": "501"})).await;
    assert_eq!((opened.status, &opened.body["skillId"]), (201, &json!("501")));
    let id = opened.body["id"].as_str().unwrap().to_owned();

    let read = ask(&emulator, &who, "GET", &format!("/conversations/{id}"), &Value::Null).await;
    assert_eq!((read.status, &read.body["stage"], &read.body["consumerId"]), (200, &json!("OPEN"), &json!(consumer)));
    let dialog = &read.body["dialogs"][0];
    assert_eq!((&dialog["id"], &dialog["dialogType"], &dialog["state"]), (&json!(id), &json!("MAIN"), &json!("OPEN")));
    assert_eq!(dialog["participants"][0], json!({"id": consumer, "role": "CONSUMER", "state": "ACTIVE"}));

    let messages = format!("/conversations/{id}/dialogs/{id}/messages");
    for sequence in 0..3 {
        let text = json!({"type": "PLAIN_TEXT", "content": {"text": format!("text {sequence}")}});
        let said = ask(&emulator, &who, "POST", &messages, &text).await;
        assert_eq!((said.status, &said.body["sequence"]), (201, &json!(sequence)));
    }
    let page = ask(&emulator, &who, "GET", &format!("{messages}?limit=2&sortOrder=ASC"), &Value::Null).await;
    let first = &page.body["data"][0];
    assert_eq!((&first["sequence"], &first["type"]), (&json!(0), &json!("PLAIN_TEXT")));
    assert_eq!((&first["content"], &first["messageAudience"]), (&json!({"text": "text 0"}), &json!("ALL")));
    assert_eq!(first["originator"], json!({"id": consumer, "role": "CONSUMER"}));
    let time = first["createdTs"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    let next = page.body["links"]["next"].as_str().unwrap();
    let next = next.split_once("/messaging/v1").unwrap().1;
    let rest = ask(&emulator, &who, "GET", next, &Value::Null).await;
    assert_eq!((&rest.body["data"][0]["sequence"], &rest.body["links"]), (&json!(2), &json!({})));
    let last = ask(&emulator, &who, "GET", &format!("{messages}?sortOrder=DESC&limit=1"), &Value::Null).await;
    assert_eq!(last.body["data"][0]["sequence"], 2);

    let path = format!("/conversations/{id}");
    let close = json!({"stage": "CLOSE"});
    assert_eq!(ask(&emulator, &who, "PATCH", &path, &close).await.status, 428);
    let version = ask(&emulator, &who, "GET", &path, &Value::Null).await.etag.unwrap();
    let versioned = [who.clone(), vec![("If-Match", version)]].concat();
    assert_eq!(ask(&emulator, &versioned, "PATCH", &path, &close).await.status, 200);
    let closed = ask(&emulator, &who, "GET", &path, &Value::Null).await;
    assert_eq!((&closed.body["stage"], &closed.body["closeReason"]), (&json!("CLOSE"), &json!("CONSUMER")));
}

#[actix_web::test]
async fn an_agent_answers_and_a_consumer_reads_the_answer_by_its_own_token() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let jwt = signup(&emulator).await;
    let mut socket = Socket::consumer(&emulator, &jwt).await;
    let opened = socket.ask("cm.ConsumerRequestConversation", json!({})).await;
    let id = opened["conversationId"].as_str().unwrap();
    let bot = agent(&emulator, "bot1").await;
    let dialog = format!("/conversations/{id}/dialogs/{id}");
    let join = json!({"id": "12345678.3901122001", "role": "ASSIGNED_AGENT", "state": "ACTIVE"});
    assert_eq!(ask(&emulator, &bot, "POST", &format!("{dialog}/participants"), &join).await.status, 201);
    let seen = ask(&emulator, &bot, "GET", &format!("{dialog}/participants/3901122001"), &Value::Null).await;
    assert_eq!((seen.status, &seen.body["role"]), (200, &json!("ASSIGNED_AGENT")));
    let card = json!({"type": "vertical", "elements": []});
    let say = json!({"type": "RICH_CONTENT", "content": card});
    assert_eq!(ask(&emulator, &bot, "POST", &format!("{dialog}/messages"), &say).await.status, 201);

    let consumer = bearer(&jwt);
    let heard = ask(&emulator, &consumer, "GET", &format!("{dialog}/messages"), &Value::Null).await;
    let message = &heard.body["data"][0];
    assert_eq!((heard.status, &message["type"], &message["content"]), (200, &json!("RICH_CONTENT"), &card));
    assert_eq!(message["originator"]["role"], "ASSIGNED_AGENT");
    let of_another = bearer(&signup(&emulator).await);
    assert_eq!(ask(&emulator, &of_another, "GET", &format!("/conversations/{id}"), &Value::Null).await.status, 404);
    assert_eq!(ask(&emulator, &of_another, "GET", &format!("{dialog}/messages"), &Value::Null).await.status, 400);
}

#[actix_web::test]
async fn a_caller_names_its_brand_its_source_and_a_valid_token() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let id = emulator.create_conversation(None, None);
    let path = format!("/conversations/{id}");
    let bot = agent(&emulator, "bot1").await;
    assert_eq!(ask(&emulator, &bot, "GET", &path, &Value::Null).await.status, 200);
    let without = |name: &str| bot.iter().filter(|(known, _)| *known != name).cloned().collect::<Who>();
    for (who, status) in [
        (without("Brand-ID"), 400),
        (without("Client-source"), 400),
        (without("Authorization"), 401),
        (bearer("wrong"), 401),
        (bearer("a.b.c"), 401),
        ([bearer("wrong"), vec![("LP-On-Behalf", "wrong".to_owned())]].concat(), 401),
    ] {
        let answer = ask(&emulator, &who, "GET", &path, &Value::Null).await;
        assert_eq!((answer.status, answer.body["error"].is_string()), (status, true), "{who:?}");
    }
    assert_eq!(ask(&emulator, &bot, "GET", "/conversations/none", &Value::Null).await.status, 404);
    assert_eq!(ask(&emulator, &bot, "GET", &format!("{path}/dialogs/none"), &Value::Null).await.status, 404);
}

#[actix_web::test]
async fn rules_strike_a_history_by_the_messaging_rest_api_too() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let jwt = signup(&emulator).await;
    let mut socket = Socket::consumer(&emulator, &jwt).await;
    let opened = socket.ask("cm.ConsumerRequestConversation", json!({})).await;
    let id = opened["conversationId"].as_str().unwrap();
    for text in ["one", "two"] {
        emulator.say(id, text).unwrap();
    }
    let who = bearer(&jwt);
    let path = format!("/conversations/{id}/dialogs/{id}/messages");
    emulator.add_rule(FaultRule::new("QueryMessages", Outcome::Code(429)).conversation(id)).unwrap();
    assert_eq!(ask(&emulator, &who, "GET", &path, &Value::Null).await.status, 429);
    emulator.add_rule(FaultRule::new("QueryMessages", Outcome::Clamp(1))).unwrap();
    let clamped = ask(&emulator, &who, "GET", &path, &Value::Null).await;
    assert_eq!(clamped.body["data"].as_array().unwrap().len(), 1);
}
