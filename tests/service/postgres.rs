//! Databases for tests: one server for all tests that run at the same time, and a schema for each test.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use tertulia::{
    cluster::NodeAbout,
    config::PostgresEngine,
    demo::TemporaryPostgres,
    engine::postgres::{self, PostgresParts},
};
use tertulia_actors::core::{id::NodeId, tenure::LeaseDuration};

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

    /// Joins as a node.
    pub(crate) fn join(&self, name: &str) -> PostgresParts {
        postgres::open(&self.engine(), &NodeId::from(name), &about()).unwrap()
    }
}

/// The configuration of a node's engine.
pub(crate) fn engine(url: &str, schema: &str) -> PostgresEngine {
    PostgresEngine { url: url.into(), schema: schema.to_owned(), lease: LeaseDuration::default() }
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
