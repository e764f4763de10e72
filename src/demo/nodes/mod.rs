//! The demo of several nodes: processes of this program on one database. Bots outside of them follow and answer at any
//! node, and one of the nodes may be killed half-way.

mod bot;
mod node;

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tertulia_actors::{
    Tertulia,
    engine::{Journal, MemoryStore, Retention},
    subscriber::{EventKind, Filter},
};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultMode, Switches};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{
    DemoError, EVENTS, KEPT, PostgresError, Progress, STALLED_AFTER, STOP_WITHIN, Scale, Summary, TemporaryPostgres,
    fleet::{self, Fleet},
    summary::{Counts, NodesSummary, peak_rss_bytes},
};
use bot::{Bot, Nodes, Received, Resumed};
use node::{Node, Placement};

/// How long the bots may take until all of them are ready, at the beginning and after a death.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// The interval between looks at what the nodes did.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why the nodes of a demo failed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// There is no database.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The directory of the nodes could not be made.
    #[error("cannot make the directory of the nodes: {0}")]
    Directory(#[source] io::Error),
    /// A process or file of a node failed.
    #[error("cannot run {node}: {source}")]
    System {
        /// The node.
        node: String,
        /// The reason.
        source: io::Error,
    },
    /// The gateway of a node did not listen in time, or the process ended.
    #[error("{node} does not listen; the end of its log: {log}")]
    NotListening {
        /// The node.
        node: String,
        /// The last line of its log.
        log: String,
    },
    /// A request to a node failed.
    #[error("{node} cannot be read: {reason}")]
    Unreadable {
        /// The node.
        node: String,
        /// The reason.
        reason: String,
    },
    /// Connections were not ready in time.
    #[error("not ready after {READY_WITHIN:?}: {}", connections.join(", "))]
    NotReady {
        /// Their ids.
        connections: Vec<String>,
    },
}

/// The nodes of a demo.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The number of nodes, at least 1.
    pub nodes: usize,
    /// Whether one node is killed half-way.
    pub kill: bool,
    /// The address of a database, as `[engine] url` has it. The demo makes a schema of its own in it, which stays. `None`
    /// starts a temporary server.
    pub database: Option<String>,
    /// This program, which the nodes run.
    pub program: PathBuf,
}

/// A running demo of several nodes.
pub struct NodesDemo {
    scale: Scale,
    cluster: Cluster,
    nodes: Vec<Node>,
    addresses: Nodes,
    placement: Placement,
    consumers: Arc<Tertulia>,
    emulator: Emulator,
    begun: Instant,
    _directory: tempfile::TempDir,
    /// Stopped after the nodes.
    _postgres: Option<TemporaryPostgres>,
}

/// A node that was killed.
struct Death {
    at: Instant,
    node: usize,
    connections: Vec<String>,
}

/// What the bots did.
struct Bots {
    received: UnboundedReceiver<Received>,
    resumed: Resumed,
    _running: Vec<AbortOnDropHandle<()>>,
}

