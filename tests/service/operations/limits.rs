//! How much each token may ask.

use std::time::Instant;

use awc::http::Method;

use crate::running::{BOT, Running};

const TOKENS: &str = r#"
[gateway]
listen = "127.0.0.1:0"
limits = { requests_per_second = 1, burst = 3 }
tokens = [
    { name = "looker", token = { env = "READ_TOKEN" }, scope = "read" },
    { name = "ops", token = { env = "WRITE_TOKEN" }, scope = "write" },
]
"#;

#[actix_rt::test]
async fn a_token_that_asks_too_much_is_told_when_to_come_again_and_no_other_notices() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.token = Some("reader");
    let mut refused = None;
    for _ in 0..20 {
        let answer = running.get("/v1/connections").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.problem(), (429, "too-many-requests"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    // Probes ask without a token, whatever callers do.
    assert_eq!(running.get("/healthz").await.status, 200);
    running.token = Some("writer");
    assert_eq!(running.get("/v1/connections").await.status, 200);
    let metrics = running.get("/metrics").await.text;
    assert!(metrics.contains("tertulia_http_requests_limited_total 1"), "{metrics}");
}

#[actix_rt::test]
async fn without_tokens_all_callers_count_as_one() {
    let running = Running::start(&format!(
        "{BOT}[gateway]\nlisten = \"127.0.0.1:0\"\nlimits = {{ requests_per_second = 1, burst = 1, concurrent = 1 }}\n"
    ));
    let began = Instant::now();
    let mut taken = 0;
    let refused = loop {
        match running.request(Method::GET, "/v1/connections", &[], None).await.status {
            200 => taken += 1,
            status => break status,
        }
        assert!(taken <= 1 + began.elapsed().as_secs(), "one at once, and one a second");
    };
    assert_eq!((refused, taken >= 1), (429, true));
}
