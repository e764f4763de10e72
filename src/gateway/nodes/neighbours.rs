//! This node among others, as the gateway needs it.

use std::{net::SocketAddr, sync::Arc};

use super::forwarded::ForwardMetrics;
use crate::cluster::{Members, peers::NodeSecret};

/// This node among others, as the gateway needs it.
#[derive(Clone)]
pub(crate) struct Neighbours {
    /// Who the others are, and who has which duty.
    pub(crate) members: Arc<Members>,
    /// What nodes know each other by.
    pub(crate) secret: NodeSecret,
    /// Where this node listens to the others.
    pub(crate) listen: SocketAddr,
    /// Counts the requests to the others.
    pub(in crate::gateway) forwarded: ForwardMetrics,
}

impl Neighbours {
    pub(crate) fn new(members: Arc<Members>, secret: NodeSecret, listen: SocketAddr) -> Self {
        Self { members, secret, listen, forwarded: ForwardMetrics::default() }
    }
}