impl NodesDemo {
    /// Starts the database, the platform stand-in and the nodes. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn start(scale: Scale, cluster: Cluster) -> Result<Self, DemoError> {
        let begun = Instant::now();
        let agents = usize::try_from(scale.bots).unwrap_or(usize::MAX);
        // Only where an earlier session's sockets stay open can they act wrongly.
        let switches = Switches { login_closes_sockets: false, ..Switches::default() };
        let config = EmulatorConfig { agents, seed: scale.seed, switches, ..EmulatorConfig::default() };
        let emulator = Emulator::start(config)?;
        let directory = tempfile::Builder::new().prefix("tertulia-demo-").tempdir().map_err(NodeError::Directory)?;
        emulator.write_ca(directory.path().join("ca.pem")).map_err(NodeError::Directory)?;
        let postgres = match cluster.database {
            Some(_) => None,
            None => {
                let starting = tokio::task::spawn_blocking(TemporaryPostgres::start).await;
                Some(starting.map_err(|error| NodeError::Directory(error.into()))?.map_err(NodeError::Postgres)?)
            }
        };
        let database = postgres.as_ref().map(TemporaryPostgres::url).or(cluster.database.clone()).unwrap_or_default();
        let (schema, secret) =
            (format!("tertulia_demo_{}", Uuid::new_v4().simple()), Uuid::new_v4().simple().to_string());
        let settings = node::Cluster {
            program: &cluster.program,
            directory: directory.path(),
            database: &database,
            schema: &schema,
            secret: &secret,
            bots: scale.bots,
        };
        let placement = Placement::default();
        let start = |number| Node::start(number, &settings, &emulator, &placement);
        let mut nodes = (0..cluster.nodes).map(start).collect::<Result<Vec<_>, _>>()?;
        let addresses = Nodes::default();
        for (number, node) in nodes.iter_mut().enumerate() {
            node.listening().await?;
            addresses.borrow_mut().insert(number, node.address());
        }
        let consumers = Tertulia::builder()
            .platform(fleet::platform(&emulator))
            .journal(Journal::start(Arc::new(MemoryStore::new(KEPT)), Retention::default())?)
            .start()?;
        let consumers = Arc::new(consumers);
        let (_directory, _postgres) = (directory, postgres);
        Ok(Self { scale, cluster, nodes, addresses, placement, consumers, emulator, begun, _directory, _postgres })
    }

    /// The addresses of the nodes' gateways.
    #[must_use]
    pub fn gateways(&self) -> Vec<String> {
        self.addresses.borrow().values().filter_map(|address| address.borrow().clone()).collect()
    }

    /// Opens the conversations, lets all consumers send, kills a node half-way if the demo is to, and compares. Reports
    /// each step to `progress`.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn run(&mut self, mut progress: impl FnMut(Progress)) -> Result<Summary, DemoError> {
        let mut bots = self.start_bots().await?;
        let mut fleet = Fleet::new(Arc::clone(&self.consumers), self.scale, Vec::new());
        let mut events = self.consumers.events_within(Filter::everything().kind(EventKind::Message), EVENTS);
        self.all_ready(&bots.resumed, None).await?;
        fleet.open(self.emulator.account(), &mut progress).await?;
        self.emulator.set_faults(self.scale.faults, self.scale.seed);
        let mut counts = Counts::default();
        let mut memory = 0;
        let mut death = None;
        fleet.begin();
        while !fleet.is_done() {
            if self.cluster.kill && death.is_none() && fleet.is_half_done() {
                death = Some(self.kill_busiest(&mut counts, &mut memory).await?);
            }
            tokio::select! {
                event = timeout(STALLED_AFTER, events.next()) => match event {
                    Ok(Some(event)) => fleet.take(&*event?),
                    Ok(None) => return Err(DemoError::Stopped),
                    Err(_) => break,
                },
                Some(Received { conversation, sequence }) = bots.received.recv() => {
                    fleet.take_at_bot(conversation, sequence);
                }
            }
            progress(fleet.progress());
        }
        self.emulator.set_faults(FaultMode::None, self.scale.seed);
        if let Some(death) = &death {
            self.all_ready(&bots.resumed, Some(death)).await?;
        }
        while let Ok(Received { conversation, sequence }) = bots.received.try_recv() {
            fleet.take_at_bot(conversation, sequence);
        }
        for node in 0..self.nodes.len() {
            if death.as_ref().is_none_or(|death| death.node != node) {
                self.count(node, &mut counts, &mut memory).await?;
            }
        }
        let proof = fleet.prove(&self.emulator.ledger());
        let ledger = self.emulator.summary();
        let mut summary = Summary::new(self.scale, self.begun, &ledger, &counts, &fleet, proof);
        summary.peak_rss_bytes += memory;
        let took = |death: &Death| {
            let resumed = bots.resumed.borrow();
            let times = death.connections.iter().filter_map(|id| Some(resumed.get(id)?.duration_since(death.at)));
            times.max().unwrap_or_default().as_secs_f64()
        };
        summary.nodes = Some(NodesSummary {
            nodes: self.cluster.nodes,
            takeovers: death.as_ref().map_or(0, |death| death.connections.len()),
            takeover_s: death.as_ref().map_or(0.0, took),
            stale_requests: ledger.stale_requests.values().sum(),
        });
        Ok(summary)
    }

    /// Stops the consumers, then the nodes, then the database.
    pub async fn stop(self) {
        let Self { nodes, consumers, emulator, .. } = self;
        if let Ok(consumers) = Arc::try_unwrap(consumers) {
            consumers.stop(STOP_WITHIN).await;
        }
        futures_util::future::join_all(nodes.into_iter().map(Node::stop)).await;
        emulator.stop();
    }

    async fn start_bots(&self) -> Result<Bots, NodeError> {
        let first = self.gateways().into_iter().next().unwrap_or_default();
        let cursor = bot::oldest(&first).await;
        let cursor = cursor.map_err(|reason| NodeError::Unreadable { node: node::name(0), reason })?;
        let (sender, received): (UnboundedSender<_>, _) = unbounded_channel();
        let resumed = Resumed::default();
        let start = |number: u32| {
            let bot = Bot {
                connection: fleet::bot_name(number),
                nodes: Rc::clone(&self.addresses),
                resumed: Rc::clone(&resumed),
                received: sender.clone(),
                reply_to: fleet::reply_to,
            };
            let seed = self.scale.seed.wrapping_add(number.into());
            AbortOnDropHandle::new(actix_rt::spawn(bot.run(cursor.clone(), seed)))
        };
        let _running = (1..=self.scale.bots).map(start).collect();
        Ok(Bots { received, resumed, _running })
    }

    /// Waits until all connections are ready, or those of a dead node at other nodes.
    async fn all_ready(
        &self,
        resumed: &RefCell<HashMap<String, Instant>>,
        death: Option<&Death>,
    ) -> Result<(), NodeError> {
        let all: Vec<String> = match death {
            Some(death) => death.connections.clone(),
            None => (1..=self.scale.bots).map(fleet::bot_name).collect(),
        };
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let missing: Vec<String> = all.iter().filter(|id| !self.is_ready(id, resumed, death)).cloned().collect();
            if missing.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(NodeError::NotReady { connections: missing });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn is_ready(&self, id: &str, resumed: &RefCell<HashMap<String, Instant>>, death: Option<&Death>) -> bool {
        let node = self.placement.borrow().get(id).copied();
        let since = resumed.borrow().get(id).copied();
        match death {
            None => since.is_some(),
            Some(death) => node != Some(death.node) && since.is_some_and(|since| since > death.at),
        }
    }

    /// Kills the node that runs the most connections.
    async fn kill_busiest(&mut self, counts: &mut Counts, memory: &mut u64) -> Result<Death, NodeError> {
        let mut of_nodes: Vec<Vec<String>> = vec![Vec::new(); self.nodes.len()];
        for (connection, node) in self.placement.borrow().iter() {
            of_nodes[*node].push(connection.clone());
        }
        let busiest = of_nodes.into_iter().enumerate().max_by_key(|(_, connections)| connections.len());
        let (node, connections) = busiest.unwrap_or_default();
        // What it counted dies with it.
        self.count(node, counts, memory).await?;
        self.nodes[node].kill().await?;
        let at = Instant::now();
        self.addresses.borrow_mut().remove(&node);
        tracing::info!(node = node::name(node), connections = connections.len(), "killed");
        Ok(Death { at, node, connections })
    }

    async fn count(&mut self, node: usize, counts: &mut Counts, memory: &mut u64) -> Result<(), NodeError> {
        let address = self.nodes[node].listening().await?;
        let exposed = bot::read(&address, "/metrics").await;
        counts.add(&exposed.map_err(|reason| NodeError::Unreadable { node: node::name(node), reason })?);
        let id = self.nodes[node].id().map(|id| id.to_string());
        *memory += id.and_then(|id| peak_rss_bytes(&id)).unwrap_or_default();
        Ok(())
    }
}
