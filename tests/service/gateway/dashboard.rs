//! The dashboard's files and the overview that it reads. What the page does with them is proved in `tests/dashboard`.

use awc::http::Method;
use serde_json::json;

use super::{TOKENS, WRONG};
use crate::running::{BOT, PATIENCE, Running};

#[actix_rt::test]
async fn the_page_is_served_to_everybody_and_may_load_nothing_from_elsewhere() {
    let running = Running::start(&format!("{BOT}{TOKENS}"));
    let page = running.get("/").await;
    assert_eq!((page.status, page.content_type.as_str()), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), value, "{name}");
    }

    // Each text that the page names is there, by its own type.
    let mut named = 0;
    let is_text = |name: &&str| name.starts_with("dashboard/") && !name.ends_with(".woff2");
    for name in page.text.split('"').filter(is_text) {
        let file = running.get(&format!("/{name}")).await;
        let expected = match name.rsplit_once('.').unwrap().1 {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((file.status, file.content_type.as_str()), (200, expected), "{name}");
        assert_eq!(file.header("x-content-type-options"), "nosniff", "{name}");
        named += 1;
    }
    assert!(named > 5);
}

#[actix_rt::test]
async fn a_cached_file_of_the_page_is_not_modified_and_no_other_file_is_served() {
    let running = Running::start("");
    let file = running.get("/dashboard/app/main.js").await;
    let tag = file.header("etag").to_owned();
    assert!(tag.len() > 64 && file.header("cache-control") == "no-cache", "{tag}");
    for (known, expected) in [(tag.as_str(), 304), ("\"other\"", 200), ("*", 304)] {
        let path = "/dashboard/app/main.js";
        let again = running.request(Method::GET, path, &[("if-none-match", known)], None).await;
        assert_eq!((again.status, again.text.is_empty()), (expected, expected == 304), "{known}");
    }
    for path in
        ["none.js", "../mod.rs", "..%2Fmod.rs", "app/../../mod.rs", "%2Fetc%2Fpasswd", "app", "screenshots/phone.png"]
    {
        assert_eq!(running.get(&format!("/dashboard/{path}")).await.problem(), (404, "not-found"), "{path}");
    }
}

#[actix_rt::test]
async fn the_overview_counts_and_tells_what_the_token_allows() {
    let mut running = Running::start(&format!("{BOT}{WRONG}{TOKENS}"));
    running.ready("bots-1").await;
    assert!(running.service.tertulia().connection(&"wrong".into()).ready(PATIENCE).await.is_err());
    assert_eq!(running.get("/v1/overview").await.problem(), (401, "unauthenticated"));
    running.token = Some("reader");
    let first = running.get("/v1/overview").await.json;
    assert_eq!((&first["scope"], &first["latency"]), (&json!("read"), &json!(null)));
    let expected = json!({ "total": 2, "ready": 1, "working": 0, "failed": 1, "stopped": 0 });
    assert_eq!(first["connections"], expected);

    running.conversation().await;
    running.token = Some("writer");
    let second = running.get("/v1/overview").await.json;
    assert_eq!((&second["scope"], &second["journal"]["healthy"]), (&json!("write"), &json!(true)));
    assert_eq!(second["conversations"], json!({ "inMemory": 1, "asleep": 0, "quarantined": 0 }));
    assert!(second["counts"]["events"].as_u64() > first["counts"]["events"].as_u64());
    // Only events since the previous request.
    let latency = &second["latency"]["frameToEvent"];
    assert!(latency["count"].as_u64().unwrap() > 0 && latency["p99"].as_f64() >= latency["p50"].as_f64(), "{latency}");
}
