//! REST requests that are signed with an agent's API keys (OAuth 1.0), by a signer of our own.

use std::time::UNIX_EPOCH;

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;
use tertulia_emulator::{Emulator, EmulatorConfig, FaultKind, FaultRule, Outcome};

use crate::client::http;

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The `Authorization` of a request whose query is encoded already.
fn signature(user: &str, secret: &str, method: &str, url: &str, query: &[(&str, &str)], at: u64) -> String {
    let own = [
        ("oauth_consumer_key", format!("{user}-key")),
        ("oauth_nonce", "n7".to_owned()),
        ("oauth_signature_method", "HMAC-SHA1".to_owned()),
        ("oauth_timestamp", at.to_string()),
        ("oauth_token", format!("{user}-token")),
        ("oauth_version", "1.0".to_owned()),
    ];
    let mut all: Vec<(String, String)> = own.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    all.extend(query.iter().map(|(name, value)| (encoded(name), encoded(value))));
    all.sort();
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let base = format!("{method}&{}&{}", encoded(url), encoded(&all.join("&")));
    let key = format!("{secret}&{user}-token-secret");
    let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap().chain_update(base).finalize().into_bytes();
    let mac = base64::engine::general_purpose::STANDARD.encode(mac);
    let own: Vec<String> = own.iter().map(|(name, value)| format!("{name}=\"{}\"", encoded(value))).collect();
    format!("OAuth {},oauth_signature=\"{}\"", own.join(","), encoded(&mac))
}

async fn ask(emulator: &Emulator, method: &str, path: &str, authorization: &str, body: &Value) -> (u16, Value) {
    let url = format!("https://{}{path}", emulator.listen());
    let request = http(emulator).request(method.parse().unwrap(), url);
    let mut answer = request.insert_header(("Authorization", authorization)).send_json(body).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[actix_web::test]
async fn a_request_signed_by_an_agents_keys_needs_no_session_and_a_wrong_signature_is_401() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let id = emulator.create_conversation(None, None);
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let path = "/messaging_history/api/account/12345678/conversations/conversation/search";
    let url = format!("https://{}{path}", emulator.listen());
    let asked = format!("{path}?sort=start%3Adesc&limit=5&v=2");
    let query = [("sort", "start:desc"), ("limit", "5"), ("v", "2")];
    let body = json!({"conversationId": id});
    let sign = |user: &str, secret: &str, at: u64| signature(user, secret, "POST", &url, &query, at);

    let right = sign("bot1", "bot1-secret", now);
    let (status, found) = ask(&emulator, "POST", &asked, &right, &body).await;
    assert_eq!((status, &found["_metadata"]["count"]), (200, &json!(1)));
    // The keys outlive every session.
    emulator.inject(tertulia_emulator::Fault::new(FaultKind::ExpireToken).user("bot1"));
    assert_eq!(ask(&emulator, "POST", &asked, &right, &body).await.0, 200);

    let other_query = format!("{path}?sort=start%3Aasc&limit=5&v=2");
    for (asked, authorization, text) in [
        (&other_query, right.clone(), "the OAuth signature is wrong"),
        (&asked, sign("bot1", "other", now), "the OAuth signature is wrong"),
        (&asked, sign("nobody", "nobody-secret", now), "the OAuth key or token is unknown"),
        (&asked, sign("bot1", "bot1-secret", now - 4_000), "the OAuth timestamp is more than five minutes away"),
        (&asked, "OAuth nothing".to_owned(), "the OAuth header is malformed"),
    ] {
        assert_eq!(ask(&emulator, "POST", asked, &authorization, &body).await, (401, json!({"error": text})));
    }
}

#[actix_web::test]
async fn rules_know_the_agent_who_signed() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let path = "/api/account/12345678/configuration/le-users/skills";
    let url = format!("https://{}{path}", emulator.listen());
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let signed = |user: &str| signature(user, &format!("{user}-secret"), "GET", &url, &[], now);
    emulator.add_rule(FaultRule::new("skills", Outcome::Code(429)).user("bot2").always()).unwrap();
    assert_eq!(ask(&emulator, "GET", path, &signed("bot1"), &json!({})).await.0, 200);
    assert_eq!(ask(&emulator, "GET", path, &signed("bot2"), &json!({})).await.0, 429);
}
