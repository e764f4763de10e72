//! Who may call.

use awc::http::Method;
use serde_json::json;

use super::{TOKENS, messages};
use crate::running::{BOT, Running};

#[actix_rt::test]
async fn with_tokens_one_is_needed_and_its_scope_says_for_what() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.ready("bots-1").await;
    let id = running.conversation().await;
    let text = json!({ "text": "hi" });
    for token in [None, Some("guess"), Some("reader-and-more"), Some("")] {
        running.token = token;
        for path in ["/v1/connections", "/v1/events", "/metrics"] {
            let answer = running.get(path).await;
            assert_eq!(answer.problem(), (401, "unauthenticated"), "{token:?} {path}");
            assert_eq!(answer.authenticate, "Bearer");
        }
        assert_eq!(running.post(&messages(&id), &text).await.problem(), (401, "unauthenticated"));
        assert_eq!((running.get("/healthz").await.status, running.get("/readyz").await.status), (200, 200));
    }
    running.token = Some("reader");
    assert_eq!(running.get("/v1/connections").await.status, 200);
    assert_eq!(running.get("/metrics").await.status, 200);
    assert_eq!(running.post(&messages(&id), &text).await.problem(), (403, "not-permitted"));
    running.token = Some("writer");
    assert_eq!(running.get("/v1/connections").await.status, 200);
    assert_eq!(running.post(&messages(&id), &text).await.status, 200);
}

#[actix_rt::test]
async fn without_tokens_a_page_that_reaches_loopback_by_a_name_of_its_own_is_refused() {
    let running = Running::bot().await;
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1"] {
        let answer = running.request(Method::GET, "/v1/connections", &[("host", host)], None).await;
        assert_eq!(answer.problem(), (403, "not-permitted"), "{host}");
    }
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"] {
        let answer = running.request(Method::GET, "/v1/connections", &[("host", host)], None).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[actix_rt::test]
async fn without_tokens_pages_of_other_sites_are_refused() {
    let running = Running::bot().await;
    let own = format!("http://{}", running.address());
    for (origin, expected) in
        [("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:1", 403), ("", 403), (&own, 200)]
    {
        let answer = running.request(Method::GET, "/v1/connections", &[("origin", origin)], None).await;
        assert_eq!(answer.status, expected, "{origin}");
    }
}
