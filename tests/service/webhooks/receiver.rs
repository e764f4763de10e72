//! A receiver that keeps what it receives and behaves as the test says.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header},
    web::{self, Bytes, Data},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::{sync::watch, time::timeout};

use crate::running::PATIENCE;

/// What the receiver does with a request.
pub(crate) enum Behaviour {
    Answer(u16),
    AnswerWith(u16, header::HeaderName, String),
    /// 200 with a body.
    Say(String),
    /// 200 with an incomplete body.
    Break,
    Hang,
    /// 200, and a body without end.
    Flood,
    /// 200, and a body of which nothing ever comes.
    Dawdle,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
    pub(crate) event: Value,
    /// Whether it was answered by 2xx.
    pub(crate) accepted: bool,
}

impl Received {
    /// Which of the signatures is made with this secret, if one is.
    pub(crate) fn signed_by(&self, secret: &str) -> Option<usize> {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        self.signature.split(' ').position(|signature| signature == expected)
    }

    pub(crate) fn number(&self) -> u64 {
        self.event["data"]["number"].as_u64().unwrap()
    }
}

type Script = dyn Fn(&Received) -> Behaviour + Send + Sync;

struct Shared {
    script: Mutex<Arc<Script>>,
    received: watch::Sender<Vec<Received>>,
    /// Requests under way by conversation, and the most there were at a time.
    together: Mutex<(HashMap<String, usize>, usize)>,
}

/// A receiver on loopback; dropping it ends it.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    port: u16,
    server: ServerHandle,
}

impl Receiver {
    pub(crate) fn start(script: impl Fn(&Received) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::start_at(0, script)
    }

    pub(crate) fn start_at(port: u16, script: impl Fn(&Received) -> Behaviour + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            received: watch::Sender::new(Vec::new()),
            together: Mutex::default(),
        });
        let data = Data::from(Arc::clone(&shared));
        let app = move || {
            let limit = web::PayloadConfig::new(64 << 20);
            App::new().app_data(data.clone()).app_data(limit).default_service(web::to(receive))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", port)).unwrap();
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Self { shared, port, server: handle }
    }

    /// Takes everything.
    pub(crate) fn willing() -> Self {
        Self::start(|_| Behaviour::Answer(204))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Behaves so from now on.
    pub(crate) fn behave(&self, script: impl Fn(&Received) -> Behaviour + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    pub(crate) fn accepted(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.accepted).collect()
    }

    /// Waits until the received requests satisfy a condition, for as long as requests come.
    pub(crate) async fn until(&self, is_so: impl Fn(&[Received]) -> bool) {
        let mut received = self.shared.received.subscribe();
        while !is_so(&received.borrow_and_update()) {
            let more = timeout(PATIENCE, received.changed()).await;
            assert!(more.is_ok(), "only {} requests came", self.received().len());
        }
    }

    /// Waits until so many were accepted.
    pub(crate) async fn until_accepted(&self, count: usize) {
        self.until(|received| received.iter().filter(|received| received.accepted).count() >= count).await;
    }

    /// The most requests of one conversation that were under way at a time.
    pub(crate) fn most_together(&self) -> usize {
        self.shared.together.lock().unwrap().1
    }

    pub(crate) async fn stop(&self) {
        self.server.stop(false).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        actix_rt::spawn(self.server.stop(false));
    }
}

async fn receive(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header =
        |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let mut received = Received {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        content_type: header("content-type"),
        event: serde_json::from_slice(&body).unwrap(),
        body,
        accepted: false,
    };
    let conversation = received.event["subject"].as_str().unwrap_or_default().to_owned();
    {
        let mut together = shared.together.lock().unwrap();
        let now = together.0.entry(conversation.clone()).or_default();
        *now += 1;
        let now = *now;
        together.1 = together.1.max(now);
    }
    // A second delivery of this conversation would now arrive before the response to this one.
    actix_rt::task::yield_now().await;
    let script = Arc::clone(&shared.script.lock().unwrap());
    let behaviour = script(&received);
    received.accepted = match behaviour {
        Behaviour::Answer(status) | Behaviour::AnswerWith(status, ..) => (200..300).contains(&status),
        Behaviour::Hang | Behaviour::Break => false,
        Behaviour::Flood | Behaviour::Dawdle | Behaviour::Say(_) => true,
    };
    *shared.together.lock().unwrap().0.entry(conversation).or_default() -= 1;
    shared.received.send_modify(|all| all.push(received));
    match behaviour {
        Behaviour::Answer(status) => HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish(),
        Behaviour::AnswerWith(status, name, value) => {
            HttpResponse::build(StatusCode::from_u16(status).unwrap()).insert_header((name, value)).finish()
        }
        Behaviour::Say(body) => HttpResponse::Ok().body(body),
        Behaviour::Break => {
            let half = [Ok(Bytes::from_static(b"{")), Err(actix_web::error::ErrorGone("broken"))];
            HttpResponse::Ok().streaming(stream::iter(half))
        }
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Flood => {
            let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
            HttpResponse::Ok().streaming(stream::repeat_with(move || Ok::<_, actix_web::Error>(chunk.clone())))
        }
        Behaviour::Dawdle => {
            HttpResponse::Ok().streaming(stream::pending::<Result<Bytes, actix_web::Error>>().boxed_local())
        }
    }
}
