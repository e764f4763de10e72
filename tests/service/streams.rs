//! The event streams in front of a real service: sockets and who may open them, and readers who leave and come back.

use actix_codec::Framed;
use awc::{
    BoxedSocket,
    error::WsClientError,
    http::{
        Method,
        header::{self, HeaderName},
    },
    ws::{CloseCode, CloseReason, Codec, Frame, Message},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::{SinkExt as _, StreamExt as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::running::{BOT, PATIENCE, Running, client};

const TOKENS: &str = r#"
[gateway]
listen = "127.0.0.1:0"
tokens = [{ name = "looker", token = { env = "READ_TOKEN" }, scope = "read" }]
"#;

/// An open socket, as its caller has it.
struct Opened {
    socket: Framed<BoxedSocket, Codec>,
    protocol: Option<String>,
}

/// Opens the socket at `path`; the status where it is refused.
async fn open(running: &Running, path: &str, headers: &[(&str, &str)]) -> Result<Opened, u16> {
    let mut request = client().ws(format!("ws://{}{path}", running.address()));
    for (name, value) in headers {
        request = request.set_header(HeaderName::try_from(*name).unwrap(), *value);
    }
    match timeout(PATIENCE, request.connect()).await.unwrap() {
        Ok((response, socket)) => {
            let protocol = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
            Ok(Opened { socket, protocol: protocol.map(|protocol| protocol.to_str().unwrap().to_owned()) })
        }
        Err(WsClientError::InvalidResponseStatus(status)) => Err(status.as_u16()),
        Err(error) => panic!("{error}"),
    }
}

impl Opened {
    async fn frame(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.socket.next()).await.unwrap().map(Result::unwrap)
    }

    /// The next event; pings are answered.
    async fn event(&mut self) -> Value {
        loop {
            match self.frame().await.unwrap() {
                Frame::Text(text) => return serde_json::from_slice(&text).unwrap(),
                Frame::Ping(cursor) => self.socket.send(Message::Pong(cursor)).await.unwrap(),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code and the words that it is closed with.
    async fn closed(&mut self) -> (CloseCode, String) {
        loop {
            if let Frame::Close(Some(CloseReason { code, description })) = self.frame().await.unwrap() {
                return (code, description.unwrap());
            }
        }
    }
}

/// The same events over a WebSocket, by the same filters and cursors.
#[actix_rt::test]
async fn a_socket_tells_what_the_stream_tells() {
    let mut running = Running::bot().await;
    let mut stream = running.follow("/v1/events?type=message&connection=bots-1", &[]).await;
    let mut opened = open(&running, "/v1/events/socket?type=message&connection=bots-1", &[]).await.unwrap();
    let mut elsewhere = open(&running, "/v1/events/socket?connection=none", &[]).await.unwrap();
    let id = running.conversation().await;
    let event = stream.event().await;
    assert_eq!(opened.event().await, event);
    running.emulator.say(&id, "again").unwrap();
    let again = stream.event().await;
    assert_eq!((opened.event().await, &again["data"]["body"]), (again.clone(), &json!("again")));
    // After the first event.
    let path = format!("/v1/events/socket?after={}&conversation={id}&type=message", event["id"].as_str().unwrap());
    assert_eq!(open(&running, &path, &[]).await.unwrap().event().await, again);
    let mut unknown = open(&running, "/v1/events/socket?after=other-7", &[]).await.unwrap();
    let gap = unknown.event().await;
    assert_eq!((&gap["type"], &gap["data"]["snapshot"]), (&json!("tertulia.gap"), &json!("/v1/conversations")));

    running.service.stop(PATIENCE).await;
    for opened in [&mut opened, &mut elsewhere] {
        assert_eq!(
            opened.closed().await,
            (CloseCode::Away, "the gateway is stopping: reconnect with the last id".to_owned())
        );
        assert!(opened.frame().await.is_none());
    }
}

#[actix_rt::test]
async fn a_client_that_sends_on_a_socket_is_closed_with_a_reason() {
    let running = Running::bot().await;
    let mut opened = open(&running, "/v1/events/socket", &[]).await.unwrap();
    opened.socket.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(opened.closed().await, (CloseCode::Unsupported, "only control frames are accepted".to_owned()));
    assert!(opened.frame().await.is_none());
}

#[actix_rt::test]
async fn a_token_may_come_as_a_subprotocol_which_is_never_chosen() {
    let running = Running::start(&format!("{BOT}{TOKENS}"));
    let offer = |token: &str| format!("tertulia, bearer.{}", BASE64_URL_SAFE_NO_PAD.encode(token));
    let refused = [
        vec![],
        vec![("sec-websocket-protocol", "tertulia".to_owned())],
        vec![("sec-websocket-protocol", offer("guess"))],
        vec![("sec-websocket-protocol", "tertulia, bearer.reader".to_owned())],
        vec![("sec-websocket-protocol", "bearer.".to_owned())],
        // The token in the `authorization` header counts.
        vec![("authorization", "Bearer guess".to_owned()), ("sec-websocket-protocol", offer("reader"))],
    ];
    for headers in refused {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(open(&running, "/v1/events/socket", &headers).await.err(), Some(401), "{headers:?}");
    }
    let protocol = offer("reader");
    // A page of anywhere that knows the token may.
    let headers = [("sec-websocket-protocol", protocol.as_str()), ("origin", "https://elsewhere.example")];
    let opened = open(&running, "/v1/events/socket", &headers).await.unwrap_or_else(|status| panic!("{status}"));
    assert_eq!(opened.protocol.as_deref(), Some("tertulia"));
    let opened = open(&running, "/v1/events/socket", &[("authorization", "Bearer reader")]).await;
    assert_eq!(opened.unwrap_or_else(|status| panic!("{status}")).protocol, None);
    // Only where a WebSocket is asked for, and nowhere in an address.
    let answer = running.request(Method::GET, "/v1/events", &[("sec-websocket-protocol", &protocol)], None).await;
    assert_eq!(answer.status, 401);
    assert_eq!(open(&running, "/v1/events/socket?token=reader", &[]).await.err(), Some(401));
}

#[actix_rt::test]
async fn without_tokens_a_page_of_another_site_opens_no_socket() {
    let running = Running::bot().await;
    let own = format!("http://{}", running.address());
    let other_port = format!("http://127.0.0.1:{}", running.address().port() ^ 1);
    for origin in ["https://evil.example", "null", "http://localhost", "file://", "", &other_port] {
        let opened = open(&running, "/v1/events/socket", &[("origin", origin)]).await;
        assert_eq!(opened.err(), Some(403), "{origin}");
    }
    assert!(open(&running, "/v1/events/socket", &[("origin", &own)]).await.is_ok());
    assert!(open(&running, "/v1/events/socket", &[]).await.is_ok());
    let headers = [("host", "evil.example"), ("origin", "http://evil.example")];
    assert_eq!(open(&running, "/v1/events/socket", &headers).await.err(), Some(403));
}

#[actix_rt::test]
async fn what_is_no_request_for_a_socket_is_a_problem() {
    let running = Running::bot().await;
    let version =
        |version: u32| format!("Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: {version}\r\n");
    let key = "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n";
    for (headers, expected) in [
        (String::new(), ["426 Upgrade Required", "upgrade: websocket", "sec-websocket-version: 13", "not-a-websocket"]),
        (
            version(8) + key,
            ["426 Upgrade Required", "upgrade: websocket", "sec-websocket-version: 13", "not-a-websocket"],
        ),
        (version(13), ["400 Bad Request", "application/problem+json", "unknown WebSocket key", "bad-request"]),
    ] {
        let answer = answer_to(&running, &headers).await;
        assert!(expected.iter().all(|expected| answer.contains(expected)), "{answer}");
    }
    for path in ["/v1/events/socket?speed=fast", "/v1/events/socket?after=e-1&after=e-2", "/v1/events?after=a&after=b"]
    {
        assert_eq!(running.get(path).await.problem(), (400, "bad-request"), "{path}");
    }
    // There is nothing to say without a body.
    for path in ["/v1/events", "/v1/events/socket"] {
        assert_eq!(running.request(Method::HEAD, path, &[], None).await.status, 405);
    }
}

/// The raw response of the gateway to a request that may not be a valid upgrade.
async fn answer_to(running: &Running, headers: &str) -> String {
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    let request = format!("GET /v1/events/socket HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", running.address());
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(timeout(PATIENCE, socket.read_buf(&mut answer)).await.unwrap().unwrap(), 0);
    }
    String::from_utf8(answer).unwrap()
}

/// Readers who leave in the middle of anything, of a service that ends and comes back, get each
/// event exactly once, in order. `tertulia-bench follow` does it with more, and with `kill -9`.
#[actix_rt::test]
async fn each_event_comes_exactly_once_over_readers_who_leave_and_a_service_that_ends() {
    const SAID: usize = 3_000;
    const LIVES: usize = 6;
    const SEED: u64 = 7;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut running = Running::bot().await;
    let conversations: Vec<String> = (0..10).map(|_| running.emulator.create_conversation(None, None)).collect();
    let greeting = running.follow("/v1/events", &[]).await.block().await.unwrap();
    let start = greeting.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let mut by_stream = Reader { ids: vec![start.to_owned()], messages: 0 };
    let mut by_socket = Reader { ids: vec![start.to_owned()], messages: 0 };
    for life in 1..=LIVES {
        let said = SAID * life / LIVES;
        for number in SAID * (life - 1) / LIVES..said {
            running.emulator.say(&conversations[number % conversations.len()], "said").unwrap();
        }
        while by_stream.messages < said || by_socket.messages < said {
            by_stream.read_stream(&running, random.random_range(1..200), said).await;
            by_socket.read_socket(&running, random.random_range(1..200), said).await;
        }
        running = running.restart().await;
    }
    for Reader { ids, messages } in [by_stream, by_socket] {
        let offsets = ids.iter().map(|id| id.rsplit_once('-').unwrap().1.parse::<u64>().unwrap());
        let first = offsets.clone().next().unwrap();
        assert!(offsets.eq(first..first + ids.len() as u64));
        assert_eq!(messages, SAID);
    }
}

/// Somebody who reads until they please, and comes back.
struct Reader {
    /// Where it began, and each event since.
    ids: Vec<String>,
    messages: usize,
}

impl Reader {
    /// Reads so many events, or until it has so many messages in all, and leaves.
    async fn read_stream(&mut self, running: &Running, count: usize, messages: usize) {
        let mut stream = running.follow("/v1/events", &[("last-event-id", self.ids.last().unwrap())]).await;
        for _ in 0..count {
            if self.messages < messages {
                self.take(&stream.event().await);
            }
        }
    }

    async fn read_socket(&mut self, running: &Running, count: usize, messages: usize) {
        let path = format!("/v1/events/socket?after={}", self.ids.last().unwrap());
        let mut opened = open(running, &path, &[]).await.unwrap_or_else(|status| panic!("{status}"));
        for _ in 0..count {
            if self.messages < messages {
                self.take(&opened.event().await);
            }
        }
    }

    fn take(&mut self, event: &Value) {
        self.ids.push(event["id"].as_str().unwrap().to_owned());
        self.messages += usize::from(event["type"] == "tertulia.message");
    }
}
