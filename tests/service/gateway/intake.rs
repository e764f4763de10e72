//! `/v1/intake/{connection}`.

use awc::http::Method;

use crate::running::Running;

pub(crate) const SHOP: &str = r#"
[[connections]]
id = "shop"
account = "12345678"
role = "connector"
login = { app_key = "app", secret = { env = "APP_SECRET" } }
"#;

/// WH-1, WH-3: the platform's signature vouches for a webhook; a wrong one is refused with 401 and counted. The
/// signature is the test vector of protocol §10.4.
#[actix_rt::test]
async fn a_webhook_is_taken_by_its_signature_alone() {
    const BODY: &str = r#"{"kind":"notification","body":{"changes":[]},"type":"ms.MessagingEventNotification"}"#;
    const SIGNATURE: &str = "sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=";
    let running = Running::start(SHOP);
    let post = |path: &'static str, signature: &'static str, body: &'static str| {
        let headers = [("x-liveperson-signature", signature)];
        let running = &running;
        async move { running.request(Method::POST, path, &headers, Some(body.to_owned())).await }
    };
    assert_eq!(post("/v1/intake/shop", SIGNATURE, BODY).await.status, 200);
    let refused = post("/v1/intake/shop", SIGNATURE, "{}").await;
    assert_eq!((refused.status, refused.json["code"].as_str()), (401, Some("bad-signature")));
    let unknown = post("/v1/intake/nobody", SIGNATURE, BODY).await;
    assert_eq!((unknown.status, unknown.json["code"].as_str()), (404, Some("unknown-connection")));
    assert_eq!(running.service.tertulia().metrics().webhooks_refused.get(), 1);
}
