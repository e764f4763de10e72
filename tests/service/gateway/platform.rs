//! `/v1/connections/{id}/platform/{service}/{path}`.

use std::io;

use actix_web::web::Bytes;
use awc::http::Method;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tertulia_emulator::{Fault, FaultKind, FaultRule, Outcome};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{TOKENS, WRONG};
use crate::running::{BOT, PATIENCE, Running, client};

const SKILLS: &str =
    "/v1/connections/bots-1/platform/accountConfigReadWrite/api/account/12345678/configuration/le-users/skills";
const SEARCH: &str =
    "/v1/connections/bots-1/platform/msgHist/messaging_history/api/account/12345678/conversations/search";

/// Sends a request exactly as given, and returns the answer.
async fn raw(running: &Running, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An answer that breaks off may end in a connection reset.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn refuse(running: &Running, request: &str, outcome: Outcome) {
    running.emulator.add_rule(FaultRule::new(request, outcome)).unwrap();
}

/// A request for skills through a live bot keeps its one session, and no answer contains its bearer.
#[actix_rt::test]
async fn a_live_bot_serves_the_platforms_other_services_in_its_one_session() {
    let mut running = Running::bot().await;
    let skills = running.get(&format!("{SKILLS}?v=2.0")).await;
    assert_eq!((skills.status, &skills.json[0]["name"]), (200, &json!("Skill 501")), "{}", skills.text);
    assert_eq!((skills.header("ac-revision"), skills.header("etag")), ("1", "\"1\""));
    assert_eq!(skills.header("x-platform-service"), "accountConfigReadWrite");
    assert_eq!((skills.header("cache-control"), skills.header("x-content-type-options")), ("no-store", "nosniff"));
    assert!(skills.header("content-security-policy").contains("sandbox"));

    // A request with a body and a query.
    let id = running.conversation().await;
    let now = jiff::Timestamp::now().as_millisecond();
    let search = json!({ "start": { "from": now - 3_600_000, "to": now + 3_600_000 }, "status": ["OPEN"] });
    let found = running.post(&format!("{SEARCH}?limit=1"), &search).await;
    let records = &found.json["conversationHistoryRecords"];
    assert_eq!((found.status, &records[0]["info"]["conversationId"]), (200, &json!(id)), "{}", found.text);
    let other = running.request(Method::PATCH, SKILLS, &[], None).await;
    assert_eq!(
        (other.status, other.header("x-platform-service")),
        (405, "accountConfigReadWrite"),
        "the status of the service"
    );

    let sessions: Value = serde_json::to_value(running.emulator.summary()).unwrap();
    assert_eq!(sessions["sessions"]["bot1"], json!({ "now": 1, "max": 1 }), "{sessions}");
    let bearers = running.emulator.bearers();
    assert_eq!(bearers.len(), 1);
    for path in ["/v1/connections/bots-1", "/v1/overview", "/metrics", "/v1/dead-letters"] {
        assert!(!running.get(path).await.text.contains(&bearers[0]), "{path}");
    }
}

#[actix_rt::test]
async fn the_answer_to_a_head_request_keeps_the_length_of_the_body_that_it_leaves_out() {
    let running = Running::bot().await;
    // The stand-in knows neither method at this path, and answers both with the same body.
    let other = running.request(Method::PATCH, SKILLS, &[], None).await;
    assert!(other.status == 405 && !other.text.is_empty());
    for _ in 0..3 {
        let head = raw(&running, "HEAD", SKILLS, "").await;
        let (head, body) = head.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 405") && body.is_empty(), "{head}");
        let length = format!("content-length: {}", other.text.len());
        assert!(head.lines().any(|line| line.eq_ignore_ascii_case(&length)), "{length}: {head}");
    }
}

#[actix_rt::test]
async fn an_answer_of_the_platform_keeps_any_status_and_body() {
    let running = Running::bot().await;
    let missing = running.get(&format!("{SKILLS}/no-such")).await;
    assert_eq!((missing.status, missing.content_type.as_str()), (404, "application/json"), "{}", missing.text);
    assert_eq!(missing.json, json!({ "error": "Skill not found" }));
    for (code, outcome) in [(429, Outcome::Code(429)), (503, Outcome::Html(503)), (200, Outcome::EarlyHints)] {
        refuse(&running, "skills", outcome);
        let answer = running.get(SKILLS).await;
        assert_eq!((answer.status, answer.header("x-platform-service")), (code, "accountConfigReadWrite"));
        assert_ne!(answer.content_type, "application/problem+json");
    }
    refuse(&running, "skills", Outcome::Drop);
    assert_eq!(running.get(SKILLS).await.problem(), (502, "platform-rejected"));
}

#[actix_rt::test]
async fn a_token_that_has_ended_is_renewed_once_and_a_401_is_never_the_callers() {
    let running = Running::bot().await;
    running.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1"));
    let answer = running.get(SKILLS).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    running.emulator.add_rule(FaultRule::new("skills", Outcome::Code(401)).always()).unwrap();
    running.ready("bots-1").await;
    let refused = running.get(SKILLS).await;
    assert_eq!((refused.problem(), &refused.json["platformCode"]), ((502, "platform-rejected"), &json!(401)));
}

#[actix_rt::test]
async fn every_method_needs_the_scope_write() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.ready("bots-1").await;
    running.token = Some("reader");
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let refused = running.request(method, SKILLS, &[], None).await;
        assert_eq!(refused.problem(), (403, "not-permitted"));
    }
    running.token = Some("writer");
    let answer = running.request(Method::GET, SKILLS, &[("cookie", "session_id=1")], None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[actix_rt::test]
async fn a_request_that_must_not_or_cannot_be_forwarded_gets_its_code() {
    let running = Running::start(&format!("{BOT}{WRONG}"));
    running.ready("bots-1").await;
    assert!(running.service.tertulia().connection(&"wrong".into()).ready(PATIENCE).await.is_err());
    let at = "/v1/connections/bots-1/platform";
    assert_eq!(running.get(&format!("{at}/noSuchService/x")).await.problem(), (404, "unknown-service"));
    assert_eq!(
        running.get(&format!("{at}/agentVep/api/account/12345678/login")).await.problem(),
        (422, "not-forwarded")
    );
    assert_eq!(running.get("/v1/connections/none/platform/swift/x").await.problem(), (404, "unknown-connection"));
    let skills = SKILLS.replace("bots-1", "wrong");
    assert_eq!(running.get(&skills).await.problem(), (409, "not-connected"));
    let keyed = running.request(Method::PUT, SKILLS, &[("idempotency-key", "k")], None).await;
    assert_eq!(keyed.problem(), (400, "bad-request"));
    assert_eq!(running.request(Method::TRACE, SKILLS, &[], None).await.problem(), (405, "method-not-allowed"));
    for path in
        ["a/%2e%2e/b", "a/../b", "/evil.example/x", "a%5c..%5cb", "a%2f..%2fb", "%252e%252e/x", "a/..;x/b", "%0d%0a"]
    {
        let answer = raw(&running, "GET", &format!("{at}/accountConfigReadWrite/{path}"), "").await;
        assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("not-forwarded"), "{path}: {answer}");
    }
}

