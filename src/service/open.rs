//! Opens what the service keeps its data in.

use std::sync::Arc;

use serde_json::Value;
use tertulia_actors::{
    core::id::NodeId,
    engine::{Cluster, Store, StoreError},
};

use super::{ServiceError, node::JoinedNode, retention};
use crate::{
    cluster::trust::NodeTrust,
    config::{Configuration, EmbeddedEngine, EngineKind, Node, PostgresEngine},
    engine::{
        embedded::{EmbeddedCluster, EmbeddedStore, FileLeases},
        postgres,
    },
    fleet::AddedConnections,
};

/// An opened store, and this process among those that share it.
pub struct OpenedStore {
    pub(super) store: Arc<dyn Store>,
    pub(super) cluster: Arc<dyn Cluster>,
    /// The definitions of added connections.
    pub(super) added: Vec<Value>,
    pub(super) joined: Option<JoinedNode>,
}

impl OpenedStore {
    /// Opens the store of `configuration`. Blocks; a node whose predecessor of the same name did not leave waits a lease.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn open(configuration: &Configuration) -> Result<Self, ServiceError> {
        match (&configuration.engine.kind, &configuration.node) {
            (EngineKind::Postgres(engine), Some(node)) => Self::join(engine, node),
            (EngineKind::Postgres(_), None) => Err(ServiceError::NoNode),
            (EngineKind::Embedded(engine), _) => Self::embedded(engine, configuration),
        }
    }

    fn embedded(engine: &EmbeddedEngine, configuration: &Configuration) -> Result<Self, ServiceError> {
        let EmbeddedEngine { path, leases } = engine;
        let store = EmbeddedStore::open_keeping(path, retention(&configuration.engine))?;
        let added = AddedConnections::kept(&store)?;
        let leases = FileLeases::new(leases.clone().unwrap_or_else(FileLeases::default_directory));
        let cluster = Arc::new(EmbeddedCluster::new(&store, leases));
        Ok(Self { store: Arc::new(store), cluster, added, joined: None })
    }

    fn join(engine: &PostgresEngine, node: &Node) -> Result<Self, ServiceError> {
        let name = node.name.clone().unwrap_or_else(random_name);
        let about = super::node::about(node);
        // A thread of its own, because the sessions to the database have their own runtimes, and this may be the thread of
        // another.
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| {
                let parts = postgres::open(engine, &name, &about)?;
                // As temporary as an answer that is missing before: the process must not end because of it.
                let unreachable = |error: StoreError| postgres::OpenError::Unreachable { reason: error.to_string() };
                let added = AddedConnections::kept(&*parts.store).map_err(unreachable)?;
                Ok::<_, ServiceError>((parts, added))
            });
            opening.join()
        });
        let (parts, added) = opened.unwrap_or(Err(ServiceError::Panicked))?;
        let postgres::PostgresParts { store, nodes, cluster, tenure } = parts;
        let trust = NodeTrust::new(node.secret.as_ref(), node.tls.as_ref())?;
        let joined = JoinedNode {
            nodes,
            cluster: Arc::clone(&cluster),
            tenure,
            lease: engine.lease,
            about,
            trust,
            listen: node.listen,
        };
        Ok(Self { store, cluster, added, joined: Some(joined) })
    }
}

/// The host's name and a random suffix.
fn random_name() -> NodeId {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String = host.trim().chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    let host = if plain.is_empty() { "node" } else { plain.get(..40).unwrap_or(&plain) };
    NodeId::from(format!("{host}-{:06x}", rand::random::<u32>() & 0xff_ffff).as_str())
}
