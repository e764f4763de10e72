//! What a browser may make of the answers, and what a page may make of a gateway without tokens.

use awc::http::Method;
use serde_json::json;

use crate::running::{BOT, Running};

#[actix_rt::test]
async fn every_answer_is_shut_against_guessing_frames_and_other_origins() {
    let running = Running::start(BOT);
    for path in ["/v1/connections", "/healthz", "/nothing", "/v1/connections/none", "/openapi.json", "/metrics"] {
        let answer = running.request(Method::GET, path, &[("origin", "null")], None).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!answer.headers.iter().any(|(name, _)| name.as_str().starts_with("access-control-")), "{path}");
        let keeps = path == "/healthz" || path == "/openapi.json";
        assert_eq!(answer.header("cache-control") == "no-store", !keeps, "{path} {}", answer.header("cache-control"));
    }
}

#[actix_rt::test]
async fn a_request_id_comes_back_and_one_is_made_where_there_is_none_to_trust() {
    let running = Running::start(BOT);
    let ask = async |id: &'static str| running.request(Method::GET, "/healthz", &[("x-request-id", id)], None).await;
    assert_eq!(ask("from-a-proxy:1").await.header("x-request-id"), "from-a-proxy:1");
    for id in ["<script>", "a b", ""] {
        let answer = ask(id).await;
        assert!(uuid::Uuid::parse_str(answer.header("x-request-id")).is_ok(), "{id}");
    }
    // Refusals have one too.
    let refused = running.request(Method::GET, "/v1/connections", &[("host", "evil.example")], None).await;
    assert!(!refused.header("x-request-id").is_empty());
}

/// A browser asks no permission for a `POST` that a form could make, nor for a WebSocket.
#[actix_rt::test]
async fn without_tokens_no_page_of_another_origin_may_act_or_listen() {
    let running = Running::start(BOT);
    let address = running.address();
    let own = format!("http://{address}");
    let text = json!({ "text": "x" }).to_string();
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for (method, path) in [
            (Method::POST, "/v1/conversations/c1/messages"),
            (Method::DELETE, "/v1/connections/bots-1"),
            (Method::GET, "/v1/events"),
            (Method::GET, "/v1/events/socket"),
            (Method::GET, "/metrics"),
        ] {
            let answer = running.request(method, path, &[foreign], Some(text.clone())).await;
            assert_eq!(answer.problem(), (403, "not-permitted"), "{foreign:?} {path}");
        }
    }
    for own in [("origin", own.as_str()), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")] {
        assert_eq!(running.request(Method::GET, "/v1/connections", &[own], None).await.status, 200, "{own:?}");
    }
}
