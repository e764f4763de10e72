//! Every policy of supervision in one place.

use std::sync::Arc;

use super::{restart::RestartPolicy, systemic::SystemicPolicy};
use crate::dead_letters::DeadLetterLimits;

/// How each kind of actor is restarted and given up, and how much is kept of what could not be handled.
#[derive(Debug, Clone, Default)]
pub struct SupervisionSettings {
    /// Of a conversation; one that is given up is quarantined.
    pub conversation: Arc<RestartPolicy>,
    /// Of a connection; one that is given up has failed.
    pub connection: Arc<RestartPolicy>,
    /// Of a subscriber; one that is given up ends, and its sink is told.
    pub subscriber: Arc<RestartPolicy>,
    /// Of the fleet's own actor.
    pub fleet: Arc<RestartPolicy>,
    /// When conversations that fail together are their connection's fault.
    pub systemic: SystemicPolicy,
    /// How much is kept of what could not be handled.
    pub dead_letters: DeadLetterLimits,
}
