//! This process as a node: its beats and its duties.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use serde_json::Value;
use tertulia_actors::{
    Tertulia,
    core::{id::ConnectionId, placement::DutyName, tenure::LeaseDuration},
    engine::Tenure,
};
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::ServiceError;
use crate::{
    bulk::{Bulk, Connections},
    cluster::{ClusterConnections, Duties, Members, NodeAbout, Runnable, Work, peers, trust::NodeTrust},
    config::{self, Admissible, Configuration, Environment},
    engine::postgres::{PostgresCluster, PostgresNodes},
    fleet::{AddedConnections, describe},
    gateway::Neighbours,
    webhooks::Webhooks,
};

/// How long leaving the cluster may take. A node that did not leave is fenced after a lease.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);
/// How often a node counts its load, which its next beat says.
const LOAD_EVERY: Duration = Duration::from_secs(1);

/// A node that has joined, before its connections exist.
pub(super) struct JoinedNode {
    pub(super) nodes: Arc<PostgresNodes>,
    pub(super) cluster: Arc<PostgresCluster>,
    pub(super) tenure: Tenure,
    pub(super) lease: LeaseDuration,
    pub(super) about: NodeAbout,
    pub(super) trust: NodeTrust,
    pub(super) listen: SocketAddr,
}

/// A node that beats and does its duties.
pub(super) struct RunningNode {
    members: Arc<Members>,
    pub(super) neighbours: Neighbours,
    pub(super) duties: Arc<Duties>,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) bulk: Arc<Bulk>,
    work: Option<AbortOnDropHandle<()>>,
    _load: AbortOnDropHandle<()>,
}

impl JoinedNode {
    pub(super) fn start(
        self,
        tertulia: &Arc<Tertulia>,
        prepare: impl FnOnce(Arc<dyn Connections>) -> Arc<Webhooks>,
        configuration: &Configuration,
        added: &[Value],
    ) -> Result<RunningNode, ServiceError> {
        let Self { nodes, cluster, tenure, lease, about, trust, listen } = self;
        let members = Members::start(nodes, tenure, lease, about).map_err(ServiceError::Thread)?;
        let own = configuration.connections.iter().map(|connection| {
            let runnable = Runnable { described: describe(connection), settings: connection.nodes.clone() };
            (ConnectionId::from(connection.id.as_str()), runnable)
        });
        let admissible = configuration.gateway.admissible.clone();
        let known: Vec<_> = runnable(added, &admissible).into_iter().chain(own).collect();
        let hint = {
            let trust = trust.clone();
            move |address: String| -> LocalBoxFuture<'static, ()> {
                let trust = trust.clone();
                async move { peers::hint(&address, &trust).await }.boxed_local()
            }
        };
        let connections = ClusterConnections::new(Arc::clone(tertulia), Arc::clone(&members), trust.clone());
        let webhooks = prepare(Arc::<ClusterConnections>::clone(&connections));
        let bulk = Bulk::among(Arc::clone(tertulia), connections);
        let works: BTreeMap<DutyName, Arc<dyn Work>> =
            [(DutyName::Webhooks, Arc::clone(&webhooks) as Arc<dyn Work>), (DutyName::Bulk, Arc::clone(&bulk) as _)]
                .into();
        let duties = Duties::new(Arc::clone(tertulia), Arc::clone(&members), works, known, Box::new(hint));
        let plan = Arc::downgrade(&duties);
        cluster.obey(Arc::new(move |duty| plan.upgrade().is_some_and(|duties| duties.wants(duty))));
        let journal = Arc::clone(tertulia.journal());
        let discover = move || -> LocalBoxFuture<'static, Vec<(ConnectionId, Runnable)>> {
            let (journal, admissible) = (Arc::clone(&journal), admissible.clone());
            Box::pin(async move {
                match journal.read(AddedConnections::kept).await {
                    Ok(added) => runnable(&added, &admissible),
                    Err(error) => {
                        tracing::warn!(%error, "connections that other nodes added cannot be read");
                        Vec::new()
                    }
                }
            })
        };
        let work = duties.run(Box::new(discover));
        let neighbours = Neighbours::new(Arc::clone(&members), Arc::clone(&duties), trust, listen);
        let load = note_load(Arc::downgrade(tertulia), Arc::clone(&members));
        Ok(RunningNode { members, neighbours, duties, webhooks, bulk, work: Some(work), _load: load })
    }
}

/// Keeps what this node says about its load up to date.
fn note_load(tertulia: Weak<Tertulia>, members: Arc<Members>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(actix_rt::spawn(async move {
        while let Some(tertulia) = tertulia.upgrade() {
            let metrics = tertulia.metrics();
            let conversations = metrics.conversations.get() + metrics.conversations_asleep.get();
            members.note(|about| {
                about.connections = tertulia.connections().len() as u64;
                about.conversations = u64::try_from(conversations).unwrap_or_default();
            });
            drop(tertulia);
            sleep(LOAD_EVERY).await;
        }
    }))
}

/// Those of the added connections that this node can run.
fn runnable(added: &[Value], admissible: &Admissible) -> Vec<(ConnectionId, Runnable)> {
    let environment = Environment::of_process();
    added.iter().filter_map(|definition| AddedConnections::runnable(definition, &environment, admissible)).collect()
}

impl RunningNode {
    /// What this node and the others know each other by.
    pub(super) fn trust(&self) -> NodeTrust {
        self.neighbours.trust.clone()
    }

    /// Gives all duties to other nodes, at most `within`, and begins none from then on.
    pub(super) async fn drain(&mut self, within: Duration) {
        self.duties.drain(within).await;
        self.work = None;
    }

    /// Ends this node's tenure, so that its duties are free at once.
    pub(super) async fn leave(self) {
        let members = Arc::clone(&self.members);
        drop(self);
        let leaving = spawn_blocking(move || {
            // A beat after the end of the tenure would find it fenced.
            members.stop();
            if let Err(error) = members.table().leave() {
                tracing::warn!(%error, "this node could not leave; it will be fenced");
            }
        });
        if timeout(LEAVE_WITHIN, leaving).await.is_err() {
            tracing::warn!("leaving took too long; this node will be fenced");
        }
    }
}

/// What a node says about itself.
pub(super) fn about(node: &config::Node) -> NodeAbout {
    NodeAbout {
        address: node.advertise.clone().unwrap_or_else(|| node.listen.to_string()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: jiff::Timestamp::now().as_millisecond(),
        capacity: node.capacity.thousandths(),
        labels: node.labels.clone(),
        is_draining: false,
        knows: 0,
        connections: 0,
        conversations: 0,
    }
}
