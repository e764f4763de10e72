//! A service in this process, against a platform stand-in of its own, and a caller of its gateway.

pub(crate) mod process;

use std::{fs, net::SocketAddr, ops::Deref, path::PathBuf, sync::Arc, thread, time::Duration};

use actix_web::web::Bytes;
use awc::{
    Client, ClientResponse, Connector,
    error::PayloadError,
    http::{Method, header::HeaderMap},
};
use futures_util::{Stream, StreamExt as _, stream::LocalBoxStream};
use serde_json::Value;
use tempfile::TempDir;
use tertulia::{
    config::{Configuration, Environment},
    service::Service,
};
use tertulia_actors::{
    core::id::{ConnectionId, ConversationId},
    subscriber::{EventData, EventStream, Filter},
};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::{net::TcpSocket, time::timeout};

/// The longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The interval between two looks at a state that sends no notification. A shorter one would slow the machine down.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A secret that no output may contain.
pub(crate) const CANARY: &str = "sEcReT-cAnArY";
/// The name of the file with the configuration.
const CONFIGURATION: &str = "tertulia.toml";
/// A bot that takes every ring.
pub(crate) const BOT: &str = r#"
[[connections]]
id = "bots-1"
account = "12345678"
role = "brand"
login = { username = "bot1", password = { env = "PASSWORD" } }
rings = "accept"
agent_state = "ONLINE"
"#;

pub(crate) fn emulator() -> Emulator {
    Emulator::start(EmulatorConfig::default()).unwrap()
}

/// A configuration of `sections` for `emulator`, in a file; the gateway listens on a free port.
pub(crate) fn configuration(emulator: &Emulator, sections: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("ca.pem");
    emulator.write_ca(&authority).unwrap();
    let mut text = format!(
        "[platform]\ndiscovery = \"https://{}\"\nca_file = {:?}\n{sections}\n",
        emulator.listen(),
        authority.display()
    );
    if !sections.contains("[gateway]") {
        text.push_str("[gateway]\nlisten = \"127.0.0.1:0\"\n");
    }
    if !sections.contains("[engine]") {
        // Another service in this process may have had the same port, and so the same logins.
        let (data, leases) = (directory.path().join("data"), directory.path().join("leases"));
        text.push_str(&format!("[engine]\npath = {:?}\nleases = {:?}\n", data.display(), leases.display()));
    }
    let file = directory.path().join(CONFIGURATION);
    fs::write(&file, text).unwrap();
    (directory, file.to_str().unwrap().to_owned())
}

/// Reads a configuration, in an environment with the secrets of the tests and with `more`.
pub(crate) fn read(file: &str, more: &[(&str, &str)]) -> Configuration {
    Configuration::load(file.as_ref(), &environment(more)).unwrap()
}

/// An environment with the secrets of the tests and with `more`.
pub(crate) fn environment(more: &[(&str, &str)]) -> Environment {
    let secrets = [
        ("PASSWORD", "secret"),
        ("WRONG", CANARY),
        ("READ_TOKEN", "reader"),
        ("WRITE_TOKEN", "writer"),
        ("APP_SECRET", "emulator-secret"),
    ];
    let all = secrets.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A service that runs.
pub(crate) struct Running {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) service: OwnedService,
    pub(crate) events: EventStream,
    pub(crate) token: Option<&'static str>,
    files: TempDir,
}

impl Running {
    /// The configuration.
    pub(crate) fn file(&self) -> PathBuf {
        self.files.path().join(CONFIGURATION)
    }

    /// Starts what `sections` describe; connections need not be ready yet.
    pub(crate) fn start(sections: &str) -> Self {
        Self::on(EmulatorConfig::default(), sections)
    }

    /// The same on a platform as `config` says.
    pub(crate) fn on(config: EmulatorConfig, sections: &str) -> Self {
        let emulator = Emulator::start(config).unwrap();
        let (files, file) = configuration(&emulator, sections);
        let service = Service::start(&read(&file, &[])).unwrap();
        Self::of(service, Arc::new(emulator), files)
    }

