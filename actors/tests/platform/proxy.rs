//! Connections whose way to the platform is a proxy, over real tunnels to the stand-in.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_rt::task::JoinHandle;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    core::id::{AccountId, ConversationId},
    intake::IntakeSettings,
    platform::{AppCredentials, HttpError, Platform, PlatformClient, PlatformSettings, Proxy, ProxyError, Service},
};
use tertulia_emulator::{AppInstall, Emulator, EmulatorConfig, NetworkSettings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::stage::{PATIENCE, Stage, bot, consumer, platform};

/// A host that only the proxy can find: nothing may go past it.
const HIDDEN: &str = "discovery.invalid:80";
const PASSWORD: &str = "sEcReT-cAnArY";

/// The response of a proxy to a request for a tunnel.
#[derive(Clone, Copy, PartialEq)]
enum Manners {
    /// Opens it.
    Opens,
    /// Opens it after informational answers.
    OpensAfterHints,
    /// Opens it for `bot:` and the password.
    OpensForItsUser,
    /// Says that it does not.
    Refuses,
    /// Speaks another protocol.
    Babbles,
    /// Says nothing.
    IsSilent,
}

/// A small proxy on loopback.
struct TestProxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    tunnels: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl TestProxy {
    /// Begins to listen; a request for [`HIDDEN`] gets a tunnel to `platform`.
    async fn start(manners: Manners, platform: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (asked, tunnels) = (Arc::default(), Arc::default());
        let proxy = Self { port: listener.local_addr().unwrap().port(), asked, tunnels };
        let (asked, tunnels) = (Arc::clone(&proxy.asked), Arc::clone(&proxy.tunnels));
        actix_rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, platform) = (Arc::clone(&asked), platform.clone());
                let tunnel = actix_rt::spawn(async move {
                    // A tunnel that breaks is seen at its ends.
                    let _broken = serve(stream, manners, &asked, &platform).await;
                });
                tunnels.lock().unwrap().push(tunnel);
            }
        });
        proxy
    }

    fn settings(&self) -> Proxy {
        Proxy { host: "127.0.0.1".to_owned(), port: self.port, credentials: None, only_public: false }
    }

    fn with_password(&self, password: &str) -> Proxy {
        Proxy { credentials: Some(("bot".to_owned(), password.into())), ..self.settings() }
    }

    fn cut(&self) {
        self.tunnels.lock().unwrap().drain(..).for_each(|tunnel| tunnel.abort());
    }

    /// Where to, in the order asked.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut near: TcpStream, manners: Manners, asked: &Mutex<Vec<String>>, platform: &str) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let authority = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    asked.lock().unwrap().push(authority.clone());
    // "bot:" and the password in Base64.
    let is_user = head.contains("\r\nProxy-Authorization: Basic Ym90OnNFY1JlVC1jQW5Bclk=\r\n");
    let answer = match manners {
        Manners::Opens => "200 Connection established\r\n\r\n",
        Manners::OpensAfterHints => {
            near.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </s.css>\r\n").await?;
            near.flush().await?;
            actix_rt::task::yield_now().await;
            near.write_all(b"\r\n").await?;
            "200 Connection established\r\n\r\n"
        }
        Manners::OpensForItsUser if is_user => "200 Connection established\r\n\r\n",
        Manners::OpensForItsUser => "407 Proxy Authentication Required\r\nContent-Length: 9\r\n\r\nwho comes",
        Manners::Refuses => "403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        Manners::Babbles => return near.write_all(b"220 mail.example ESMTP\r\n").await,
        Manners::IsSilent => return std::future::pending().await,
    };
    near.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await?;
    if answer.starts_with("200") {
        let mut far = TcpStream::connect(if authority == HIDDEN { platform } else { &authority }).await?;
        copy_bidirectional(&mut near, &mut far).await?;
    }
    Ok(())
}

/// A stage whose discovery service is at a host that only the proxy finds, and that proxy.
async fn behind_a_proxy(manners: Manners, config: EmulatorConfig) -> (Stage, TestProxy) {
    let config = EmulatorConfig { discovery_listen: Some(([127, 0, 0, 1], 0).into()), ..config };
    let emulator = Emulator::start(config).unwrap();
    let proxy = TestProxy::start(manners, emulator.discovery().unwrap().to_string()).await;
    let tertulia = Tertulia::builder().platform(hidden(&emulator)).start().unwrap();
    (Stage::of(emulator, tertulia), proxy)
}

fn hidden(emulator: &Emulator) -> PlatformSettings {
    PlatformSettings { discovery: "http://discovery.invalid".to_owned(), ..platform(emulator) }
}

/// The result of a first request through `proxy`.
async fn first_request(stage: &Stage, proxy: Proxy, within: Duration) -> Result<String, HttpError> {
    let platform = Platform::new(PlatformSettings { request_timeout: within, ..hidden(&stage.emulator) }).unwrap();
    PlatformClient::through(Some(proxy), platform, AccountId::from("12345678")).host(Service::AgentLogin).await
}

