//! Callers without a token hold only places that they lose as soon as another caller needs them.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::running::{BOT, PATIENCE, Running};

const TOKENS: &str = r#"
[gateway]
listen = "127.0.0.1:0"
tokens = [{ name = "looker", token = { env = "READ_TOKEN" }, scope = "read" }]
"#;

async fn send(running: &Running, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the gateway closes.
async fn to_the_end(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8(said).unwrap()
}

#[actix_rt::test]
async fn a_connection_whose_caller_is_not_known_is_closed_with_its_answer() {
    let running = Running::start(&format!("{BOT}{TOKENS}"));
    for token in ["", "authorization: Bearer wrong-token\r\n"] {
        let stream = send(&running, &format!("GET /v1/connections HTTP/1.1\r\nhost: x\r\n{token}\r\n")).await;
        let said = to_the_end(stream).await;
        assert!(said.starts_with("HTTP/1.1 401") && said.contains("connection: close"), "{said}");
    }
}

/// A stream without events ends when its caller leaves, too.
#[actix_rt::test]
async fn a_stream_ends_with_its_caller_s_side() {
    let running = Running::start("");
    let mut stream = send(&running, "GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let mut first = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut first)).await.unwrap().unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream.shutdown().await.unwrap();
    to_the_end(stream).await;
}

/// A completed request gets its response, also if the caller has closed its sending half.
#[actix_rt::test]
async fn a_post_whose_caller_closes_their_side_gets_its_answer() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let body = r#"{"text":"half-closed"}"#;
    let mut stream = send(
        &running,
        &format!(
            "POST /v1/conversations/{id}/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
    .await;
    stream.shutdown().await.unwrap();
    let said = to_the_end(stream).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("\"sequence\""), "{said}");
}
