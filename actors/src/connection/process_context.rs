//! What all connections of a process share.

use std::sync::Arc;

use crate::{
    conversation::Directory,
    dead_letters::DeadLetters,
    engine::Leases,
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
    /// Where events go.
    pub routing: Arc<RoutingTable>,
    /// Where notifications go as they came.
    pub notifications: Arc<NotificationTable>,
    /// Who can be reached.
    pub directory: Arc<Directory>,
    /// Who may log in.
    pub leases: Arc<dyn Leases>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How actors are restarted and given up.
    pub supervision: Arc<SupervisionSettings>,
    /// Where what could not be handled goes.
    pub dead_letters: Arc<DeadLetters>,
}
