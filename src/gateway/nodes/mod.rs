//! A gateway of several: any node serves any client.
//!
//! A request that concerns a connection goes to the node that runs it, with the same path, headers and body (`forward`).
//! Which requests those are follows from their paths (`class`). Nodes speak with each other on a listener of their own
//! (`door`), where they show the secret that they share, and act for the caller that the first node has admitted.

mod class;
mod door;
mod forward;
mod merge;
mod rows;

use std::{net::SocketAddr, sync::Arc};

pub(super) use door::{ForCaller, listen};
pub(super) use forward::forward;
pub(super) use rows::routes;

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
}