#[actix_rt::test]
async fn discovery_login_and_socket_of_each_connection_go_through_its_proxy() {
    let (mut stage, proxy) = behind_a_proxy(Manners::Opens, EmulatorConfig::default()).await;
    let other = TestProxy::start(Manners::Opens, stage.emulator.discovery().unwrap().to_string()).await;
    let bot = stage.connect(ConnectionSettings { proxy: Some(proxy.settings()), ..bot(1) }).await;
    let asked = proxy.asked();
    let listen = stage.emulator.listen().to_string();
    assert!(asked[0] == HIDDEN && asked.len() > 1, "{asked:?}");
    assert!(asked[1..].iter().all(|authority| *authority == listen), "{asked:?}");
    assert!(other.asked().is_empty());

    let ann = stage.connect(ConnectionSettings { proxy: Some(other.settings()), ..consumer("ann") }).await;
    assert!(other.asked().contains(&listen));
    let hers = stage.tertulia.connection(&ann).create_conversation(Default::default()).await.unwrap();
    hers.send_text("hello").await.unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["hello"]);
    let his = stage.tertulia.connection(&bot).conversation(&ConversationId::from(hers.id().as_str())).unwrap();
    his.send_text("welcome").await.unwrap();
    assert_eq!(stage.texts(&ann, 2).await, ["hello", "welcome"]);

    // The socket itself is in a tunnel: it goes with it, and comes back through another one.
    let before = proxy.asked().len();
    proxy.cut();
    stage.until(|event| event.data.name() == "connection.disconnected" && event.origin.connection == bot).await;
    stage.until(|event| event.data.name() == "connection.resumed" && event.origin.connection == bot).await;
    assert!(proxy.asked().len() > before);
}

#[actix_rt::test]
async fn a_proxy_is_told_who_asks() {
    let (mut stage, proxy) = behind_a_proxy(Manners::OpensForItsUser, EmulatorConfig::default()).await;
    stage.connect(ConnectionSettings { proxy: Some(proxy.with_password(PASSWORD)), ..bot(1) }).await;
}

/// RFC 9110 §15.2: before the proxy's own answer, and before every answer of the platform behind it.
#[actix_rt::test]
async fn informational_answers_come_before_the_answers() {
    let network = NetworkSettings { early_hints: true, ..NetworkSettings::default() };
    let (mut stage, proxy) =
        behind_a_proxy(Manners::OpensAfterHints, EmulatorConfig { network, ..EmulatorConfig::default() }).await;
    let bot = stage.connect(ConnectionSettings { proxy: Some(proxy.settings()), ..bot(1) }).await;
    stage.conversation(&bot).await.send_text("hello").await.unwrap();
    assert!(proxy.asked().contains(&stage.emulator.listen().to_string()));
}

#[actix_rt::test]
async fn a_connector_goes_through_its_proxy() {
    let config = EmulatorConfig { app: Some(AppInstall::new("c", "s")), ..EmulatorConfig::default() };
    let (stage, proxy) = behind_a_proxy(Manners::Opens, config).await;
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let settings = IntakeSettings::connector("hook", "12345678", app);
    let id = settings.id.clone();
    stage.tertulia.connect_intake(IntakeSettings { proxy: Some(proxy.settings()), ..settings }).unwrap();
    stage.tertulia.connection(&id).ready(PATIENCE).await.unwrap();
    assert_eq!(proxy.asked().first().map(String::as_str), Some(HIDDEN));
    assert!(proxy.asked().contains(&stage.emulator.listen().to_string()));
}

/// ER-4.
#[actix_rt::test]
async fn a_proxy_that_refuses_is_named_and_its_password_is_not() {
    for (manners, password, expected) in
        [(Manners::Refuses, PASSWORD, 403), (Manners::OpensForItsUser, "another sEcReT-cAnArY", 407)]
    {
        let (stage, proxy) = behind_a_proxy(manners, EmulatorConfig::default()).await;
        let settings = proxy.with_password(password);
        assert!(!format!("{settings:?}").contains(PASSWORD));
        let refused = first_request(&stage, settings, PATIENCE).await.unwrap_err();
        let HttpError::Proxy { error: ProxyError::Refused { proxy: named, status }, .. } = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!((named, *status), (&format!("127.0.0.1:{}", proxy.port), expected));
        assert!(refused.to_string().contains(named));
        assert!(!format!("{refused} {refused:?}").contains(PASSWORD));
    }
}

#[actix_rt::test]
async fn what_is_no_proxy_is_named_too() {
    let (stage, proxy) = behind_a_proxy(Manners::Babbles, EmulatorConfig::default()).await;
    let error = first_request(&stage, proxy.settings(), PATIENCE).await.unwrap_err();
    assert!(matches!(error, HttpError::Proxy { error: ProxyError::NoProxy { .. }, .. }), "{error:?}");

    let (stage, proxy) = behind_a_proxy(Manners::IsSilent, EmulatorConfig::default()).await;
    let error = first_request(&stage, proxy.settings(), Duration::from_secs(4)).await.unwrap_err();
    assert!(matches!(error, HttpError::Proxy { error: ProxyError::TimedOut { .. }, .. }), "{error:?}");

    let proxy = Proxy { port: 1, ..proxy.settings() };
    let error = first_request(&stage, proxy, PATIENCE).await.unwrap_err();
    assert!(matches!(error, HttpError::Proxy { error: ProxyError::Unreachable { .. }, .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
