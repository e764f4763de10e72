//! Requests to the platform's other services with the token of a login: to the stand-in, and to a test service that
//! reports the requests it receives and also gives invalid answers.

use std::{
    collections::BTreeMap,
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    web::{self, Data},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Request, Response};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tertulia_actors::{
    ConnectionHandle, Tertulia,
    connection::{ConnectionError, RequestError},
    intake::IntakeSettings,
    platform::{AgentLogin, AppCredentials, PlatformClient, PlatformSettings},
};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultRule, Outcome, Switches};
use tokio::time::timeout;

use crate::stage::{self, PATIENCE, Stage, consumer, platform};

/// A test service of the account beside the stand-in, with a discovery that knows both.
struct Other {
    host: String,
    authority: String,
    seen: Data<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The address of the stand-in, which has every other service.
    emulator: String,
    requests: AtomicUsize,
    /// The bytes of an endless answer that the service has produced.
    produced: AtomicUsize,
}

impl Other {
    fn start(emulator: &Emulator) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let tls =
            ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let seen = Data::new(Seen { emulator: emulator.listen().to_string(), ..Seen::default() });
        let state = seen.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .route("/api/account/{account}/service/{service}/baseURI.json", web::get().to(discovery))
                .route("/echo/{rest:.*}", web::to(echo))
                .route("/shown", web::to(shown))
                .route("/shown-in-header", web::to(shown_in_header))
                .route("/redirect", web::to(redirect))
                .route("/empty", web::to(empty))
                .route("/compressed", web::to(compressed))
                .route("/refusing", web::to(refusing))
                .route("/endless", web::to(endless))
                .route("/broken", web::to(broken))
                .route("/silent", web::to(silent))
        });
        let server = server.workers(1).disable_signals().bind_rustls_0_23("127.0.0.1:0", tls).unwrap();
        let host = format!("localhost:{}", server.addrs()[0].port());
        actix_rt::spawn(server.run());
        Self { host, authority: cert.pem(), seen }
    }

    /// A stage whose discovery knows this service as `other`.
    fn stage(config: EmulatorConfig) -> (Self, Stage) {
        Self::stage_with(config, |settings| settings)
    }

    fn stage_with(config: EmulatorConfig, change: impl FnOnce(PlatformSettings) -> PlatformSettings) -> (Self, Stage) {
        let emulator = Emulator::start(config).unwrap();
        let other = Self::start(&emulator);
        let mut settings = platform(&emulator);
        settings.discovery = format!("https://{}", other.host);
        settings.authorities.push(other.authority.clone());
        let tertulia = Tertulia::builder().platform(change(settings)).start().unwrap();
        (other, Stage::of(emulator, tertulia))
    }
}

async fn discovery(request: HttpRequest, seen: Data<Seen>, path: web::Path<(String, String)>) -> HttpResponse {
    let host = match path.1.as_str() {
        "other" => request.connection_info().host().to_owned(),
        "unknown" => return HttpResponse::NotFound().finish(),
        "unlisted" => return HttpResponse::Ok().json(json!({ "baseURIs": [] })),
        _ => seen.emulator.clone(),
    };
    HttpResponse::Ok().json(json!({ "service": path.1, "account": path.0, "baseURI": host }))
}

async fn echo(request: HttpRequest, seen: Data<Seen>, body: Bytes) -> HttpResponse {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let headers: BTreeMap<&str, &str> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    // The answer has only the scheme and the length of the token, because an answer with the token would not be
    // delivered.
    let authorization = headers["authorization"];
    let scheme = authorization.rsplit_once(' ').map_or("", |(scheme, _)| scheme);
    let names: Vec<&str> = headers.keys().copied().collect();
    HttpResponse::ImATeapot().insert_header(("x-own", "1")).insert_header(("set-cookie", "session=1")).json(json!({
        "method": request.method().as_str(), "uri": request.uri().to_string(), "names": names,
        "scheme": scheme, "length": authorization.len(), "host": headers.get("host"),
        "contentLength": headers.get("content-length"), "bytes": body.len(),
        "text": String::from_utf8_lossy(&body[..body.len().min(100)]),
    }))
}

fn authorization(request: &HttpRequest) -> String {
    request.headers().get("authorization").unwrap().to_str().unwrap().to_owned()
}