#[actix_rt::test]
async fn a_body_beyond_the_limit_is_refused_with_and_without_a_content_length() {
    let limits = "[gateway]\nlisten = \"127.0.0.1:0\"\nlimits = { forwarded_bytes = 100000 }\n";
    let running = Running::start(&format!("{BOT}{limits}"));
    running.ready("bots-1").await;
    let large = running.send_bytes(SEARCH, "application/json", &[], vec![b' '; 100_001]).await;
    assert_eq!(large.problem(), (413, "body-too-large"));
    let pieces = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from(vec![b' '; 10_000])));
    let mut chunked =
        client().post(format!("http://{}{SEARCH}", running.address())).send_stream(pieces.take(50)).await.unwrap();
    assert_eq!(chunked.status().as_u16(), 413);
    assert!(String::from_utf8_lossy(&chunked.body().await.unwrap()).contains("body-too-large"));
    // A body of the largest size is forwarded. The service refuses the body, because it is not a valid search.
    let largest = running.send_bytes(SEARCH, "application/json", &[], vec![b' '; 100_000]).await;
    assert_eq!((largest.status, largest.header("x-platform-service")), (400, "msgHist"), "{}", largest.text);
}

/// An answer that repeats the bearer is cut off before the bearer, and the caller sees that the answer is incomplete.
#[actix_rt::test]
async fn an_answer_breaks_off_before_the_bearer() {
    let running = Running::bot().await;
    let bearer = running.emulator.bearers().remove(0);
    refuse(&running, "history", Outcome::Echo(200));
    let at_once = raw(&running, "POST", SEARCH, &format!("Bearer {bearer}")).await;
    assert!(at_once.starts_with("HTTP/1.1 502") && at_once.contains("platform-rejected"), "{at_once}");
    refuse(&running, "history", Outcome::Echo(200));
    let body = format!("{} Bearer {bearer} and more", "x".repeat(200_000));
    let later = raw(&running, "POST", SEARCH, &body).await;
    let (head, shown) = later.split_once("\r\n\r\n").unwrap();
    let size = format!("content-length: {}", body.len());
    assert!(head.starts_with("HTTP/1.1 200") && head.contains(&size), "{head}");
    assert!(!shown.is_empty() && shown.len() < 200_010, "{} of {}", shown.len(), body.len());
    for answer in [at_once, later] {
        assert!(!answer.contains(&bearer[..8]));
    }
}
