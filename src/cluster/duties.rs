//! Carries out this node's part of the plan: begins the connections that it is to run, and hands over those that it is not.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tertulia_actors::{
    StartError, Tertulia,
    core::{
        id::{ConnectionId, NodeId},
        placement::{Assignment, DutyName, DutySettings, HandOver, plan},
        tenure::Standing,
    },
};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{ClusterView, Holder, Members, NodeTableError};
use crate::fleet::Described;

/// How often the plan is made although the view has not changed, so that what failed is tried again.
const AGAIN_EVERY: Duration = Duration::from_secs(1);

/// A connection that this node can run.
#[derive(Clone)]
pub(crate) struct Runnable {
    /// What it is.
    pub(crate) described: Described,
    /// Which nodes may run it, and how much work it is.
    pub(crate) settings: DutySettings,
}

/// The duties of this node.
pub(crate) struct Duties {
    tertulia: Arc<Tertulia>,
    members: Arc<Members>,
    hint: Box<Hint>,
    state: Mutex<State>,
}

/// Lets the node at an address know that duties have changed.
type Hint = dyn Fn(String) + Send + Sync;

#[derive(Default)]
struct State {
    runnable: BTreeMap<ConnectionId, Runnable>,
    /// What this node has or is to take, by the newest plan.
    wanted: HashSet<DutyName>,
    /// Connections that are being handed over.
    leaving: BTreeSet<ConnectionId>,
}

/// Connections that another node may have added since.
pub(crate) type Discover = dyn Fn() -> futures_util::future::LocalBoxFuture<'static, Vec<(ConnectionId, Runnable)>>;

impl Duties {
    pub(crate) fn new(
        tertulia: Arc<Tertulia>,
        members: Arc<Members>,
        runnable: impl IntoIterator<Item = (ConnectionId, Runnable)>,
        hint: Box<Hint>,
    ) -> Arc<Self> {
        let state = State { runnable: runnable.into_iter().collect(), ..State::default() };
        Arc::new(Self { tertulia, members, hint, state: Mutex::new(state) })
    }

    /// Whether this node has or is to take a duty, by the newest plan.
    pub(crate) fn wants(&self, duty: &DutyName) -> bool {
        self.state().wanted.contains(duty)
    }

    /// Lets the other nodes know what this one can do.
    pub(crate) async fn announce(self: &Arc<Self>) -> Result<(), NodeTableError> {
        let known: BTreeMap<DutyName, DutySettings> = {
            let state = self.state();
            let connections = state.runnable.iter();
            let connections =
                connections.map(|(id, runnable)| (DutyName::Connection(id.clone()), runnable.settings.clone()));
            let others = [DutyName::Webhooks, DutyName::Bulk, DutyName::Housekeeping];
            connections.chain(others.map(|duty| (duty, DutySettings::default()))).collect()
        };
        let members = Arc::clone(&self.members);
        blocking("note the known duties", move || members.table().know(&known)).await?;
        self.members.say(|about| about.knows += 1);
        self.hint_all();
        Ok(())
    }

    /// Adds a connection that some node is to run.
    pub(crate) async fn add(self: &Arc<Self>, id: ConnectionId, runnable: Runnable) -> Result<(), NodeTableError> {
        self.state().runnable.insert(id, runnable);
        self.announce().await
    }

    /// Whether this node can run a connection.
    pub(crate) fn knows(&self, id: &ConnectionId) -> bool {
        self.state().runnable.contains_key(id)
    }

    /// Forgets a connection that exists no more. It has ended here.
    pub(crate) async fn remove(self: &Arc<Self>, id: &ConnectionId) -> Result<(), NodeTableError> {
        self.state().runnable.remove(id);
        let (members, duty) = (Arc::clone(&self.members), DutyName::Connection(id.clone()));
        blocking("remove a duty", move || members.table().remove(&duty)).await?;
        self.members.beat_now();
        Ok(())
    }

    /// Carries out each new plan, until the task is dropped. Must be called inside an actix system.
    pub(crate) fn run(self: &Arc<Self>, discover: Box<Discover>) -> AbortOnDropHandle<()> {
        let duties = Arc::clone(self);
        let task = actix_rt::spawn(async move {
            while let Err(error) = duties.announce().await {
                tracing::error!(%error, "what this node can do is not known to the others yet");
                sleep(AGAIN_EVERY).await;
            }
            let mut view = duties.members.view();
            loop {
                let newest = Arc::clone(&view.borrow_and_update());
                duties.carry_out(&newest);
                duties.learn(&newest, &*discover).await;
                // An error means that the node's beats have ended: it has no duties then.
                if matches!(timeout(AGAIN_EVERY, view.changed()).await, Ok(Err(_))) {
                    return;
                }
            }
        });
        AbortOnDropHandle::new(task)
    }

