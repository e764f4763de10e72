//! Request bodies take a bounded part of memory, for all callers together.

use std::net::SocketAddr;

use awc::http::Method;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::running::{BOT, PATIENCE, Running};

const SHOP: &str = r#"
[[connections]]
id = "shop"
account = "12345678"
role = "connector"
login = { app_key = "app", secret = { env = "APP_SECRET" } }
"#;
const TOKENS: &str = r#"
[gateway]
listen = "127.0.0.1:0"
tokens = [{ name = "ops", token = { env = "WRITE_TOKEN" }, scope = "write" }]
"#;
const SIGNED: &str = "x-liveperson-signature: sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=\r\n";
/// The longest body of a webhook, in bytes.
const LARGEST: usize = 1024 * 1024;

/// A request with a body of this many bytes, of which only the header was sent.
async fn post(address: SocketAddr, path: &str, headers: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The status and the code of the problem that the gateway answers with.
async fn refusal(stream: &mut TcpStream) -> (u16, String) {
    let mut said = String::new();
    loop {
        let mut piece = [0; 4096];
        let read = timeout(PATIENCE, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(read > 0, "the answer breaks off: {said}");
        said.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        if let Some((head, body)) = said.split_once("\r\n\r\n")
            && let Ok(problem) = serde_json::from_str::<serde_json::Value>(body)
        {
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            return (status, problem["code"].as_str().unwrap().to_owned());
        }
    }
}

#[actix_rt::test]
async fn a_webhook_that_cannot_be_taken_is_refused_before_a_byte_of_its_body() {
    let running = Running::start(SHOP);
    for (path, headers, expected) in [
        ("/v1/intake/nobody", SIGNED, (404, "unknown-connection")),
        ("/v1/intake/shop", "", (401, "bad-signature")),
        ("/v1/intake/shop", "x-liveperson-signature: md5=abcd\r\n", (401, "bad-signature")),
    ] {
        let mut stream = post(running.address(), path, headers, LARGEST - 1).await;
        let (status, code) = refusal(&mut stream).await;
        assert_eq!((status, code.as_str()), expected, "{path} {headers}");
    }
    let mut stream = post(running.address(), "/v1/intake/shop", SIGNED, LARGEST + 1).await;
    assert_eq!(refusal(&mut stream).await, (413, "body-too-large".to_owned()));
}

#[actix_rt::test]
async fn a_body_of_a_caller_who_is_not_let_in_is_never_waited_for() {
    let running = Running::start(&format!("{BOT}{TOKENS}"));
    for path in ["/v1/connections", "/v1/webhooks", "/v1/bulk", "/v1/conversations/any/messages", "/v1/nothing"] {
        let mut stream = post(running.address(), path, "content-type: application/json\r\n", 1_000).await;
        assert_eq!(refusal(&mut stream).await, (401, "unauthenticated".to_owned()), "{path}");
    }
    let headers = "authorization: Bearer writer\r\ncontent-type: application/json\r\n";
    let mut stream = post(running.address(), "/v1/webhooks", headers, LARGEST).await;
    assert_eq!(refusal(&mut stream).await, (413, "body-too-large".to_owned()));
}

/// Each of them alone may be as large: together they may not.
#[actix_rt::test]
async fn bodies_that_nobody_vouches_for_yet_are_bounded_together() {
    const CALLERS: usize = 40;
    const EMPTY: &str = r#"{"kind":"notification","body":{"changes":[]},"type":"ms.MessagingEventNotification"}"#;
    let running = Running::start(SHOP);
    let mut waiting = FuturesUnordered::new();
    for _ in 0..CALLERS {
        let mut stream = post(running.address(), "/v1/intake/shop", SIGNED, LARGEST).await;
        waiting.push(async move {
            // Where the refusal comes first, the rest is not taken.
            let _ = stream.write_all(&vec![b' '; LARGEST - 1]).await;
            refusal(&mut stream).await
        });
    }
    let refused = timeout(PATIENCE, waiting.next()).await.unwrap().unwrap();
    assert_eq!(refused, (503, "overloaded".to_owned()));
    drop(waiting);
    // The memory is free again when the callers are gone.
    let headers = [("x-liveperson-signature", "sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=")];
    let taken = async {
        while running.request(Method::POST, "/v1/intake/shop", &headers, Some(EMPTY.to_owned())).await.status != 200 {}
    };
    timeout(PATIENCE, taken).await.unwrap();
}
