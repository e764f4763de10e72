//! What all connections of a process share.

use std::sync::Arc;

use crate::{
    conversation::Directory,
    dead_letters::DeadLetters,
    engine::{Cluster, Journal, RecordSeal},
    frame_window::FrameBudget,
    log::Log,
    metrics::Metrics,
    platform::Platform,
    subscriber::{NotificationTable, RoutingTable},
    supervision::SupervisionSettings,
};

/// What all connections of a process share.
#[derive(Clone)]
pub(crate) struct ProcessContext {
    /// The platform.
    pub platform: Arc<Platform>,
    /// The access to the store.
    pub journal: Arc<Journal>,
    /// Appends events to the journal and offers them to subscribers.
    pub log: Arc<Log>,
    /// The subscribers of events.
    pub routing: Arc<RoutingTable>,
    /// Routes raw notifications to subscribers.
    pub notifications: Arc<NotificationTable>,
    /// The conversations of the process, by connection and id.
    pub directory: Arc<Directory>,
    /// Limits what all connections have read and not handled.
    pub unhandled: Arc<FrameBudget>,
    /// Assigns connections and logins to the processes that share the store.
    pub cluster: Arc<dyn Cluster>,
    /// Encrypts secrets in the store, if there is a seal.
    pub seal: Option<Arc<dyn RecordSeal>>,
    /// The counters of the process.
    pub metrics: Arc<Metrics>,
    /// How actors are restarted and given up.
    pub supervision: Arc<SupervisionSettings>,
    /// Keeps what could not be handled.
    pub dead_letters: Arc<DeadLetters>,
}