    /// A service that was started with the configuration in `files`.
    pub(crate) fn of(service: Service, emulator: Arc<Emulator>, files: TempDir) -> Self {
        let events = service.tertulia().events(Filter::everything());
        Self { emulator, service: OwnedService(Some(service)), events, token: None, files }
    }

    /// Stops the service and starts it again with the same configuration and store.
    pub(crate) async fn restart(self) -> Self {
        let Self { emulator, service, events, files, .. } = self;
        drop(events);
        service.stop(PATIENCE).await;
        let file = files.path().join("tertulia.toml");
        let service = Service::start(&read(file.to_str().unwrap(), &[])).unwrap();
        Self::of(service, emulator, files)
    }

    /// The directory of the store.
    pub(crate) fn data(&self) -> PathBuf {
        self.files.path().join("data")
    }

    /// Starts a bot and waits until it is ready.
    pub(crate) async fn bot() -> Self {
        let running = Self::start(BOT);
        running.ready("bots-1").await;
        running
    }

    pub(crate) async fn ready(&self, connection: &str) {
        self.service.tertulia().connection(&ConnectionId::from(connection)).ready(PATIENCE).await.unwrap();
    }

    /// A consumer opens a conversation and sends a message, which the bot has received.
    pub(crate) async fn conversation(&mut self) -> String {
        let id = self.emulator.create_conversation(None, None);
        self.emulator.say(&id, "hello").unwrap();
        self.heard("message", &id).await;
        id
    }

    /// A consumer connection `ann`, which must be configured and ready, opens a conversation that the bot takes.
    pub(crate) async fn conversation_of_ann(&mut self) -> String {
        let opened =
            self.service.tertulia().connection(&"ann".into()).create_conversation(Default::default()).await.unwrap();
        let id = opened.id().to_string();
        self.heard_by("bots-1", "conversation", &id).await;
        id
    }

    /// The members of a conversation, after the bot has received everything that the platform sent before.
    pub(crate) async fn settled(&mut self, conversation: &str) -> Value {
        let path = format!("/v1/conversations/{conversation}");
        let composing = serde_json::json!({ "chatState": "COMPOSING" });
        let told = self.post(&format!("{path}/chat-state?connection=bots-1"), &composing).await;
        assert_eq!(told.status, 200, "{}", told.text);
        self.heard_by("bots-1", "chat-state", conversation).await;
        self.get(&format!("{path}?connection=bots-1")).await.json
    }

    /// Waits for an event of a conversation on one connection.
    pub(crate) async fn heard_by(&mut self, connection: &str, name: &str, conversation: &str) -> Value {
        let wanted = Some(ConversationId::from(conversation));
        loop {
            let event = timeout(PATIENCE, self.events.next()).await.unwrap().unwrap().unwrap();
            let is_it = event.data.name() == name && event.conversation == wanted;
            if is_it && event.origin.connection == *connection {
                return serde_json::to_value(&event.data).unwrap();
            }
        }
    }

    /// Waits for an event of a conversation.
    pub(crate) async fn heard(&mut self, name: &str, conversation: &str) {
        let wanted = Some(ConversationId::from(conversation));
        loop {
            let event = timeout(PATIENCE, self.events.next()).await.unwrap().unwrap().unwrap();
            if event.data.name() == name && event.conversation == wanted {
                return;
            }
        }
    }

    /// Waits until a conversation is offered.
    pub(crate) async fn offered(&mut self, conversation: &str) {
        let wanted = Some(ConversationId::from(conversation));
        loop {
            let event = timeout(PATIENCE, self.events.next()).await.unwrap().unwrap().unwrap();
            if matches!(&event.data, EventData::Ring(offer) if offer.conversation_id == wanted) {
                return;
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.service.gateway().address()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path, &[], Some(body.to_string())).await
    }

    /// One request with JSON in its body, if it has one.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = client().request(method, format!("http://{}{path}", self.address()));
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = match body {
            Some(body) => request.content_type("application/json").send_body(body).await.unwrap(),
            None => request.send().await.unwrap(),
        };
        Answer::read(response).await
    }

    /// Posts any bytes.
    pub(crate) async fn send_bytes(
        &self,
        path: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let mut request = client().post(format!("http://{}{path}", self.address())).content_type(content_type);
        for header in headers {
            request = request.insert_header(*header);
        }
        Answer::read(request.send_body(body).await.unwrap()).await
    }

