//! The policies of supervision.

use std::sync::Arc;

use super::{restart::RestartPolicy, systemic::SystemicPolicy};
use crate::dead_letters::DeadLetterLimits;

/// How each kind of actor is restarted and given up, and how many dead letters are kept.
#[derive(Debug, Clone, Default)]
pub struct SupervisionSettings {
    /// For a conversation; when it is given up, it is quarantined.
    pub conversation: Arc<RestartPolicy>,
    /// For a connection; when it is given up, its state is `failed`.
    pub connection: Arc<RestartPolicy>,
    /// For a subscriber; when it is given up, it ends, and its sink is informed.
    pub subscriber: Arc<RestartPolicy>,
    /// For the fleet's own actor.
    pub fleet: Arc<RestartPolicy>,
    /// When conversations that fail together count as a fault of their connection.
    pub systemic: SystemicPolicy,
    /// Limits on the dead letters kept.
    pub dead_letters: DeadLetterLimits,
}
