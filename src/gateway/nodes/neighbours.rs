//! This node among others, as the gateway needs it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::cluster::{ClusterView, Members, peers::NodeSecret};

/// This node among others, as the gateway needs it.
#[derive(Clone)]
pub(crate) struct Neighbours {
    /// Who the others are, and who has which duty.
    pub(crate) members: Arc<Members>,
    /// What nodes know each other by.
    pub(crate) secret: NodeSecret,
    /// Where this node listens to the others.
    pub(crate) listen: SocketAddr,
}

impl Neighbours {
    /// Waits until this node knows the others and what they have; `false` if it does not `within`. A node that has just
    /// joined knows nothing yet, and would call what another node has unknown.
    pub(super) async fn are_known(&self, within: Duration) -> bool {
        // Its duties are in the database when its own row says that it knows some.
        let has_announced = |view: &Arc<ClusterView>| view.nodes.get(&view.me).is_some_and(|own| own.about.knows > 0);
        timeout(within, self.members.view().wait_for(has_announced)).await.is_ok_and(|seen| seen.is_ok())
    }
}
