//! Event streams over real sockets: callers who do not read, callers who leave, and the gateway's stop.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use tertulia_actors::{
    Tertulia,
    engine::{Journal, MemoryStore, Retention},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    super::super::{Gateway, Listening, Patience, State, metrics::HttpMetrics},
    say,
};
use crate::{
    bulk::Bulk,
    config::Limits,
    webhooks::{Settings, Webhooks},
};

/// The longest wait in these tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway without connections, its log, and its metrics.
fn gateway(patience: Patience) -> (Gateway, Arc<Journal>, HttpMetrics) {
    let store = MemoryStore::new(NonZeroUsize::new(100_000).unwrap());
    let journal = Journal::start(Arc::new(store), Retention::default()).unwrap();
    let tertulia = Arc::new(Tertulia::builder().journal(Arc::clone(&journal)).start().unwrap());
    let (webhooks, bulk) = (Webhooks::start(&tertulia, Settings::default()), Bulk::start(Arc::clone(&tertulia)));
    let state = State::new(tertulia, webhooks, bulk, &[], &Limits::default());
    let counted = state.http.clone();
    let listening = Listening { patience, ..Listening::plain("127.0.0.1:0".parse().unwrap()) };
    (Gateway::start(state, listening).unwrap(), journal, counted)
}

/// A caller of events whose socket buffers little while the caller does not read.
async fn caller(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    follow(socket, address, path).await
}

/// Opens an event stream; from the greeting on, events stay in the socket.
async fn follow(socket: TcpSocket, address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = socket.connect(address).await.unwrap();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n";
    let upgrade = if path.ends_with("socket") { upgrade } else { "" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{upgrade}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut byte = [0];
    timeout(PATIENCE, stream.read_exact(&mut byte)).await.unwrap().unwrap();
    stream
}

async fn until(what: impl Fn() -> bool) {
    let turns = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, turns).await.unwrap();
}

/// Writes more events than any buffer can hold.
async fn say_much(journal: &Arc<Journal>) {
    let text = "x".repeat(1_000);
    say(journal, &vec![&*text; 5_000]);
    assert!(journal.settled().await);
}

/// Promise 6: a caller who reads nothing is disconnected, and other callers notice nothing.
#[actix_rt::test]
async fn a_caller_who_does_not_read_is_disconnected_and_others_continue() {
    let patience = Patience { stalled: Duration::from_secs(5), ..Patience::default() };
    let (gateway, journal, counted) = gateway(patience);
    let mut stalled = Vec::new();
    for path in ["/v1/events", "/v1/events/socket"] {
        stalled.push(caller(gateway.address(), path).await);
    }
    let mut reader = follow(TcpSocket::new_v4().unwrap(), gateway.address(), "/v1/events").await;
    assert_eq!(counted.streams.get(), 3);
    say_much(&journal).await;
    let last = format!("id: {}-5000\n", journal.epoch());
    let reads = async {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read[read.len().saturating_sub(3_000)..]).contains(&last) {
            reader.read_buf(&mut read).await.unwrap();
        }
    };
    timeout(PATIENCE, reads).await.unwrap();
    until(|| counted.streams.get() == 1).await;
    assert_eq!(counted.stalled.get(), 2);
    for mut stalled in stalled {
        let mut rest = Vec::new();
        // The response breaks off without an end, and the gateway no longer holds the unread rest.
        let read = timeout(PATIENCE, stalled.read_to_end(&mut rest)).await.unwrap();
        assert!(read.is_err() && rest.len() < 1_000_000, "{read:?} after {} bytes", rest.len());
    }
    say(&journal, &["still here"]);
    let mut more = [0];
    timeout(PATIENCE, reader.read_exact(&mut more)).await.unwrap().unwrap();
    gateway.stop(PATIENCE).await;
}

/// The gateway's stop does not wait for callers who do not read.
#[actix_rt::test]
async fn the_gateway_stops_despite_callers_who_do_not_read() {
    let (gateway, journal, _) = gateway(Patience { parting: Duration::from_millis(50), ..Patience::default() });
    let mut stalled = Vec::new();
    for path in ["/v1/events", "/v1/events/socket"].repeat(5) {
        stalled.push(caller(gateway.address(), path).await);
    }
    say_much(&journal).await;
    let stopped = async {
        gateway.stop(Duration::MAX).await;
        Some(())
    };
    assert_eq!(timeout(PATIENCE, stopped).await.ok().flatten(), Some(()));
}

/// A caller who leaves frees all resources, even if no event is written to the closed stream.
#[actix_rt::test]
async fn callers_who_leave_free_their_places() {
    let (gateway, _, counted) = gateway(Patience::default());
    let stays = caller(gateway.address(), "/v1/events").await;
    for round in 0..500 {
        let path = if round % 2 == 0 { "/v1/events" } else { "/v1/events/socket" };
        drop(caller(gateway.address(), path).await);
    }
    until(|| counted.streams.get() == 1).await;
    drop(stays);
    until(|| counted.streams.get() == 0).await;
    gateway.stop(PATIENCE).await;
}
