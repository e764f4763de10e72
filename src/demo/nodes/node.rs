//! One node of a demo: a process of this program, and what its log says.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use serde::Deserialize;
use tertulia_emulator::Emulator;
use tokio::{sync::watch, time::timeout};

use super::{
    super::{
        fleet,
        process::{GatewayAddress, ServiceProcess, ServiceStart, service_configuration},
    },
    NodeError,
};

/// How long a node may take until its gateway listens.
const LISTENING_WITHIN: Duration = Duration::from_secs(60);
/// How long a node may take to drain at the end.
const DRAINED_WITHIN: Duration = Duration::from_secs(15);
/// How long a node must be silent before others take over; the shortest there is.
const LEASE: &str = "5s";

/// The node that runs each connection, by the nodes' logs.
pub(super) type Placement = Rc<RefCell<HashMap<String, usize>>>;

/// What all nodes of a demo have in common.
pub(super) struct Cluster<'c> {
    pub(super) program: &'c Path,
    pub(super) directory: &'c Path,
    pub(super) database: &'c str,
    pub(super) schema: &'c str,
    pub(super) secret: &'c str,
    pub(super) bots: u32,
}

/// A running node. Dropping it kills the process.
pub(super) struct Node {
    number: usize,
    process: Option<ServiceProcess>,
    address: GatewayAddress,
    log: PathBuf,
}

/// The members of a log line that matter here.
#[derive(Deserialize)]
struct Line<'l> {
    message: Option<&'l str>,
    connection: Option<&'l str>,
}

impl Node {
    /// Writes the configuration of the node `number`, and starts its process.
    pub(super) fn start(
        number: usize,
        cluster: &Cluster<'_>,
        emulator: &Emulator,
        placement: &Placement,
    ) -> Result<Self, NodeError> {
        let name = name(number);
        let system = |source| NodeError::System { node: name.clone(), source };
        let engine = engine_of(&name, free_address().map_err(system)?, cluster);
        let authority = cluster.directory.join("ca.pem");
        let text = service_configuration(emulator, &authority, &engine, fleet::BOTS, cluster.bots);
        let configuration = cluster.directory.join(format!("{name}.toml"));
        fs::write(&configuration, text).map_err(system)?;
        let log = cluster.directory.join(format!("{name}.log"));
        let (tell, address) = watch::channel(None);
        let placement = Rc::clone(placement);
        let start = ServiceStart {
            program: cluster.program,
            configuration: &configuration,
            variables: &[("TERTULIA_DEMO_DATABASE", cluster.database), ("TERTULIA_DEMO_SECRET", cluster.secret)],
            log: &log,
            // The demo stops the nodes after an interrupt.
            is_apart: true,
        };
        let process = ServiceProcess::start(&start, tell, move |line| {
            if let Ok(Line { message: Some("this node runs the connection"), connection: Some(id) }) =
                serde_json::from_str(line)
            {
                placement.borrow_mut().insert(id.to_owned(), number);
            }
        });
        Ok(Self { number, process: Some(process.map_err(system)?), address, log })
    }

    /// Waits until the gateway of the node listens, and returns its address.
    pub(super) async fn listening(&mut self) -> Result<String, NodeError> {
        let listening = timeout(LISTENING_WITHIN, self.address.wait_for(Option::is_some)).await;
        let address = listening.ok().and_then(Result::ok).and_then(|address| address.clone());
        address.ok_or_else(|| NodeError::NotListening { node: name(self.number), log: last_line(&self.log) })
    }

    /// The address of the gateway, which changes when the node starts again.
    pub(super) fn address(&self) -> GatewayAddress {
        self.address.clone()
    }

    /// The process id, unless the process ended.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(ServiceProcess::id)
    }

    /// Kills the process (SIGKILL): it finishes nothing.
    pub(super) async fn kill(&mut self) -> Result<(), NodeError> {
        let Some(process) = self.process.take() else { return Ok(()) };
        process.kill().await.map_err(|source| NodeError::System { node: name(self.number), source })
    }

    /// Makes the process drain, and kills it if it does not end in time.
    pub(super) async fn stop(mut self) {
        if let Some(process) = self.process.take() {
            // What is wrong now changes nothing in the result.
            let _ = process.terminate(DRAINED_WITHIN).await;
        }
    }
}

pub(super) fn name(number: usize) -> String {
    format!("node-{}", number + 1)
}

fn engine_of(name: &str, listen: SocketAddr, cluster: &Cluster<'_>) -> String {
    format!(
        "[engine]\nkind = \"postgres\"\nurl = {{ env = \"TERTULIA_DEMO_DATABASE\" }}\nschema = {:?}\n\
         lease = \"{LEASE}\"\n\n[node]\nname = {name:?}\nlisten = \"{listen}\"\n\
         secret = {{ env = \"TERTULIA_DEMO_SECRET\" }}\n",
        cluster.schema,
    )
}

/// An address on loopback that nobody uses. Another program may take it before the node does; the node then says so.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("nothing").to_owned()
}
