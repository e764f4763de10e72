//! Starting, stopping and driving an emulator from the same process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::account::{Account, lock, now};
use crate::config::EmulatorConfig;
use crate::early_hints;
use crate::faults::{Fault, FaultMode, FaultRule, RuleCounts, RuleError, RuleId};
use crate::hub::UserSessions;
use crate::ledger::{ChangeRequest, Ledger, LedgerSummary};
use crate::platform::ConsumerId;
use crate::tls::{self, Tls};
use crate::traffic::{self, TrafficProgress, TrafficSpec};
use crate::{connector, control, http};

/// How often rings, strikes and traffic are looked at.
const TICK: Duration = Duration::from_millis(20);

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate of the CA could not be written.
    #[error("cannot write the CA certificate to {}: {source}", file.display())]
    Ca {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The certificates could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The emulator's thread could not be started, or ended before it listened.
    #[error("cannot start the emulator's thread: {0}")]
    Thread(#[from] io::Error),
}

/// Why a simulated consumer could not do something: what the platform would have answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused with {code}: {text}")]
pub struct Refused {
    /// The platform's code.
    pub code: u16,
    /// The platform's text.
    pub text: String,
}

struct Listening {
    tls: SocketAddr,
    discovery: Option<SocketAddr>,
    control: Option<SocketAddr>,
}

/// A running platform stand-in; it stops when dropped.
pub struct Emulator {
    account: Data<Account>,
    ca_pem: String,
    tls: TlsAcceptor,
    listening: Listening,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").field("listen", &self.listening.tls).finish_non_exhaustive()
    }
}

impl Emulator {
    /// Starts an emulator on threads of its own and returns when it listens.
    ///
    /// # Errors
    /// When an address is taken, the file of the CA cannot be written, or certificates or threads cannot be made.
    pub fn start(config: EmulatorConfig) -> Result<Self, StartError> {
        let Tls { ca_pem, server } = tls::generate(&config.hosts)?;
        if let Some(file) = &config.ca_out {
            std::fs::write(file, &ca_pem).map_err(|source| StartError::Ca { file: file.clone(), source })?;
        }
        let account = Data::new(Account::new(config));
        let tls = TlsAcceptor::from(Arc::new(server.clone()));
        let shared = account.clone();
        let (ready, listening) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("emulator".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                match listen(&shared, server) {
                    Ok((addresses, servers)) => {
                        let _ = ready.send(Ok(addresses));
                        run(&shared, stopped, servers).await;
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
        })?;
        let listening = listening.recv().map_err(io::Error::other)??;
        Ok(Self { account, ca_pem, tls, listening, stop: Some(stop), thread: Some(thread) })
    }

    /// Where everything over TLS listens.
    pub fn listen(&self) -> SocketAddr {
        self.listening.tls
    }

    /// Where plain-HTTP discovery listens.
    pub fn discovery(&self) -> Option<SocketAddr> {
        self.listening.discovery
    }

    /// Where the control interface listens.
    pub fn control(&self) -> Option<SocketAddr> {
        self.listening.control
    }

    /// The account id.
    pub fn account(&self) -> &str {
        &self.account.config.account
    }

    /// The certificate of the CA to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Writes [`Self::ca_pem`] into a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_ca(&self, path: impl AsRef<Path>) -> io::Result<()> {
        std::fs::write(path, &self.ca_pem)
    }

    /// A way to the HTTP server at `server` on which early hints come before every answer, plain or over TLS with the
    /// emulator's certificate. It lasts as long as the actix system that it is made in.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn hint_before(&self, server: SocketAddr, over_tls: bool) -> io::Result<SocketAddr> {
        let tls = over_tls.then(|| self.tls.clone());
        hint_before(server, tls, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Every event accepted so far, in order.
    pub fn ledger(&self) -> Ledger {
        self.account.ledger()
    }

    /// The sums over everything so far.
    pub fn summary(&self) -> LedgerSummary {
        self.account.summary()
    }

    /// Every request so far to change fields of a conversation, in order.
    pub fn changes(&self) -> Vec<ChangeRequest> {
        self.account.hub().platform.changes().to_vec()
    }

    /// Sockets by side and user.
    pub fn sessions(&self) -> Vec<UserSessions> {
        self.account.hub().sessions()
    }

    /// The bearers that agents hold now, for tests that look for them where they must not be.
    pub fn bearers(&self) -> Vec<String> {
        self.account.hub().agents.bearers()
    }

    /// Another fault mode from now on.
    pub fn set_faults(&self, mode: FaultMode, seed: u64) {
        self.account.hub().set_mode(mode, seed);
    }

    /// One fault now; the number of sockets it hit, or armed for their next frames or requests. Faults of logins
    /// hit no socket.
    pub fn inject(&self, fault: Fault) -> usize {
        self.account.hub().inject(&fault)
    }

    /// One more rule of refusal from now on.
    ///
    /// # Errors
    /// When no request has the name that the rule gives.
    pub fn add_rule(&self, rule: FaultRule) -> Result<RuleId, RuleError> {
        self.account.hub().rules.add(rule, now())
    }

    /// What a rule has let pass and struck so far; `None` once it is lifted.
    pub fn rule_counts(&self, rule: RuleId) -> Option<RuleCounts> {
        self.account.hub().rules.all().find(|(id, ..)| *id == rule).map(|(.., counts)| counts)
    }

    /// Ends a rule; whether there was one.
    pub fn lift_rule(&self, rule: RuleId) -> bool {
        self.account.hub().rules.lift(rule)
    }

    /// Ends every rule.
    pub fn clear_rules(&self) {
        self.account.hub().rules.clear();
    }

    /// A simulated consumer opens a conversation: a named consumer or a new one, for a skill or for none.
    /// Returns the conversation's id, which is also its MAIN dialog's.
    pub fn create_conversation(&self, consumer: Option<&str>, skill: Option<&str>) -> String {
        self.account.open_conversation(consumer.map(str::to_owned), skill.map(str::to_owned), None)
    }

    /// A simulated consumer has these particulars from now on, in the form of `SetUserProfile`.
    pub fn set_profile(&self, consumer: &str, profile: serde_json::Value) {
        self.account.hub().platform.give_profile(&ConsumerId::new(consumer), profile);
    }

    /// The simulated consumer of a conversation says something in its open dialog; the sequence it got.
    ///
    /// # Errors
    /// What the platform would have answered, e.g. when no dialog is open.
    pub fn say(&self, conversation: &str, text: &str) -> Result<u64, Refused> {
        self.account.say(conversation, text).map_err(|refusal| Refused { code: refusal.code, text: refusal.text })
    }

    /// The simulated consumer of a conversation closes it, without a survey.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn close_conversation(&self, conversation: &str) -> Result<(), Refused> {
        let closed = self.account.close_conversation(conversation);
        closed.map_err(|refusal| Refused { code: refusal.code, text: refusal.text })
    }

