//! A small raw client for the socket tests: it knows frames, not meaning.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_http::ws::{CloseCode, Frame, Item, Message};
use futures_util::{SinkExt, StreamExt};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use tertulia_emulator::Emulator;
use tokio::time::timeout;

/// Longest wait of any test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn http(emulator: &Emulator) -> awc::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(emulator.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector =
        awc::Connector::new().rustls_0_23(Arc::new(tls)).limit(0).timeout(PATIENCE).handshake_timeout(PATIENCE);
    awc::Client::builder().connector(connector).timeout(PATIENCE).finish()
}

pub(crate) async fn post(emulator: &Emulator, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("https://{}{path}", emulator.listen());
    let mut response = http(emulator).post(url).send_json(body).await.unwrap();
    let body = response.body().await.unwrap();
    (response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) async fn get(emulator: &Emulator, path: &str, bearer: &str) -> (u16, Value) {
    let url = format!("https://{}{path}", emulator.listen());
    let request = http(emulator).get(url).insert_header(("Authorization", format!("Bearer {bearer}")));
    let mut response = request.send().await.unwrap();
    let body = response.body().await.unwrap();
    (response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) async fn login(emulator: &Emulator, user: &str) -> Value {
    let path = format!("/api/account/{}/login?v=1.3", emulator.account());
    let (status, body) = post(emulator, &path, &json!({"username": user, "password": "secret"})).await;
    assert_eq!(status, 200, "{body}");
    body
}

pub(crate) async fn signup(emulator: &Emulator) -> String {
    let (status, body) = post(emulator, &format!("/api/account/{}/signup", emulator.account()), &json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["jwt"].as_str().unwrap().to_owned()
}

/// An agent's socket that puts fragments together.
pub(crate) struct Splicing {
    inner: actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>,
    /// Fragments so far.
    pub(crate) fragments: usize,
}

impl Splicing {
    pub(crate) async fn open(emulator: &Emulator, user: &str) -> Self {
        let session = login(emulator, user).await;
        let bearer = session["bearer"].as_str().unwrap();
        let path = format!("/ws_api/account/{}/messaging/brand/{bearer}?v=2.1", emulator.account());
        let url = format!("wss://{}{path}", emulator.listen());
        let (_, inner) = http(emulator).ws(url).connect().await.unwrap();
        Self { inner, fragments: 0 }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, mut request: Value) {
        request["kind"] = json!("req");
        self.inner.send(Message::Text(request.to_string().into())).await.unwrap();
        while self.next().await["reqId"] != request["id"] {}
    }

    pub(crate) async fn next(&mut self) -> Value {
        let mut whole = Vec::new();
        loop {
            match timeout(PATIENCE, self.inner.next()).await.expect("no frame in time").unwrap().unwrap() {
                Frame::Text(text) => return serde_json::from_slice(&text).unwrap(),
                Frame::Continuation(Item::FirstText(part) | Item::Continue(part)) => {
                    self.fragments += 1;
                    whole.extend(part);
                }
                Frame::Continuation(Item::Last(part)) => {
                    whole.extend(part);
                    return serde_json::from_slice(&whole).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// How a socket ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Code(u16),
    /// Without a close frame.
    Abrupt,
}

pub(crate) struct Socket {
    inner: actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>,
    seen: VecDeque<Value>,
    next_id: u32,
}

impl Socket {
    pub(crate) async fn open(emulator: &Emulator, path: &str) -> Result<Self, u16> {
        let url = format!("wss://{}{path}", emulator.listen());
        match http(emulator).ws(url).max_frame_size(64 * 1024 * 1024).connect().await {
            Ok((_, inner)) => Ok(Self { inner, seen: VecDeque::new(), next_id: 0 }),
            Err(awc::error::WsClientError::InvalidResponseStatus(status)) => Err(status.as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) async fn brand(emulator: &Emulator, bearer: &str) -> Self {
        let path = format!("/ws_api/account/{}/messaging/brand/{bearer}?v=2.1&appid=x", emulator.account());
        Self::open(emulator, &path).await.unwrap()
    }

    pub(crate) async fn agent(emulator: &Emulator, user: &str) -> Self {
        let session = login(emulator, user).await;
        Self::brand(emulator, session["bearer"].as_str().unwrap()).await
    }

    pub(crate) async fn consumer(emulator: &Emulator, jwt: &str) -> Self {
        let path = format!("/ws_api/account/{}/messaging/consumer?v=3", emulator.account());
        let mut socket = Self::open(emulator, &path).await.unwrap();
        let init = json!({"kind": "req", "id": "init", "type": "InitConnection", "body": {},
            "headers": [{"type": ".ams.headers.ConsumerAuthentication", "jwt": jwt}]});
        assert_eq!(socket.send(&init).await["code"], 200);
        socket
    }

    pub(crate) async fn raw(&mut self, text: String) {
        self.inner.send(Message::Text(text.into())).await.unwrap();
    }

    /// Sends a frame; whether the socket was still there.
    pub(crate) async fn try_raw(&mut self, text: String) -> bool {
        self.inner.send(Message::Text(text.into())).await.is_ok()
    }

    pub(crate) async fn binary(&mut self, text: String) {
        self.inner.send(Message::Binary(text.into())).await.unwrap();
    }

    /// Sends a whole request frame and waits for its answer.
    pub(crate) async fn send(&mut self, request: &Value) -> Value {
        self.raw(request.to_string()).await;
        let id = request["id"].clone();
        self.until(|frame| frame["kind"] == "resp" && frame["reqId"] == id).await
    }

    pub(crate) async fn request(&mut self, kind: &str, body: Value) -> Value {
        self.next_id += 1;
        let id = format!("r{}", self.next_id);
        self.send(&json!({"kind": "req", "id": id, "type": kind, "body": body})).await
    }

    /// The body of a successful answer.
    pub(crate) async fn ask(&mut self, kind: &str, body: Value) -> Value {
        let answer = self.request(kind, body).await;
        assert!(answer["code"].as_u64().is_some_and(|code| code < 400), "{answer}");
        answer["body"].clone()
    }

    /// The first frame, seen already or still to come, that fits; the others are kept.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.seen.iter().position(&fits) {
            return self.seen.remove(place).unwrap();
        }
        loop {
            let frame = self.next().await.unwrap_or_else(|end| panic!("socket ended: {end:?}; seen {:?}", self.seen));
            if fits(&frame) {
                return frame;
            }
            self.seen.push_back(frame);
        }
    }

    pub(crate) async fn notification(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until(|frame| frame["type"] == kind && fits(&frame["body"])).await["body"].clone()
    }

    /// The next frame as it comes, or how the socket ended.
    pub(crate) async fn next(&mut self) -> Result<Value, End> {
        loop {
            match timeout(PATIENCE, self.inner.next()).await.expect("no frame in time") {
                Some(Ok(Frame::Text(text))) => {
                    return Ok(serde_json::from_slice(&text).unwrap_or_else(|_| Value::from("not JSON")));
                }
                Some(Ok(Frame::Close(reason))) => {
                    let code = reason.map_or(1005, |reason| reason.code.into());
                    let _ = self.inner.send(Message::Close(None)).await;
                    return Err(End::Code(code));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(End::Abrupt),
            }
        }
    }

    /// How the socket ends, other frames ignored.
    pub(crate) async fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }

    pub(crate) async fn close(&mut self) -> End {
        self.inner.send(Message::Close(Some(CloseCode::Normal.into()))).await.unwrap();
        self.end().await
    }
}
