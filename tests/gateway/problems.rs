//! Errors.

use awc::http::Method;

use crate::running::Running;

#[actix_rt::test]
async fn every_error_is_a_problem() {
    let running = Running::bot().await;
    for (method, path, expected) in [
        (Method::GET, "/nothing", (404, "not-found")),
        (Method::GET, "/v1/nothing", (404, "not-found")),
        (Method::DELETE, "/healthz", (405, "method-not-allowed")),
        (Method::PUT, "/v1/connections", (405, "method-not-allowed")),
        (Method::GET, "/v1/connections?limit=0", (400, "bad-request")),
        (Method::GET, "/v1/connections?limit=1001", (400, "bad-request")),
        (Method::GET, "/v1/connections?limit=x", (400, "bad-request")),
        (Method::GET, "/v1/conversations?order=asc", (400, "bad-request")),
        (Method::GET, "/v1/conversations?cursor=x", (400, "bad-request")),
        (Method::GET, "/v1/events?speed=fast", (400, "bad-request")),
    ] {
        assert_eq!(running.request(method, path, &[], None).await.problem(), expected, "{path}");
    }
}