/// Repeats the token in the body, one byte in each piece.
async fn shown(request: HttpRequest) -> HttpResponse {
    let text = format!("before {} after", authorization(&request));
    let bytes: Vec<io::Result<Bytes>> = text.bytes().map(|byte| Ok(Bytes::from(vec![byte]))).collect();
    HttpResponse::Ok().streaming(stream::iter(bytes))
}

async fn shown_in_header(request: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().insert_header(("x-debug", authorization(&request))).finish()
}

async fn redirect(request: HttpRequest) -> HttpResponse {
    let location = request.query_string().replace("OWN", request.connection_info().host());
    HttpResponse::Found().insert_header(("location", location)).finish()
}

async fn compressed() -> HttpResponse {
    HttpResponse::Ok().insert_header(("content-encoding", "gzip")).body("not searched")
}

async fn refusing(seen: Data<Seen>) -> HttpResponse {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Unauthorized().finish()
}

async fn endless(seen: Data<Seen>) -> HttpResponse {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let pieces = stream::repeat_with(move || {
        seen.produced.fetch_add(piece.len(), Ordering::SeqCst);
        Ok::<_, io::Error>(piece.clone())
    });
    HttpResponse::Ok().streaming(pieces)
}

/// Chunks, of which there are none.
async fn empty() -> HttpResponse {
    HttpResponse::Created().streaming(stream::empty::<Result<Bytes, io::Error>>())
}

async fn broken() -> HttpResponse {
    let half = stream::once(async { Ok(Bytes::from_static(b"half")) });
    let gone = stream::once(async {
        // The head of the answer is sent before the error.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(io::Error::other("gone"))
    });
    HttpResponse::Ok().streaming(half.chain(gone))
}

async fn silent() -> HttpResponse {
    std::future::pending().await
}

type Pieces = stream::Empty<io::Result<Bytes>>;

fn get(path: &str) -> Request<Pieces> {
    Request::get(path).body(stream::empty()).unwrap()
}

/// A request with a body of `pieces` pieces of 16 KiB.
fn post(path: &str, pieces: usize) -> Request<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
    let piece = Bytes::from(vec![b'y'; 16 * 1024]);
    Request::post(path).body(stream::repeat_with(move || Ok(piece.clone())).take(pieces)).unwrap()
}

async fn text(answer: Response<impl Stream<Item = io::Result<Bytes>> + Unpin>) -> io::Result<String> {
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while let Some(piece) = timeout(PATIENCE, body.next()).await.unwrap() {
        text.extend_from_slice(&piece?);
    }
    Ok(String::from_utf8(text).unwrap())
}

async fn told(
    bot: &ConnectionHandle,
    request: Request<impl Stream<Item = io::Result<Bytes>> + Send + 'static>,
) -> (HeaderMap, Value) {
    let answer = bot.platform_request("other", request).await.unwrap();
    assert_eq!(answer.status(), 418);
    let headers = answer.headers().clone();
    (headers, serde_json::from_str(&text(answer).await.unwrap()).unwrap())
}

async fn bot(stage: &mut Stage) -> ConnectionHandle {
    let id = stage.bot().await;
    stage.tertulia.connection(&id)
}

const SKILLS: &str = "/api/account/12345678/configuration/le-users/skills?v=2.0";

/// The one session of a live bot serves its requests to other services.
#[actix_rt::test]
async fn a_live_bot_reads_skills_and_keeps_its_one_session() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    for service in ["accountConfigReadWrite", "accountConfigReadOnly"] {
        let answer = bot.platform_request(service, get(SKILLS)).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["ac-revision"].to_str().unwrap()), (200, "1"));
        let skills: Value = serde_json::from_str(&text(answer).await.unwrap()).unwrap();
        assert_eq!(skills[0]["name"], "Skill 501");
    }
    let missing = bot.platform_request("accountConfigReadWrite", get("/api/nothing")).await.unwrap();
    assert_eq!(missing.status(), 404, "an error status of the platform is an answer");
    let sessions = stage.emulator.sessions();
    let mine: Vec<_> = sessions.iter().filter(|session| session.user == "bot1").map(|one| (one.now, one.max)).collect();
    assert_eq!(mine, [(1, 1)]);
    assert!(bot.status().unwrap().is_ready());
}

