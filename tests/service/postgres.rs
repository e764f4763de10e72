//! Databases for tests: one server for all tests that run at the same time, and a schema for each test.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tertulia::{
    cluster::NodeAbout,
    config::PostgresEngine,
    demo::TemporaryPostgres,
    engine::postgres::{self, PostgresParts},
};
use tertulia_actors::core::{id::NodeId, tenure::LeaseDuration};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

/// The pause between looks for a condition.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(60);

/// The address of a server that others started and will stop.
const SERVER: &str = "TERTULIA_TEST_DATABASE";

/// An empty database.
pub(crate) struct Database {
    url: String,
    schema: String,
    /// Stopped when no test needs it any more.
    _server: Option<Arc<TemporaryPostgres>>,
}

impl Database {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (url, server) = match std::env::var(SERVER) {
            Ok(url) => (url, None),
            Err(_) => {
                let server = server();
                (server.url(), Some(server))
            }
        };
        let schema = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { url, schema, _server: server }
    }

    /// The configuration of a node's engine.
    pub(crate) fn engine(&self) -> PostgresEngine {
        engine(&self.url, &self.schema)
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The name of the schema.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// A session of nobody's node.
    pub(crate) fn session(&self) -> Session {
        Self::session_of(&self.url, &self.schema)
    }

    /// The same, where the database itself cannot be lent.
    pub(crate) fn session_of(url: &str, schema: &str) -> Session {
        Session::open(url, schema)
    }

    /// An empty database on a server that the test stops.
    pub(crate) fn on(server: &TemporaryPostgres) -> Self {
        Self { url: server.url(), schema: "test".to_owned(), _server: None }
    }

    /// Joins as a node.
    pub(crate) fn join(&self, name: &str) -> PostgresParts {
        postgres::open(&self.engine(), &NodeId::from(name), &about()).unwrap()
    }
}

/// The configuration of a node's engine.
pub(crate) fn engine(url: &str, schema: &str) -> PostgresEngine {
    PostgresEngine { url: url.into(), schema: schema.to_owned(), lease: LeaseDuration::default() }
}

/// A session for statements that no node makes.
pub(crate) struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    fn open(url: &str, schema: &str) -> Self {
        // One thread drives the connection while the test does something else.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls)).unwrap();
        runtime.spawn(connection);
        let session = Self { runtime, client };
        session.run(&format!("SET search_path TO {schema}"));
        session
    }

    /// Runs statements without a result.
    pub(crate) fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    /// Reads the only column of the only row.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(sql, &[])).unwrap().get(0)
    }

    /// Whether a session waits for a lock that this session has.
    pub(crate) fn has_waiter(&self) -> bool {
        self.number(
            "SELECT count(*) FROM pg_locks l WHERE NOT l.granted AND pg_backend_pid() = ANY(pg_blocking_pids(l.pid))",
        ) > 0
    }

    /// Returns when a session waits for a lock that this session has.
    pub(crate) fn await_waiter(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_waiter() {
            assert!(Instant::now() < deadline, "no session waits");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether a session waits for one that waits for this session.
    pub(crate) fn has_second_waiter(&self) -> bool {
        self.number(
            "SELECT count(*) FROM pg_locks l, unnest(pg_blocking_pids(l.pid)) first \
             WHERE NOT l.granted AND pg_backend_pid() = ANY(pg_blocking_pids(first))",
        ) > 0
    }
}

/// What a node of a test says about itself.
pub(crate) fn about() -> NodeAbout {
    NodeAbout {
        address: "127.0.0.1:1".to_owned(),
        version: "0.1.0".to_owned(),
        since: 0,
        capacity: 1_000,
        labels: [].into(),
        is_draining: false,
        knows: 0,
        connections: 0,
        conversations: 0,
    }
}

fn server() -> Arc<TemporaryPostgres> {
    static RUNNING: Mutex<Weak<TemporaryPostgres>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let server = Arc::new(TemporaryPostgres::start().unwrap());
        *running = Arc::downgrade(&server);
        server
    })
}
