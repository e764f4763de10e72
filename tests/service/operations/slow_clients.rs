//! A slow or silent client holds nothing for long, shown over real sockets.

use std::{sync::Arc, time::Duration};

use tertulia::{
    bulk::Bulk,
    config::Limits,
    gateway::{Gateway, Listening, Patience, State},
    webhooks::{Settings, Webhooks},
};
use tertulia_actors::Tertulia;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::TcpStream,
    time::timeout,
};

use crate::running::PATIENCE;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(300);
/// Everything may take as long as it likes; a test makes one thing short.
const PATIENT: Patience =
    Patience { handshake: LONG, head: LONG, keep_alive: LONG, unanswered: LONG, stalled: LONG, parting: LONG };

/// A gateway without connections.
fn gateway(patience: Patience) -> Gateway {
    let tertulia = Arc::new(Tertulia::builder().start().unwrap());
    let webhooks = Webhooks::start(&tertulia, Settings::default());
    let limits = Limits { requests_per_second: 1_000_000, burst: 1_000_000, concurrent: 1_000, ..Limits::default() };
    let listening = Listening { patience, ..Listening::plain("127.0.0.1:0".parse().unwrap()) };
    let bulk = Bulk::start(Arc::clone(&tertulia));
    Gateway::start(State::new(tertulia, webhooks, bulk, &[], &limits), listening).unwrap()
}

async fn connect(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.address()).await.unwrap()
}

/// Waits until the gateway has closed the connection. Returns what it sent before.
async fn closed(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // A reset is an end too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8(said).unwrap()
}

/// Asks for something small and waits for the answer.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(br#"{"alive":true}"#) {
        assert!(timeout(PATIENCE, stream.read_buf(&mut said)).await.unwrap().unwrap() > 0);
    }
}

#[actix_rt::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed() {
    let gateway = gateway(Patience { head: SHORT, ..PATIENT });
    let silent = connect(&gateway).await;
    let mut half = connect(&gateway).await;
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").await.unwrap();
    closed(silent).await;
    let said = closed(half).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
}

#[actix_rt::test]
async fn a_later_request_that_does_not_come_to_its_end_closes_its_connection() {
    let gateway = gateway(Patience { unanswered: SHORT, ..PATIENT });
    let mut stream = connect(&gateway).await;
    ask(&mut stream).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    assert_eq!(closed(stream).await, "");
}

/// The HTTP library would otherwise spin over requests for which it has no room.
#[actix_rt::test]
async fn a_caller_that_keeps_asking_after_an_endless_stream_is_disconnected() {
    let gateway = gateway(PATIENT);
    let mut stream = connect(&gateway).await;
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let more = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1_000);
    let asking = async { while stream.write_all(&more).await.is_ok() {} };
    timeout(PATIENCE, asking).await.unwrap();
    let mut other = connect(&gateway).await;
    ask(&mut other).await;
}

#[actix_rt::test]
async fn a_body_that_does_not_come_to_its_end_closes_its_connection() {
    let gateway = gateway(Patience { unanswered: SHORT, ..PATIENT });
    let mut stream = connect(&gateway).await;
    let head = "POST /v1/connections HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(closed(stream).await, "");
}

#[actix_rt::test]
async fn an_idle_connection_is_closed() {
    let gateway = gateway(Patience { keep_alive: SHORT, ..PATIENT });
    let mut stream = connect(&gateway).await;
    ask(&mut stream).await;
    assert_eq!(closed(stream).await, "");
}

/// Pipelined requests are answered only as fast as the client reads, and a client that reads nothing is closed.
#[actix_rt::test]
async fn a_client_that_asks_and_reads_nothing_holds_little_and_is_closed() {
    const ASKED: usize = 20_000;
    let gateway = gateway(Patience { stalled: SHORT, ..PATIENT });
    let stream = connect(&gateway).await;
    let requests = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(ASKED);
    let mut unsent = requests.as_bytes();
    let mut is_closed = false;
    while !unsent.is_empty() && !is_closed {
        let ready = timeout(PATIENCE, stream.ready(Interest::WRITABLE | Interest::ERROR)).await.unwrap().unwrap();
        is_closed = ready.is_error() || ready.is_write_closed();
        match stream.try_write(unsent) {
            Ok(sent) => unsent = &unsent[sent..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => is_closed = true,
        }
    }
    if !is_closed {
        timeout(PATIENCE, stream.ready(Interest::ERROR)).await.unwrap().unwrap();
    }
    let mut other = connect(&gateway).await;
    other.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let metrics = closed(other).await;
    let answered = metrics.lines().find_map(|line| line.strip_prefix("tertulia_http_request_duration_seconds_count "));
    let answered: usize = answered.unwrap().trim().parse().unwrap();
    assert!((1..ASKED / 2).contains(&answered), "{answered} were answered");
}

#[actix_rt::test]
async fn hundreds_of_silent_connections_keep_nobody_from_being_served() {
    let gateway = gateway(PATIENT);
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(connect(&gateway).await);
    }
    ask(&mut connect(&gateway).await).await;
}

/// A client that closes its sending half still gets the response.
#[actix_rt::test]
async fn a_half_closed_connection_is_answered_and_then_closed() {
    let gateway = gateway(PATIENT);
    let mut stream = connect(&gateway).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(closed(stream).await.ends_with(r#"{"alive":true}"#));
}
