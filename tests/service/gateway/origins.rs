//! Pages of other origins: only the origins in the configuration may call.

use awc::http::Method;
use serde_json::json;

use super::{TOKENS, messages};
use crate::running::{Answer, BOT, Running};

const OWN: &str = "https://workspace.example";

fn sections() -> String {
    let gateway = TOKENS.replace("[gateway]", "[gateway]\nallowed_origins = [\"https://workspace.example\"]");
    format!("{BOT}{gateway}")
}

async fn preflight(running: &Running, path: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,idempotency-key,last-event-id"),
    ];
    running.request(Method::OPTIONS, path, &headers, None).await
}

fn has_no_permission(answer: &Answer) -> bool {
    answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-"))
}

#[actix_rt::test]
async fn a_page_of_an_allowed_origin_may_call_with_its_token() {
    let mut running = Running::start(&sections());
    running.ready("bots-1").await;
    let id = running.conversation().await;
    // A browser sends no token with a preflight request.
    let answer = preflight(&running, &messages(&id), OWN).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, OWN));
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(answer.header("access-control-allow-methods").split(", ").any(|allowed| allowed == method));
    }
    let allowed = answer.header("access-control-allow-headers").to_lowercase();
    for header in ["authorization", "content-type", "idempotency-key", "last-event-id", "mcp-protocol-version"] {
        assert!(allowed.split(", ").any(|one| one == header), "{allowed}");
    }
    assert_eq!((answer.header("access-control-max-age"), answer.header("vary")), ("600", "Origin"));

    let (path, body) = (messages(&id), json!({ "text": "from a page" }).to_string());
    running.token = Some("writer");
    let sent = running.request(Method::POST, &path, &[("origin", OWN)], Some(body.clone())).await;
    running.token = None;
    let refused = running.request(Method::POST, &path, &[("origin", OWN)], Some(body)).await;
    assert_eq!((sent.status, refused.status), (200, 401));
    for answer in [sent, refused] {
        assert_eq!(answer.header("access-control-allow-origin"), OWN);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        let exposed = answer.header("access-control-expose-headers").to_lowercase();
        for header in ["location", "retry-after", "x-request-id"] {
            assert!(exposed.split(", ").any(|one| one == header), "{exposed}");
        }
    }
    let stream = awc::Client::new().get(format!("http://{}/v1/events", running.address()));
    let stream = stream.bearer_auth("reader").insert_header(("origin", OWN)).send().await.unwrap();
    assert_eq!(stream.headers().get("access-control-allow-origin").unwrap(), OWN);
}

#[actix_rt::test]
async fn a_page_of_any_other_origin_gets_no_permission() {
    let mut running = Running::start(&sections());
    running.token = Some("reader");
    for origin in [
        "https://evil.example",
        "http://workspace.example",
        "https://workspace.example:8443",
        "null",
        "",
        "HTTPS://WORKSPACE.EXAMPLE",
    ] {
        assert!(has_no_permission(&preflight(&running, "/v1/connections", origin).await), "{origin}");
        let answer = running.request(Method::GET, "/v1/connections", &[("origin", origin)], None).await;
        assert!(has_no_permission(&answer) && answer.header("vary") == "Origin", "{origin}");
    }
    let without = running.get("/v1/connections").await;
    assert!(has_no_permission(&without) && without.status == 200);

    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.token = Some("reader");
    let answer = running.request(Method::GET, "/v1/connections", &[("origin", OWN)], None).await;
    assert!(has_no_permission(&answer) && answer.header("vary").is_empty(), "none is allowed by default");
    assert!(has_no_permission(&preflight(&running, "/v1/connections", OWN).await));
}

#[actix_rt::test]
async fn without_tokens_a_page_of_an_allowed_origin_may_call() {
    let gateway = "[gateway]\nlisten = \"127.0.0.1:0\"\nallowed_origins = [\"https://workspace.example\"]\n";
    let running = Running::start(gateway);
    for (origin, status) in [(OWN, 200), ("https://evil.example", 403)] {
        let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
        let answer = running.request(Method::GET, "/v1/connections", &headers, None).await;
        assert_eq!((answer.status, has_no_permission(&answer)), (status, status != 200), "{origin}");
    }
}