    /// An administrator moves a conversation to another agent group; no request of the protocol can.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn change_group(&self, conversation: &str, group: &str) -> Result<(), Refused> {
        let changed = self.account.change_group(conversation, group);
        changed.map_err(|refusal| Refused { code: refusal.code, text: refusal.text })
    }

    /// The agents of a skill begin or end their work.
    pub fn set_shift(&self, skill: &str, on_shift: bool) {
        let mut off_shift = lock(&self.account.off_shift);
        if on_shift {
            off_shift.remove(skill);
        } else {
            off_shift.insert(skill.to_owned());
        }
    }

    /// Starts simulated traffic; the id of the run.
    pub fn traffic(&self, spec: TrafficSpec) -> String {
        lock(&self.account.traffic).start(spec, now())
    }

    /// How far a run of simulated traffic has come.
    pub fn traffic_progress(&self, id: &str) -> Option<TrafficProgress> {
        lock(&self.account.traffic).progress(id, &self.account)
    }

    /// Stops the emulator and waits for its threads.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the emulator's thread panicked");
        }
    }
}

fn hint_before(server: SocketAddr, tls: Option<TlsAcceptor>, listen: SocketAddr) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let listen = listener.local_addr()?;
    actix_web::rt::spawn(early_hints::relay(listener, tls, server));
    Ok(listen)
}

type Bound = (Listening, Vec<actix_web::dev::Server>);

/// Binds every listener; the servers run once they are polled.
fn listen(account: &Data<Account>, tls: rustls::ServerConfig) -> Result<Bound, StartError> {
    let config = &account.config;
    let shared = account.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .wrap(from_fn(http::ruled))
            .wrap(from_fn(http::cors))
            .wrap(from_fn(http::json_errors))
            .configure(http::platform)
    })
    .workers(config.threads.max(1))
    .backlog(8_192)
    .max_connection_rate(1_024)
    .tcp_nodelay(true)
    // A socket that drops is gone at once, it does not linger.
    .client_disconnect_timeout(Duration::ZERO)
    .tls_handshake_timeout(Duration::from_secs(20))
    .disable_signals()
    .shutdown_timeout(1);
    let failed = |address| move |source| StartError::Listen { address, source };
    let (server, listen) = if config.network.early_hints {
        let server = server.bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed(config.listen))?;
        let inner = server.addrs().first().copied().unwrap_or(config.listen);
        let tls = TlsAcceptor::from(Arc::new(tls));
        let listen = hint_before(inner, Some(tls), config.listen).map_err(failed(config.listen))?;
        (server, listen)
    } else {
        let server = server.bind_rustls_0_23(config.listen, tls).map_err(failed(config.listen))?;
        let listen = server.addrs().first().copied().unwrap_or(config.listen);
        (server, listen)
    };
    account.set_listen(listen);
    let mut listening = Listening { tls: listen, discovery: None, control: None };
    let mut servers = vec![server.run()];

    let shared = account.clone();
    if let Some(address) = config.discovery_listen {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .wrap(from_fn(http::ruled))
                .wrap(from_fn(http::cors))
                .wrap(from_fn(http::json_errors))
                .configure(http::discovery_only)
        });
        let server = server.workers(1).disable_signals().bind(address).map_err(failed(address))?;
        listening.discovery = server.addrs().first().copied();
        servers.push(server.run());
    }
    let shared = account.clone();
    if let Some(address) = config.control {
        let server = HttpServer::new(move || {
            App::new().app_data(shared.clone()).wrap(from_fn(http::json_errors)).configure(control::routes)
        });
        let server = server.workers(1).disable_signals().bind(address).map_err(failed(address))?;
        listening.control = server.addrs().first().copied();
        servers.push(server.run());
    }
    Ok((listening, servers))
}

/// Runs until the emulator is stopped or dropped.
async fn run(account: &Data<Account>, stopped: oneshot::Receiver<()>, servers: Vec<actix_web::dev::Server>) {
    if let Some(app) = account.config.app.clone() {
        connector::install(account, app);
    }
    let handles: Vec<ServerHandle> = servers.iter().map(actix_web::dev::Server::handle).collect();
    for server in servers {
        actix_web::rt::spawn(server);
    }
    let ticking = async {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            account.hub().tick(now());
            traffic::tick(account, now());
        }
    };
    tokio::select! {
        _ = stopped => {}
        () = ticking => {}
    }
    for handle in handles {
        handle.stop(false).await;
    }
}