    /// Gives all connections to other nodes. Returns when none runs here, or after `within`.
    pub(crate) async fn drain(&self, within: Duration) {
        self.members.say(|about| about.is_draining = true);
        let deadline = Instant::now() + within;
        let mut view: watch::Receiver<_> = self.members.view();
        while !self.tertulia.connections().is_empty() && Instant::now() < deadline {
            let others = Arc::clone(&view.borrow_and_update());
            if others.peers().next().is_none() {
                return;
            }
            // An error means that the node's beats have ended: no other node learns that this one is draining.
            if matches!(timeout(AGAIN_EVERY, view.changed()).await, Ok(Err(_))) {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(self: &Arc<Self>, view: &ClusterView) {
        let is_mine = |assignment: &Assignment| matches!(assignment, Assignment::Held { by, .. } if *by == view.me);
        let duties = view.placement.duties.iter();
        let held = duties.filter(|(_, assignment)| is_mine(assignment)).map(|(duty, _)| duty.clone());
        let mut plan = plan(&view.placement, &view.me);
        // The other duties stay until the process ends: what they do is begun again by the next holder anyway.
        plan.hand_over.retain(|hand_over| matches!(hand_over.duty, DutyName::Connection(_)));
        let mut wanted: HashSet<DutyName> = held.collect();
        for hand_over in &plan.hand_over {
            wanted.remove(&hand_over.duty);
        }
        wanted.extend(plan.take);
        let may_begin = *self.members.tenure().standing().borrow() == Standing::Valid;
        let begin: Vec<(ConnectionId, Runnable)> = {
            let mut state = self.state();
            state.wanted = wanted;
            let State { runnable, wanted, leaving } = &*state;
            let connection = |duty: &DutyName| match duty {
                DutyName::Connection(id) if !leaving.contains(id) => Some(id.clone()),
                _ => None,
            };
            let here = wanted.iter().filter(|_| may_begin).filter_map(connection);
            here.filter_map(|id| Some((id.clone(), runnable.get(&id)?.clone()))).collect()
        };
        for (id, runnable) in begin {
            self.begin(&id, runnable.described);
        }
        for hand_over in plan.hand_over {
            self.hand_over(hand_over);
        }
        for id in self.tertulia.connections() {
            let duty = DutyName::Connection(id.clone());
            if let Holder::Other(node) = view.holder(&duty) {
                tracing::error!(connection = %id, %node, "another node runs this connection; it ends here");
                self.hand_over(HandOver { duty, to: None });
            }
        }
    }

    /// Begins a connection, unless it runs. Its actor takes the duty.
    fn begin(&self, id: &ConnectionId, described: Described) {
        if self.tertulia.connection(id).status().is_some() {
            return;
        }
        let begun = match described {
            Described::Socket(settings) => self.tertulia.connect(*settings),
            Described::Webhooks(settings) => self.tertulia.connect_intake(*settings),
        };
        match begun {
            Ok(_) => tracing::info!(connection = %id, "this node runs the connection"),
            Err(StartError::DuplicateConnection(_)) => {}
            Err(error) => tracing::error!(connection = %id, %error, "a connection cannot be begun"),
        }
    }

    /// Ends a connection here, so that the next node can begin it.
    fn hand_over(self: &Arc<Self>, HandOver { duty, to }: HandOver) {
        let DutyName::Connection(id) = &duty else { return };
        // It has ended here already; the duty is given back as soon as the database allows.
        if self.tertulia.connection(id).status().is_none() {
            return;
        }
        if !self.state().leaving.insert(id.clone()) {
            return;
        }
        let (duties, id) = (Arc::clone(self), id.clone());
        actix_rt::spawn(async move {
            tracing::info!(connection = %id, to = to.as_ref().map(NodeId::as_str), "handing a connection over");
            if let Some(to) = to.clone() {
                let (members, duty) = (Arc::clone(&duties.members), duty.clone());
                let destined = blocking("move a duty", move || members.table().destine(&duty, Some(&to))).await;
                if let Err(error) = destined {
                    tracing::warn!(connection = %id, %error, "the next node of a connection cannot be noted");
                }
            }
            duties.tertulia.connection(&id).disconnect().await;
            duties.state().leaving.remove(&id);
            duties.members.beat_now();
            duties.hint_all();
        });
    }

    /// Lets the other nodes know that duties have changed. They would notice with their next beats.
    fn hint_all(&self) {
        let view = Arc::clone(&self.members.view().borrow());
        view.peers().for_each(|peer| (self.hint)(peer.about.address.clone()));
    }

    /// Learns of connections that other nodes have added.
    async fn learn(self: &Arc<Self>, view: &ClusterView, discover: &Discover) {
        let is_unknown = |duty: &DutyName| matches!(duty, DutyName::Connection(id) if !self.knows(id));
        if !view.placement.duties.keys().any(is_unknown) {
            return;
        }
        let found: Vec<_> = discover().await.into_iter().filter(|(id, _)| !self.knows(id)).collect();
        if found.is_empty() {
            return;
        }
        self.state().runnable.extend(found);
        if let Err(error) = self.announce().await {
            tracing::warn!(%error, "a connection that another node added is not known to be runnable here");
        }
    }
}

/// Calls the database on a thread that may block.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    call: impl FnOnce() -> Result<T, NodeTableError> + Send + 'static,
) -> Result<T, NodeTableError> {
    let unavailable =
        |error: tokio::task::JoinError| NodeTableError::Unavailable { operation, reason: error.to_string() };
    spawn_blocking(call).await.map_err(unavailable)?
}
