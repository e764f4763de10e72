//! One node: a process of the service whose ways to the database and from the other nodes lead through proxies.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::ExitStatus,
    rc::Rc,
    time::Duration,
};

use actix_rt::time::timeout;
use anyhow::Context as _;
use jiff::Timestamp;
use serde::Deserialize;
use tertulia::demo::{GatewayAddress, ServiceProcess, ServiceStart, Signal, service_configuration};
use tertulia_emulator::Emulator;
use tokio::sync::watch;

use super::super::proxy::Proxy;

/// How long a node may take until its gateway listens. A node of the same name that was killed is waited for.
const LISTENING_WITHIN: Duration = Duration::from_secs(60);
/// How long a drain may take before it counts as hung: longer than the service's own limit.
const DRAINED_WITHIN: Duration = Duration::from_secs(45);
/// What nodes write into their logs: also which duties they take.
const LEVELS: &str = "info,tertulia_actors::engine::cluster=debug";
/// The schema of the nodes.
const SCHEMA: &str = "chaos";

/// What the logs of all nodes say.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// When a node began to run a connection, in the order of time.
    pub(super) begun: Vec<(String, usize, Timestamp)>,
    /// The node that took each duty with each token.
    taken: BTreeMap<(String, String), usize>,
    /// How often a node was found to be fenced.
    pub(super) fenced: u32,
    /// What must not happen.
    pub(super) violations: Vec<String>,
}

/// The members of a log line that matter here.
#[derive(Deserialize)]
struct Line<'l> {
    message: Option<&'l str>,
    connection: Option<&'l str>,
    duty: Option<&'l str>,
    token: Option<&'l str>,
}

impl Seen {
    fn read(&mut self, node: usize, text: &str) {
        let Ok(line) = serde_json::from_str::<Line<'_>>(text) else { return };
        match line {
            Line { message: Some("this node runs the connection"), connection: Some(id), .. } => {
                self.begun.push((id.to_owned(), node, Timestamp::now()));
            }
            Line { message: Some("duty taken"), duty: Some(duty), token: Some(token), .. } => {
                let place = (duty.to_owned(), token.to_owned());
                if let Some(other) = self.taken.insert(place, node) {
                    self.violations.push(format!("{duty} was given to nodes {other} and {node} as number {token}"));
                }
            }
            Line { message: Some("starting again, because this node was fenced"), .. } => self.fenced += 1,
            Line { message: Some("panic" | "actor panicked, restarting"), .. } => {
                self.violations.push(format!("node {node} panicked: {text}"));
            }
            _ => {}
        }
    }

    /// The connections that a node runs.
    pub(super) fn connections_of(&self, node: usize) -> Vec<String> {
        let newest: HashMap<&str, usize> = self.begun.iter().map(|(id, node, _)| (id.as_str(), *node)).collect();
        newest.into_iter().filter(|(_, at)| *at == node).map(|(id, _)| id.to_owned()).collect()
    }

    /// The number of duties that were taken.
    pub(super) fn takes(&self) -> usize {
        self.taken.len()
    }
}

/// What all nodes have in common.
pub(super) struct Cluster<'c> {
    pub(super) directory: &'c Path,
    /// The address of the database, in which `port` is replaced.
    pub(super) database: &'c str,
    pub(super) port: u16,
    pub(super) secret: &'c str,
    pub(super) lease: Duration,
    pub(super) bots: u32,
}

/// A node that may run or not.
pub(super) struct Node {
    number: usize,
    program: PathBuf,
    configuration: PathBuf,
    log: PathBuf,
    url: String,
    secret: String,
    process: Option<ServiceProcess>,
    tell: watch::Sender<Option<String>>,
    seen: Rc<RefCell<Seen>>,
    /// The way to the database.
    pub(super) database: Proxy,
    /// The way from the other nodes.
    pub(super) peers: Proxy,
}

fn always(address: String) -> GatewayAddress {
    watch::Sender::new(Some(address)).subscribe()
}

