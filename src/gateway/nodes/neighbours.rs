//! This node among others, as the gateway needs it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{forwarded::ForwardMetrics, places::Places};
use crate::cluster::{ClusterView, Duties, Members, trust::NodeTrust};

/// This node among others, as the gateway needs it.
#[derive(Clone)]
pub(crate) struct Neighbours {
    /// Who the others are, and who has which duty.
    pub(crate) members: Arc<Members>,
    /// What this node can do.
    pub(in crate::gateway) duties: Arc<Duties>,
    /// What nodes know each other by.
    pub(crate) trust: NodeTrust,
    /// Where this node listens to the others.
    pub(crate) listen: SocketAddr,
    /// Where conversations were found.
    pub(super) places: Arc<Places>,
    /// Counts the requests to the others.
    pub(in crate::gateway) forwarded: ForwardMetrics,
}

impl Neighbours {
    pub(crate) fn new(members: Arc<Members>, duties: Arc<Duties>, trust: NodeTrust, listen: SocketAddr) -> Self {
        Self { members, duties, trust, listen, places: Arc::default(), forwarded: ForwardMetrics::default() }
    }

    /// The nodes and duties as last seen.
    pub(in crate::gateway) fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.members.view().borrow())
    }

    /// Whether this node knows the others and what they have.
    pub(in crate::gateway) fn are_known_now(&self) -> bool {
        has_announced(&self.view())
    }

    /// Waits until this node knows the others and what they have; `false` if it does not `within`. A node that has just
    /// joined knows nothing yet, and would call what another node has unknown.
    pub(super) async fn are_known(&self, within: Duration) -> bool {
        timeout(within, self.members.view().wait_for(|view| has_announced(view))).await.is_ok_and(|seen| seen.is_ok())
    }
}

/// Whether this node's duties are in the database: its own row says that it knows some.
fn has_announced(view: &ClusterView) -> bool {
    view.nodes.get(&view.me).is_some_and(|own| own.about.knows > 0)
}
