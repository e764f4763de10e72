//! Several services in this process as nodes on one database, in front of one platform stand-in.

mod acting;
mod certificates;
mod deadlines;
mod duties;
mod finding;
mod intake;
mod mcp;
mod moving;
mod names;
mod serving;
mod staged;
mod views;

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tertulia::service::{OpenedStore, Service};
use tertulia_emulator::Emulator;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{
    postgres::Database,
    running::{self, LOOK_EVERY, PATIENCE, Port, Running},
};

/// What the nodes know each other by.
const SECRET: &str = "what-only-the-nodes-of-these-tests-know";
/// Nodes know each other by their secret.
const BY_SECRET: &str = "secret = { env = \"NODE_SECRET\" }";
/// The names of the nodes, in their order.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Three bots that take no ring, so that tests say who takes part.
pub(crate) const BOTS: &str = r#"
[[connections]]
id = "bots-1"
account = "12345678"
role = "brand"
login = { username = "bot1", password = { env = "PASSWORD" } }
rings = "accept"
agent_state = "ONLINE"

[[connections]]
id = "bots-2"
account = "12345678"
role = "brand"
login = { username = "bot2", password = { env = "PASSWORD" } }
subscribe = { agents = "all" }

[[connections]]
id = "bots-3"
account = "12345678"
role = "brand"
login = { username = "bot3", password = { env = "PASSWORD" } }
subscribe = { agents = "all" }
"#;

/// Nodes that share a database.
pub(crate) struct Cluster {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) database: Database,
    sections: String,
    /// What the nodes know each other by.
    trust: String,
    /// The addresses at which the nodes listen to each other.
    ports: Vec<Port>,
    nodes: Vec<Option<Running>>,
}

impl Cluster {
    /// Starts `count` nodes with the same `sections`, and waits until the connections that they name run.
    pub(crate) async fn start(count: usize, sections: &str) -> Self {
        Self::start_with(count, sections, BY_SECRET).await
    }

    /// Starts nodes that know each other by `trust`.
    pub(crate) async fn start_with(count: usize, sections: &str, trust: &str) -> Self {
        let mut cluster = Self::prepare_with(count, sections, trust);
        for number in 0..count {
            cluster.begin(number).await;
        }
        cluster
    }

    /// An empty database and `count` nodes that do not run yet.
    pub(crate) fn prepare(count: usize, sections: &str) -> Self {
        Self::prepare_with(count, sections, BY_SECRET)
    }

    fn prepare_with(count: usize, sections: &str, trust: &str) -> Self {
        Self {
            emulator: Arc::new(running::emulator()),
            database: Database::new(),
            sections: sections.to_owned(),
            trust: trust.to_owned(),
            ports: (0..count).map(|_| Port::free()).collect(),
            nodes: (0..count).map(|_| None).collect(),
        }
    }

    /// The sections of a node that listens to others on `port`.
    fn sections_of(&self, number: usize, port: u16) -> String {
        format!(
            "{}\n[engine]\nkind = \"postgres\"\nurl = {{ env = \"DATABASE\" }}\nschema = {:?}\nlease = \"5s\"\n\
             [node]\nname = {:?}\nlisten = \"127.0.0.1:{}\"\n{}\n\
             seal = {{ env = \"NODE_SECRET\" }}\n",
            self.sections,
            self.database.schema(),
            NAMES[number],
            port,
            self.trust,
        )
    }

    /// Starts the node that does not run.
    pub(crate) async fn begin(&mut self, number: usize) {
        let sections = self.sections_of(number, self.ports[number].number);
        let (files, file) = running::configuration(&self.emulator, &sections);
        let configuration = Arc::new(running::read(&file, &self.secrets()));
        let opening = Arc::clone(&configuration);
        let opened = spawn_blocking(move || OpenedStore::open(&opening)).await.unwrap().unwrap();
        let service = Service::begin(&configuration, opened).unwrap();
        self.nodes[number] = Some(Running::of(service, Arc::clone(&self.emulator), files));
    }

    fn secrets(&self) -> [(&str, &str); 2] {
        [("DATABASE", self.database.url()), ("NODE_SECRET", SECRET)]
    }

    /// Lets a node read its configuration again, as after SIGHUP.
    pub(crate) async fn read_again(&self, number: usize) {
        let node = self.node(number);
        node.service.read_again(&node.file(), running::environment(&self.secrets())).await;
    }

    /// A node that runs.
    pub(crate) fn node(&self, number: usize) -> &Running {
        self.nodes[number].as_ref().unwrap()
    }

    /// Stops a node as an operator would: it hands over what it has.
    pub(crate) async fn stop(&mut self, number: usize) {
        self.nodes[number].take().unwrap().service.stop(PATIENCE).await;
    }

    /// Ends a node's right to act as its silence would, but at once: what it still does is refused.
    pub(crate) async fn fence(&mut self, number: usize) {
        self.fence_in_database(number).await;
        self.node(number).service.fenced().await;
        self.nodes[number].take().unwrap().service.stop(Duration::ZERO).await;
    }

    /// Fences a node in the database. The node learns of it with its next beat.
    pub(crate) async fn fence_in_database(&self, number: usize) {
        let (url, schema) = (self.database.url().to_owned(), self.database.schema().to_owned());
        let name = NAMES[number];
        let fenced = format!(
            "UPDATE beat SET ended = true WHERE node = '{name}'; UPDATE node SET fenced = true WHERE id = '{name}'"
        );
        spawn_blocking(move || Database::session_of(&url, &schema).run(&fenced)).await.unwrap();
    }

    /// Waits until every connection of `ids` is ready at some node, and returns the number of that node for each.
    pub(crate) async fn ready<const N: usize>(&self, ids: [&str; N]) -> [usize; N] {
        let mut found = [0; N];
        for (place, id) in found.iter_mut().zip(ids) {
            *place = self.holder(id).await;
        }
        found
    }

    /// Waits until a connection is ready at some node, and returns the number of that node.
    pub(crate) async fn holder(&self, id: &str) -> usize {
        let is_ready = |running: &Running| {
            running.service.tertulia().connection(&id.into()).status().is_some_and(|status| status.is_ready())
        };
        let waiting = async {
            loop {
                let holder = self.nodes.iter().position(|node| node.as_ref().is_some_and(is_ready));
                if let Some(holder) = holder {
                    return holder;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap()
    }

    /// Waits until a connection is ready at a certain node.
    pub(crate) async fn until_runs_at(&self, id: &str, node: usize) {
        let tertulia = self.node(node).service.tertulia();
        running::until(|| tertulia.connection(&id.into()).status().is_some_and(|status| status.is_ready())).await;
    }

    /// The number of a node that does not have a connection.
    pub(crate) fn other_than(&self, holder: usize) -> usize {
        (0..self.nodes.len()).find(|number| *number != holder && self.nodes[*number].is_some()).unwrap()
    }

    /// Asks a node until its answer is as wanted, and returns that answer; for a state that sends no notification.
    pub(crate) async fn until(&self, number: usize, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let answer = self.node(number).get(path).await;
                if is_so(&answer.json) {
                    return answer.json;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, asking).await.unwrap()
    }
}