impl Node {
    /// Prepares a node that is not started yet.
    pub(super) async fn prepare(
        number: usize,
        program: &Path,
        cluster: &Cluster<'_>,
        emulator: &Emulator,
        seen: &Rc<RefCell<Seen>>,
    ) -> anyhow::Result<Self> {
        let Cluster { directory, database: url, port, secret, lease, bots } = *cluster;
        let name = format!("node-{number}");
        let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let database = Proxy::start(vec![always(format!("127.0.0.1:{port}"))]).await?;
        let peers = Proxy::start(vec![always(listen.to_string())]).await?;
        let engine = format!(
            "[engine]\nkind = \"postgres\"\nurl = {{ env = \"CHAOS_DATABASE\" }}\nschema = \"{SCHEMA}\"\n\
             lease = \"{}ms\"\n\n[node]\nname = \"{name}\"\nlisten = \"{listen}\"\nadvertise = \"{}\"\n\
             secret = {{ env = \"CHAOS_SECRET\" }}\n",
            lease.as_millis(),
            peers.address(),
        );
        let authority = directory.join("ca.pem");
        let configuration = directory.join(format!("{name}.toml"));
        fs::write(&configuration, service_configuration(emulator, &authority, &engine, "bots", bots))?;
        let own = format!("127.0.0.1:{port}");
        anyhow::ensure!(url.contains(&own), "the address of the database does not have its port");
        Ok(Self {
            number,
            program: program.to_owned(),
            configuration,
            log: directory.join(format!("{name}.log")),
            url: url.replace(&own, database.address()),
            secret: secret.to_owned(),
            process: None,
            tell: watch::Sender::new(None),
            seen: Rc::clone(seen),
            database,
            peers,
        })
    }

    /// Starts the process without waiting until it listens.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let levels = std::env::var("RUST_LOG").unwrap_or_else(|_| LEVELS.to_owned());
        let start = ServiceStart {
            program: &self.program,
            configuration: &self.configuration,
            variables: &[("CHAOS_DATABASE", &self.url), ("CHAOS_SECRET", &self.secret), ("RUST_LOG", &levels)],
            log: &self.log,
            is_apart: false,
        };
        let (seen, number) = (Rc::clone(&self.seen), self.number);
        let process =
            ServiceProcess::start(&start, self.tell.clone(), move |line| seen.borrow_mut().read(number, line));
        self.process = Some(process.with_context(|| format!("cannot start {}", self.program.display()))?);
        Ok(())
    }

    /// The address of the gateway; `None` while the process does not run.
    pub(super) fn address(&self) -> GatewayAddress {
        self.tell.subscribe()
    }

    /// Waits until the gateway listens.
    pub(super) async fn listening(&self) -> anyhow::Result<String> {
        let mut address = self.address();
        let listening = timeout(LISTENING_WITHIN, address.wait_for(Option::is_some)).await;
        let late = || format!("node {} does not listen", self.number);
        listening.with_context(late)??.clone().with_context(late)
    }

    /// Fails if the process has ended without being told to.
    pub(super) fn must_run(&mut self) -> anyhow::Result<()> {
        match self.process.as_mut().map(ServiceProcess::has_ended).transpose()?.flatten() {
            Some(status) => anyhow::bail!("node {} ended unexpectedly with {status}", self.number),
            None => Ok(()),
        }
    }

    /// Sends a signal to the process, if it runs.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Kills the process, if it runs.
    pub(super) async fn kill(&mut self) -> io::Result<()> {
        let Some(process) = self.process.take() else { return Ok(()) };
        self.tell.send_replace(None);
        process.kill().await
    }

    /// Makes the process drain. It must end by itself, in time and with success.
    pub(super) async fn drain(&mut self) -> anyhow::Result<()> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let was_running = self.tell.borrow().is_some();
        let status: Option<ExitStatus> = process.terminate(DRAINED_WITHIN).await?;
        self.tell.send_replace(None);
        let status = status.with_context(|| format!("the drain of node {} did not end", self.number))?;
        anyhow::ensure!(status.success() || !was_running, "the drain of node {} ended with {status}", self.number);
        Ok(())
    }
}
