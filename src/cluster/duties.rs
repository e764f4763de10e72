//! Carries out this node's part of the plan: begins the duties that it is to do, and hands over those that it is not.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{LocalBoxFuture, join_all};
use tertulia_actors::{
    StartError, Tertulia,
    core::{
        id::{ConnectionId, NodeId},
        placement::{Acting, Assignment, DutyName, DutySettings, HandOver, plan},
        tenure::Standing,
    },
    engine::Tenure,
};
use tokio::{
    sync::{Notify, watch},
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{ClusterView, Holder, Members, NodeTableError, Work, learning::Learning};
use crate::fleet::Described;

/// How often the plan is made although the view has not changed, so that what failed is tried again.
const AGAIN_EVERY: Duration = Duration::from_secs(1);
/// How long what is under way for a duty that leaves may take. Afterwards it is dropped, and the next node repeats it.
const END_WITHIN: Duration = Duration::from_secs(5);

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
    /// The work of the duties that are no connections.
    works: BTreeMap<DutyName, Arc<dyn Work>>,
    hint: Box<Hint>,
    /// Signals that the other nodes are to know that duties have changed.
    changed: Notify,
    state: Mutex<State>,
}

/// Lets the node at an address know that duties have changed.
type Hint = dyn Fn(String) -> LocalBoxFuture<'static, ()> + Send + Sync;

#[derive(Default)]
struct State {
    runnable: BTreeMap<ConnectionId, Runnable>,
    /// What this node has or is to take, by the newest plan.
    wanted: HashSet<DutyName>,
    /// Duties that are being handed over.
    leaving: BTreeSet<DutyName>,
}

/// Connections that another node may have added since.
pub(crate) type Discover = dyn Fn() -> LocalBoxFuture<'static, Vec<(ConnectionId, Runnable)>>;

