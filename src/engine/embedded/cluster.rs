//! A service with a store of its own: it has every duty, and shares only logins with other processes of this machine.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tertulia_actors::{
    core::placement::{Acting, DutyName},
    engine::{Cluster, ClusterError, Lease, LeaseError, LoginName, Store, Tenure},
};

use super::{EmbeddedStore, FileLeases};

/// The cluster of an [`EmbeddedStore`]: its process alone. Logins are locked for the whole machine.
pub struct EmbeddedCluster {
    duties: Arc<dyn Cluster>,
    leases: FileLeases,
}

impl EmbeddedCluster {
    /// Returns the cluster of `store`, which claims logins in `leases`.
    #[must_use]
    pub fn new(store: &EmbeddedStore, leases: FileLeases) -> Self {
        Self { duties: store.cluster(), leases }
    }
}

impl Cluster for EmbeddedCluster {
    fn tenure(&self) -> Tenure {
        self.duties.tenure()
    }

    fn take(&self, duty: DutyName) -> BoxFuture<'_, Result<Acting, ClusterError>> {
        self.duties.take(duty)
    }

    fn hand_back<'a>(&'a self, acting: &'a Acting) -> BoxFuture<'a, ()> {
        self.duties.hand_back(acting)
    }

    fn claim<'a>(&'a self, _: &'a Acting, login: LoginName) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        self.leases.acquire(login)
    }
}
