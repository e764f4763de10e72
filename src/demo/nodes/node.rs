//! One node of a demo: a process of this program, and what its log says.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    rc::Rc,
    time::Duration,
};

use serde::Deserialize;
use tertulia_emulator::Emulator;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use super::{super::fleet::bot_name, NodeError, bot::Address};

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
    child: Option<Child>,
    address: Address,
    log: PathBuf,
}

/// The members of a log line that matter here.
#[derive(Deserialize)]
struct Line<'l> {
    message: Option<&'l str>,
    gateway: Option<&'l str>,
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
        let listen = free_address().map_err(system)?;
        let configuration = cluster.directory.join(format!("{name}.toml"));
        fs::write(&configuration, configuration_of(&name, listen, cluster, emulator)).map_err(system)?;
        let log = cluster.directory.join(format!("{name}.log"));
        let mut child = Command::new(cluster.program)
            .args(["run", "--log-format", "json", "--config"])
            .arg(&configuration)
            .env("TERTULIA_DEMO_DATABASE", cluster.database)
            .env("TERTULIA_DEMO_SECRET", cluster.secret)
            .env("TERTULIA_DEMO_PASSWORD", "secret")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // An interrupt at the terminal is for the demo, which then stops the nodes.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(system)?;
        let lines = BufReader::new(child.stderr.take().ok_or(io::ErrorKind::BrokenPipe.into()).map_err(system)?);
        let (tell, address) = watch::channel(None);
        let (placement, file) = (Rc::clone(placement), log.clone());
        // Ends with the process.
        actix_rt::spawn(async move {
            let mut lines = lines.lines();
            let mut log = tokio::fs::File::create(file).await.ok();
            while let Ok(Some(text)) = lines.next_line().await {
                match serde_json::from_str(&text) {
                    Ok(Line { message: Some("running"), gateway: Some(gateway), .. }) => {
                        tell.send_replace(Some(gateway.to_owned()));
                    }
                    Ok(Line { message: Some("this node runs the connection"), connection: Some(id), .. }) => {
                        placement.borrow_mut().insert(id.to_owned(), number);
                    }
                    _ => {}
                }
                if let Some(log) = &mut log {
                    // The log is for people; the demo does not need it.
                    let _ = log.write_all(format!("{text}\n").as_bytes()).await;
                }
            }
        });
        Ok(Self { number, child: Some(child), address, log })
    }

    /// Waits until the gateway of the node listens, and returns its address.
    pub(super) async fn listening(&mut self) -> Result<String, NodeError> {
        let listening = timeout(LISTENING_WITHIN, self.address.wait_for(Option::is_some)).await;
        let address = listening.ok().and_then(Result::ok).and_then(|address| address.clone());
        address.ok_or_else(|| NodeError::NotListening { node: name(self.number), log: last_line(&self.log) })
    }

    /// The address of the gateway, which changes when the node starts again.
    pub(super) fn address(&self) -> Address {
        self.address.clone()
    }

    /// The process id, unless the process ended.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Kills the process (SIGKILL): it finishes nothing.
    pub(super) async fn kill(&mut self) -> Result<(), NodeError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().await.map_err(|source| NodeError::System { node: name(self.number), source })
    }

    /// Makes the process drain, and kills it if it does not end in time.
    pub(super) async fn stop(mut self) {
        let Some(mut child) = self.child.take() else { return };
        if let Some(id) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)) {
            // A process that ended needs no signal.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if timeout(DRAINED_WITHIN, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

pub(super) fn name(number: usize) -> String {
    format!("node-{}", number + 1)
}

fn configuration_of(name: &str, listen: SocketAddr, cluster: &Cluster<'_>, emulator: &Emulator) -> String {
    let ca = cluster.directory.join("ca.pem");
    let mut text = format!(
        "[platform]\ndiscovery = \"https://{}\"\nca_file = {ca:?}\n\n[engine]\nkind = \"postgres\"\n\
         url = {{ env = \"TERTULIA_DEMO_DATABASE\" }}\nschema = {:?}\nlease = \"{LEASE}\"\n\n[node]\nname = {name:?}\n\
         listen = \"{listen}\"\nsecret = {{ env = \"TERTULIA_DEMO_SECRET\" }}\n\n[gateway]\nlisten = \"127.0.0.1:0\"\n",
        emulator.listen(),
        cluster.schema,
    );
    for number in 1..=cluster.bots {
        text.push_str(&format!(
            "\n[[connections]]\nid = {:?}\naccount = {:?}\nrole = \"brand\"\n\
             login = {{ username = \"bot{number}\", password = {{ env = \"TERTULIA_DEMO_PASSWORD\" }} }}\n\
             rings = \"accept\"\nagent_state = \"ONLINE\"\n",
            bot_name(number),
            emulator.account(),
        ));
    }
    text
}

/// An address on loopback that nobody uses. Another program may take it before the node does; the node then says so.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("nothing").to_owned()
}