impl Duties {
    pub(crate) fn new(
        tertulia: Arc<Tertulia>,
        members: Arc<Members>,
        works: BTreeMap<DutyName, Arc<dyn Work>>,
        runnable: impl IntoIterator<Item = (ConnectionId, Runnable)>,
        hint: Box<Hint>,
    ) -> Arc<Self> {
        let state = State { runnable: runnable.into_iter().collect(), ..State::default() };
        Arc::new(Self { tertulia, members, works, hint, changed: Notify::new(), state: Mutex::new(state) })
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
        self.changed.notify_one();
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

    /// What a connection is that this node can run.
    pub(crate) fn described(&self, id: &ConnectionId) -> Option<Described> {
        self.state().runnable.get(id).map(|runnable| runnable.described.clone())
    }

    /// The connections that this node can run and that no node runs at the moment.
    pub(crate) fn unheld(&self) -> Vec<(ConnectionId, Described)> {
        let view = Arc::clone(&self.members.view().borrow());
        let is_unheld = |id: &ConnectionId| {
            let holder = view.holder(&DutyName::Connection(id.clone()));
            holder == Holder::Nobody && self.tertulia.connection(id).status().is_none()
        };
        let state = self.state();
        let unheld = state.runnable.iter().filter(|(id, _)| is_unheld(id));
        unheld.map(|(id, runnable)| (id.clone(), runnable.described.clone())).collect()
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
        AbortOnDropHandle::new(actix_rt::spawn(async move { duties.carry_out_all(&*discover).await }))
    }

    /// Carries out each new plan. Dropping the future ends everything that it has begun.
    async fn carry_out_all(self: &Arc<Self>, discover: &Discover) {
        let (mut leaving, mut hints) = (JoinSet::new(), JoinSet::new());
        let (mut learning, mut is_announced) = (Learning::default(), false);
        let mut view = self.members.view();
        loop {
            if !is_announced {
                let announced = self.announce().await;
                is_announced = announced.is_ok();
                if let Err(error) = announced {
                    tracing::error!(%error, "what this node can do is not known to the others yet");
                }
            }
            let newest = Arc::clone(&view.borrow_and_update());
            self.share_pace(&newest);
            self.carry_out(&newest, &mut leaving);
            if learning.is_due(self.unknown(&newest), Tenure::now()) && self.learn(discover).await {
                is_announced = false;
                continue;
            }
            let again = sleep(AGAIN_EVERY);
            tokio::pin!(again);
            loop {
                tokio::select! {
                    changed = view.changed() => match changed {
                        Ok(()) => break,
                        // The node's beats have ended: it has no duties then.
                        Err(_) => return,
                    },
                    () = &mut again => break,
                    Some(_) = leaving.join_next() => {}
                    Some(_) = hints.join_next() => {}
                    () = self.changed.notified(), if hints.is_empty() => {
                        drop(hints.spawn_local(self.hint_all()));
                    }
                }
            }
        }
    }

    /// Gives all duties to other nodes. Returns when this node has none, or after `within`.
    pub(crate) async fn drain(&self, within: Duration) {
        self.members.say(|about| about.is_draining = true);
        let deadline = Instant::now() + within;
        let mut view: watch::Receiver<_> = self.members.view();
        loop {
            let newest = Arc::clone(&view.borrow_and_update());
            if !self.has_duties(&newest) || newest.peers().next().is_none() || Instant::now() >= deadline {
                return;
            }
            // An error means that the node's beats have ended: no other node learns that this one is draining.
            if matches!(timeout(AGAIN_EVERY, view.changed()).await, Ok(Err(_))) {
                return;
            }
        }
    }

    /// Whether this node has a duty, or does the work of one.
    fn has_duties(&self, view: &ClusterView) -> bool {
        let is_mine = |assignment: &Assignment| matches!(assignment, Assignment::Held { by, .. } if *by == view.me);
        view.placement.duties.values().any(is_mine)
            || !self.tertulia.connections().is_empty()
            || self.works.values().any(|work| work.is_begun())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Limits this node to its share of the pace of logins.
    fn share_pace(&self, view: &ClusterView) {
        let valid = view.placement.nodes.values().filter(|node| node.standing == Standing::Valid).count();
        let nodes = u32::try_from(valid).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        self.tertulia.platform().share_pace(nodes);
    }

    fn carry_out(self: &Arc<Self>, view: &ClusterView, tasks: &mut JoinSet<()>) {
        let is_mine = |assignment: &Assignment| matches!(assignment, Assignment::Held { by, .. } if *by == view.me);
        let duties = view.placement.duties.iter();
        let held = duties.filter(|(_, assignment)| is_mine(assignment)).map(|(duty, _)| duty.clone());
        let plan = plan(&view.placement, &view.me);
        let mut wanted: HashSet<DutyName> = held.collect();
        for hand_over in &plan.hand_over {
            wanted.remove(&hand_over.duty);
        }
        wanted.extend(plan.take);
        let may_begin = *self.members.tenure().standing().borrow() == Standing::Valid;
        let begin: Vec<DutyName> = {
            let mut state = self.state();
            state.wanted = wanted;
            let here = state.wanted.iter().filter(|duty| may_begin && !state.leaving.contains(*duty));
            here.cloned().collect()
        };
        for duty in begin {
            self.begin(&duty);
        }
        for hand_over in plan.hand_over {
            self.hand_over(hand_over, tasks);
        }
        for duty in self.done_elsewhere(view) {
            self.hand_over(HandOver { duty, to: None }, tasks);
        }
    }

    /// What this node still does although another node has the duty or is to have it.
    fn done_elsewhere(&self, view: &ClusterView) -> Vec<DutyName> {
        let state = self.state();
        let connections = self.tertulia.connections().into_iter().map(DutyName::Connection);
        let is_elsewhere = |duty: &DutyName| {
            let Holder::Other(node) = view.holder(duty) else { return false };
            tracing::error!(%duty, %node, "another node has this duty; it ends here");
            true
        };
        let stays = connections.filter(|duty| !state.leaving.contains(duty));
        let mut found: Vec<DutyName> = stays.filter(is_elsewhere).collect();
        let begun = self.works.iter().filter(|(duty, work)| work.is_begun() && !state.wanted.contains(*duty));
        found.extend(begun.map(|(duty, _)| duty.clone()));
        found
    }

    fn begin(&self, duty: &DutyName) {
        if let DutyName::Connection(id) = duty {
            let runnable = self.state().runnable.get(id).cloned();
            if let Some(runnable) = runnable {
                self.begin_connection(id, runnable.described);
            }
        } else if let Some(work) = self.works.get(duty).filter(|work| !work.is_begun()) {
            tracing::info!(%duty, "this node does the duty");
            work.begin();
        }
    }

    /// Begins a connection, unless it runs. Its actor takes the duty.
    fn begin_connection(&self, id: &ConnectionId, described: Described) {
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

    /// Ends a duty here, so that the next node can begin it. The task has `leaving` as its owner, and there is at most one for
    /// each duty.
    fn hand_over(self: &Arc<Self>, HandOver { duty, to }: HandOver, leaving: &mut JoinSet<()>) {
        // A connection that has ended here gives its duty back as soon as its writes are kept and the database allows it.
        let has_ended = matches!(&duty, DutyName::Connection(id) if self.tertulia.connection(id).status().is_none());
        if !has_ended && self.state().leaving.insert(duty.clone()) {
            let duties = Arc::clone(self);
            leaving.spawn_local(async move { duties.end(&duty, to).await });
        }
    }

    async fn end(&self, duty: &DutyName, to: Option<NodeId>) {
        tracing::info!(%duty, to = to.as_ref().map(NodeId::as_str), "handing a duty over");
        if let Some(to) = to.filter(|to| !self.is_destined(duty, to)) {
            let (members, destined) = (Arc::clone(&self.members), duty.clone());
            let destining = blocking("move a duty", move || members.table().destine(&destined, Some(&to)));
            if let Err(error) = destining.await {
                tracing::warn!(%duty, %error, "the next node of a duty cannot be noted");
            }
        }
        match (duty, self.works.get(duty)) {
            (DutyName::Connection(id), _) => self.tertulia.connection(id).disconnect().await,
            (_, Some(work)) => {
                work.end(END_WITHIN).await;
                self.give_back(duty).await;
            }
            // Its holder gives it back when the plan does not want it here.
            (_, None) => {}
        }
        self.state().leaving.remove(duty);
        self.members.beat_now();
        self.changed.notify_one();
    }

    /// Whether the next node of a duty is noted already.
    fn is_destined(&self, duty: &DutyName, to: &NodeId) -> bool {
        let view = Arc::clone(&self.members.view().borrow());
        matches!(view.placement.duties.get(duty), Some(Assignment::Held { next: Some(next), .. }) if next == to)
    }

    /// Gives a duty back that has ended here, unless that is done. It is tried until the database answers, while this node
    /// has a tenure.
    async fn give_back(&self, duty: &DutyName) {
        loop {
            let Some(acting) = self.right_to(duty) else { return };
            // What was written for the duty is refused once another node has it.
            self.tertulia.journal().settled().await;
            let members = Arc::clone(&self.members);
            match blocking("give a duty back", move || members.table().give_back(&acting)).await {
                Ok(()) | Err(NodeTableError::Fenced) => return,
                Err(error) => tracing::warn!(%duty, %error, "a duty cannot be given back yet"),
            }
            sleep(AGAIN_EVERY).await;
        }
    }

    /// This node's right to a duty, by the newest view.
    fn right_to(&self, duty: &DutyName) -> Option<Acting> {
        let view = Arc::clone(&self.members.view().borrow());
        match view.placement.duties.get(duty) {
            Some(Assignment::Held { by, token, .. }) if *by == view.me => {
                Some(Acting { duty: duty.clone(), token: *token })
            }
            _ => None,
        }
    }

    /// Lets the other nodes know that duties have changed. They would notice with their next beats.
    fn hint_all(&self) -> impl Future<Output = ()> + use<> {
        let view = Arc::clone(&self.members.view().borrow());
        let hints: Vec<_> = view.peers().map(|peer| (self.hint)(peer.about.address.clone())).collect();
        async move { drop(join_all(hints).await) }
    }

    /// The connections of a view that this node cannot run.
    fn unknown(&self, view: &ClusterView) -> BTreeSet<ConnectionId> {
        let state = self.state();
        let connection = |duty: &DutyName| match duty {
            DutyName::Connection(id) if !state.runnable.contains_key(id) => Some(id.clone()),
            _ => None,
        };
        view.placement.duties.keys().filter_map(connection).collect()
    }

    /// Learns of connections that other nodes have added; `false` if there are none.
    async fn learn(&self, discover: &Discover) -> bool {
        let found: Vec<_> = discover().await.into_iter().filter(|(id, _)| !self.knows(id)).collect();
        let is_any = !found.is_empty();
        self.state().runnable.extend(found);
        is_any
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