    /// Downloads the bytes at `path`.
    pub(crate) async fn download(&self, path: &str) -> Downloaded {
        let mut response = client().get(format!("http://{}{path}", self.address())).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let body = response.body().limit(16 * 1024 * 1024).await.unwrap();
        Downloaded { headers: response.headers().clone(), body }
    }

    /// Follows the event stream at `path`.
    pub(crate) async fn follow(&self, path: &str, headers: &[(&str, &str)]) -> Followed {
        let mut request = client().get(format!("http://{}{path}", self.address()));
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let content_type = response.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
        assert_eq!(content_type, "text/event-stream");
        Followed { chunks: response.boxed_local(), unread: String::new() }
    }
}

/// A service that does not outlive its test: the tests after it need its files and its part of the processor.
pub(crate) struct OwnedService(Option<Service>);

impl OwnedService {
    pub(crate) async fn stop(mut self, within: Duration) {
        if let Some(service) = self.0.take() {
            service.stop(within).await;
        }
    }
}

impl Deref for OwnedService {
    type Target = Service;

    fn deref(&self) -> &Service {
        self.0.as_ref().unwrap()
    }
}

impl Drop for OwnedService {
    fn drop(&mut self) {
        if let Some(service) = self.0.take() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            thread::spawn(move || runtime.block_on(service.stop(Duration::ZERO)));
        }
    }
}

/// Waits until `is_so` holds; for a state that sends no notification.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

pub(crate) fn client() -> Client {
    let connector = Connector::new().timeout(PATIENCE).handshake_timeout(PATIENCE);
    Client::builder().connector(connector).timeout(PATIENCE).finish()
}

/// A port that no other process gets while this value lives; listeners of the test may use it one after the other.
pub(crate) struct Port {
    pub(crate) number: u16,
    _held: TcpSocket,
}

impl Port {
    /// Any free port.
    pub(crate) fn free() -> Self {
        let held = TcpSocket::new_v4().unwrap();
        // With this the system also lets listeners bind to the port by its number.
        held.set_reuseaddr(true).unwrap();
        held.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { number: held.local_addr().unwrap().port(), _held: held }
    }
}

/// A downloaded file.
pub(crate) struct Downloaded {
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Downloaded {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A response of the gateway.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) content_type: String,
    pub(crate) authenticate: String,
    pub(crate) allow: String,
    pub(crate) text: String,
    /// Null if the body is not JSON.
    pub(crate) json: Value,
}

impl Answer {
    /// A header; empty if the response has no such header.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    async fn read(mut response: ClientResponse<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin>) -> Self {
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let headers = response.headers().clone();
        let (content_type, authenticate, allow) = (header("content-type"), header("www-authenticate"), header("allow"));
        let body = response.body().limit(4 * 1024 * 1024).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: response.status().as_u16(), headers, content_type, authenticate, allow, text, json }
    }

    /// The status and code of a problem, and that it has the form of one.
    pub(crate) fn problem(&self) -> (u16, &str) {
        assert_eq!(self.content_type, "application/problem+json", "{}", self.text);
        for member in ["type", "title", "detail"] {
            assert!(self.json[member].is_string(), "{}", self.text);
        }
        assert_eq!(self.json["status"], self.status);
        (self.status, self.json["code"].as_str().unwrap())
    }
}

/// An open event stream.
pub(crate) struct Followed {
    chunks: LocalBoxStream<'static, Result<Bytes, PayloadError>>,
    unread: String,
}

impl Followed {
    /// The next block of lines up to an empty one; `None` when the stream has ended.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let block = block.to_owned();
                self.unread = rest.to_owned();
                return Some(block);
            }
            let chunk = timeout(PATIENCE, self.chunks.next()).await.unwrap()?.unwrap();
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next block that is not a heartbeat.
    pub(crate) async fn told(&mut self) -> Option<String> {
        loop {
            match self.block().await {
                Some(block) if block.ends_with(": heartbeat") => {}
                block => return block,
            }
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let block = self.block().await.unwrap();
            if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: ")) {
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}