/// A request arrives as the caller made it, without the headers about connections.
#[actix_rt::test]
async fn a_request_and_its_answer_pass_without_the_headers_about_connections() {
    let (other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    let token = bot.bearer().await.unwrap();
    let body = stream::iter([Ok(Bytes::from_static(b"{\"a\"")), Ok(Bytes::from_static(b":1}"))]);
    let request = Request::patch("/echo/x%2Fy;v=1?q=%2e%2e&q=2")
        .header("content-type", "application/json")
        .header("if-match", "\"7\"")
        .header("host", "evil.example")
        .header("authorization", "Bearer of-the-gateway")
        .header("cookie", "a=b")
        .header("connection", "close, x-mine")
        .header("x-mine", "1")
        .header("transfer-encoding", "chunked")
        .header("accept-encoding", "gzip")
        .header("sec-websocket-protocol", "bearer.eA")
        .body(body)
        .unwrap();
    let (headers, said) = told(&bot, request).await;
    assert_eq!((&said["method"], &said["uri"]), (&json!("PATCH"), &json!("/echo/x%2Fy;v=1?q=%2e%2e&q=2")));
    assert_eq!((&said["text"], &said["contentLength"]), (&json!("{\"a\":1}"), &json!("7")));
    assert_eq!((&said["scheme"], &said["host"]), (&json!("Bearer"), &json!(other.host)));
    assert_eq!(said["length"], json!("Bearer ".len() + token.expose_secret().len()));
    let names: Vec<&str> = said["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let expected = ["accept-encoding", "authorization", "content-length", "content-type", "date", "host", "if-match"];
    assert_eq!(names, expected);
    let mut passed: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    passed.sort_unstable();
    assert_eq!(passed, ["content-length", "content-type", "date", "x-own"]);

    // Every method, and a body that is too large to be kept.
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let request =
            Request::builder().method(method).uri("/echo/").body(stream::empty::<io::Result<Bytes>>()).unwrap();
        assert_eq!(bot.platform_request("other", request).await.unwrap().status(), 418, "{method}");
    }
    let (_, said) = told(&bot, post("/echo/large", 15)).await;
    assert_eq!((&said["bytes"], &said["contentLength"]), (&json!(15 * 16 * 1024), &Value::Null));
    let mut sized = post("/echo/large", 15);
    sized.headers_mut().insert("content-length", (15 * 16 * 1024).into());
    let (_, said) = told(&bot, sized).await;
    assert_eq!((&said["bytes"], &said["contentLength"]), (&json!(15 * 16 * 1024), &json!("245760")));
}

#[actix_rt::test]
async fn a_request_that_must_not_be_forwarded_is_not_sent() {
    let (other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    for path in ["//evil.example/x", "/a/%2e%2e/b", "/a%5c..%5cb", "/%252e%252e", "https://evil.example/"] {
        let refused = bot.platform_request("other", get(path)).await.err();
        assert!(matches!(refused, Some(ConnectionError::NotForwarded(_))), "{path}: {refused:?}");
    }
    for service in ["agentVep", "idp", "sentinel"] {
        let refused = bot.platform_request(service, get("/x")).await.err();
        assert!(matches!(refused, Some(ConnectionError::NotForwarded(_))), "{service}: {refused:?}");
    }
    for service in ["unknown", "unlisted", "", "..", "a/b", "a?b", "http:"] {
        let refused = bot.platform_request(service, get("/x")).await.err();
        assert!(matches!(refused, Some(ConnectionError::UnknownService(_))), "{service}: {refused:?}");
    }
    assert_eq!(other.seen.requests.load(Ordering::SeqCst), 0);
}

/// A service that repeats the headers of a request does not disclose the token to the caller.
#[actix_rt::test]
async fn an_answer_with_the_token_is_not_delivered() {
    let (_other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    let answer = bot.platform_request("other", get("/shown")).await.unwrap();
    let token = bot.bearer().await.unwrap().expose_secret().to_owned();
    let mut body = answer.into_body();
    let mut delivered = String::new();
    let error = loop {
        match timeout(PATIENCE, body.next()).await.unwrap().unwrap() {
            Ok(piece) => delivered.push_str(std::str::from_utf8(&piece).unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(delivered, "before Bearer ");
    assert!(body.next().await.is_none() && !error.to_string().contains(&token));
    for path in ["/shown-in-header", "/compressed"] {
        let refused = bot.platform_request("other", get(path)).await.err().unwrap();
        assert!(matches!(&refused, ConnectionError::ServiceFailed { .. }), "{path}: {refused:?}");
        assert!(!format!("{refused:?}{refused}").contains(&token));
    }
}

#[actix_rt::test]
async fn a_redirect_is_not_followed_and_its_location_stays_at_the_service() {
    let (other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    for (location, passed) in [
        ("/next", Some("/next")),
        ("https://OWN/next", Some("/next")),
        ("https://evil.example/next", None),
        ("//evil.example/next", None),
    ] {
        let answer = bot.platform_request("other", get(&format!("/redirect?{location}"))).await.unwrap();
        let location = answer.headers().get("location").map(|location| location.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), location), (302, passed));
    }
    assert_eq!(other.seen.requests.load(Ordering::SeqCst), 0);
}

/// A body is not read faster than the other side accepts it.
#[actix_rt::test]
async fn a_slow_reader_slows_the_service_down_and_a_dropped_answer_ends_the_transfer() {
    let (other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    let mut answer = bot.platform_request("other", get("/endless")).await.unwrap();
    assert!(answer.body_mut().next().await.unwrap().is_ok());
    let produced = async || {
        let mut before = 0;
        // The buffers of the operating system must be full first.
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = other.seen.produced.load(Ordering::SeqCst);
            if now == before {
                return now;
            }
            before = now;
        }
    };
    let held = timeout(PATIENCE, produced()).await.expect("the service does not stop producing");
    assert!(held < 64 * 1024 * 1024, "{held}");

    let mut held = vec![answer];
    let refused = loop {
        match bot.platform_request("other", get("/endless")).await {
            Ok(answer) => held.push(answer),
            Err(error) => break error,
        }
    };
    assert_eq!((refused, held.len()), (RequestError::Overloaded.into(), 32));
    drop(held);
    let has_room = async {
        while bot.platform_request("other", get("/endless")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, has_room).await.unwrap();
    let broken = bot.platform_request("other", get("/broken")).await.unwrap();
    assert!(text(broken).await.is_err(), "an incomplete answer must end in an error");
}

#[actix_rt::test]
async fn an_empty_body_ends_and_may_be_read_after_its_end() {
    let (_other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    let mut answer = bot.platform_request("other", get("/empty")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    for _ in 0..3 {
        assert!(answer.body_mut().next().await.is_none());
    }
}

#[actix_rt::test]
async fn a_body_that_breaks_off_is_not_sent_as_a_complete_body() {
    let (other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    for pieces in [1, 10] {
        let piece = Bytes::from(vec![b'y'; 16 * 1024]);
        let pieces = stream::repeat_with(move || Ok(piece.clone())).take(pieces);
        let body = pieces.chain(stream::once(async { Err(io::Error::other("the caller left")) }));
        let request = Request::post("/echo/").body(body).unwrap();
        let error = bot.platform_request("other", request).await.err();
        assert!(matches!(&error, Some(ConnectionError::BrokenBody(text)) if text == "the caller left"), "{error:?}");
    }
    assert_eq!(other.seen.requests.load(Ordering::SeqCst), 0);
}

#[actix_rt::test]
async fn a_request_to_a_service_that_does_not_answer_times_out() {
    let within = Duration::from_millis(500);
    let (_other, mut stage) = Other::stage_with(EmulatorConfig::default(), |settings| PlatformSettings {
        transfer_timeout: within,
        ..settings
    });
    let bot = bot(&mut stage).await;
    let error = bot.platform_request("other", get("/silent")).await.err();
    assert_eq!(error, Some(ConnectionError::Request(RequestError::TimedOut)));
    // An endless answer also ends at the time limit.
    let answer = bot.platform_request("other", get("/endless")).await.unwrap();
    let mut body = answer.into_body();
    let ended = async {
        while body.next().await.unwrap().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, ended).await.unwrap();
}

/// A service may refuse a valid token. A refresh confirms that the session is valid, so no second login ends it.
#[actix_rt::test]
async fn a_service_that_refuses_every_token_causes_no_login() {
    let (other, mut stage) = Other::stage(EmulatorConfig::default());
    let bot = bot(&mut stage).await;
    let before = stage.tertulia.metrics().logins.get();
    for _ in 0..5 {
        let error = bot.platform_request("other", get("/refusing")).await.err();
        assert_eq!(error, Some(ConnectionError::TokenRefused("other".to_owned())));
    }
    assert_eq!(stage.tertulia.metrics().logins.get(), before);
    assert_eq!(other.seen.requests.load(Ordering::SeqCst), 5, "no request is sent again with the same token");
    assert!(bot.status().unwrap().is_ready());
}

/// Another login of the same user has ended the session, but the socket stays open. The token is renewed once.
#[actix_rt::test]
async fn an_expired_token_is_renewed_and_a_small_request_is_sent_again() {
    let switches = Switches { login_closes_sockets: false, ..Switches::default() };
    let mut stage = Stage::set(EmulatorConfig { switches, ..EmulatorConfig::default() });
    let bot = bot(&mut stage).await;
    let elsewhere = PlatformClient::new(stage.tertulia.platform().clone(), "12345678".into());
    let login = AgentLogin::Password { username: "bot1".into(), password: "secret".into() };
    for _ in 0..2 {
        elsewhere.log_in(&login).await.unwrap();
        let together = (0..10).map(|_| bot.platform_request("accountConfigReadWrite", get(SKILLS)));
        for answer in futures_util::future::join_all(together).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
    }
    assert!(bot.status().unwrap().is_ready());
    assert_eq!(bot.status().unwrap().reconnects, 0, "the socket stayed");

    // A large body cannot be sent again, but the next request has the new token.
    elsewhere.log_in(&login).await.unwrap();
    let search = "/messaging_history/api/account/12345678/conversations/search";
    let error = bot.platform_request("msgHist", post(search, 10)).await.err();
    assert_eq!(error, Some(ConnectionError::TokenRefused("msgHist".to_owned())));
    let answer = bot.platform_request("msgHist", post(search, 10)).await.unwrap();
    assert_eq!(answer.status(), 400, "the body is not a valid search");
}

#[actix_rt::test]
async fn a_request_without_a_login_fails() {
    let stage = Stage::set(EmulatorConfig::default());
    let refused = stage.tertulia.connection(&"nobody".into()).platform_request("x", get("/")).await.err();
    assert!(matches!(refused, Some(ConnectionError::UnknownConnection(_))));
    stage.emulator.add_rule(FaultRule::new("login", Outcome::Code(500)).always()).unwrap();
    let bot = stage.tertulia.connect(stage::bot(1)).unwrap();
    timeout(PATIENCE, async {
        while bot.status().unwrap().attempts == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let refused = bot.platform_request("accountConfigReadWrite", get(SKILLS)).await.err();
    assert_eq!(refused, Some(ConnectionError::Request(RequestError::NotConnected)));
}

/// Each kind of login has its own form of the header `Authorization`.
#[actix_rt::test]
async fn each_role_forwards_with_the_token_of_its_login() {
    let (_other, mut stage) = Other::stage(EmulatorConfig::default());
    let ann = stage.connect(consumer("ann")).await;
    let (_, said) = told(&stage.tertulia.connection(&ann), get("/echo/")).await;
    assert_eq!(said["scheme"], "jwt");
    let app = || AppCredentials { client_id: "app".to_owned(), secret: "emulator-secret".into() };
    let agent = AgentLogin::Password { username: "bot2".into(), password: "secret".into() };
    for (settings, scheme) in [
        (IntakeSettings::connector("shop", "12345678", app()), ""),
        (IntakeSettings::intake("hook", "12345678", app()), ""),
        (IntakeSettings { agent: Some(agent), ..IntakeSettings::intake("agent", "12345678", app()) }, "Bearer"),
    ] {
        let handle = stage.tertulia.connect_intake(settings).unwrap();
        handle.ready(PATIENCE).await.unwrap();
        let (_, said) = told(&handle, get("/echo/")).await;
        assert_eq!(said["scheme"], scheme, "{}", handle.id());
        let error = handle.platform_request("other", get("/refusing")).await.err();
        assert!(matches!(error, Some(ConnectionError::TokenRefused(_))), "{error:?}");
        let answer = handle.platform_request("other", get("/shown")).await.unwrap();
        assert!(text(answer).await.is_err());
    }
}
