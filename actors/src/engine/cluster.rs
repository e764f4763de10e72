//! The interface to the nodes that share a store: who does which duty, and who logs in as which user.

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tertulia_core::placement::{Acting, DutyName, FencingToken};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{CommitError, Lease, LeaseError, LoginName, Tenure};

/// Assigns duties and logins to the nodes that share a store. A duty is done by one node at a time, and a user has one
/// session at a time ([TK-6](crate::rules#tk-6)).
pub trait Cluster: Send + Sync + 'static {
    /// Whether this process may act, now and from now on.
    fn tenure(&self) -> Tenure;

    /// Takes a duty, immediately or not at all. The holder shows the returned right with every commit; the rights of
    /// earlier holders are refused from then on.
    fn take(&self, duty: DutyName) -> BoxFuture<'_, Result<Acting, ClusterError>>;

    /// Whether this process is to have a duty, as far as it knows. A holder that is not to have its duty any more gives it
    /// back.
    fn wants(&self, duty: &DutyName) -> bool {
        let _ = duty;
        true
    }

    /// Gives a duty back, after everything that its holder wrote is durable. Does nothing if another holder has it.
    /// If the store does not answer, this process keeps it.
    fn hand_back<'a>(&'a self, acting: &'a Acting) -> BoxFuture<'a, ()>;

    /// Acquires the right to log in, immediately or not at all, for the holder of a duty.
    fn claim<'a>(&'a self, acting: &'a Acting, login: LoginName) -> BoxFuture<'a, Result<Lease, LeaseError>>;
}

/// How long one request for a duty may take.
const WITHIN: Duration = Duration::from_secs(10);
/// The pause between requests while another process has the duty.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl dyn Cluster {
    /// Takes a duty, and waits while another process has it. If this process was fenced, it waits until it is dropped: the
    /// process never gets a duty again.
    pub async fn take_when_free(&self, duty: DutyName) -> Acting {
        let mut reported = None;
        loop {
            let reason = match timeout(WITHIN, self.take(duty.clone())).await {
                Ok(Err(ClusterError::Fenced)) => {
                    tracing::warn!(%duty, "this process was fenced and gets no duty any more");
                    return pending().await;
                }
                Ok(Ok(acting)) => {
                    tracing::debug!(%duty, token = %acting.token, "duty taken");
                    return acting;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            if reported.as_ref() != Some(&reason) {
                tracing::warn!(%duty, reason, "waiting until this process may do the duty");
                reported = Some(reason);
            }
            sleep(AGAIN_AFTER).await;
        }
    }
}

/// Why a duty was not assigned.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Another node has the duty.
    #[error("another node does {0}")]
    Held(DutyName),
    /// This node may do nothing any more.
    #[error("this node was fenced")]
    Fenced,
    /// The request failed.
    #[error("cannot determine whether {duty} is free: {reason}")]
    Unavailable {
        /// The duty.
        duty: DutyName,
        /// The error.
        reason: String,
    },
}

/// The nodes of one process: usually one, and several in tests, each with its own [`LocalCluster`].
#[derive(Clone, Debug)]
pub struct LocalCluster {
    shared: Arc<Mutex<Assignments>>,
    me: Node,
    tenure: Tenure,
}

impl Default for LocalCluster {
    /// A process alone, whose right to act never ends.
    fn default() -> Self {
        Self { shared: Arc::default(), me: Node::default(), tenure: Tenure::default() }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Node(u32);

#[derive(Debug, Default)]
struct Assignments {
    nodes: u32,
    fenced: HashSet<Node>,
    duties: HashMap<DutyName, Assigned>,
    logins: HashMap<LoginName, Assigned>,
}

/// The number of the last assignment, and who has it now.
#[derive(Debug, Default)]
struct Assigned {
    times: u64,
    holder: Option<Node>,
}

/// Returns a login on drop.
struct Hold {
    cluster: LocalCluster,
    login: LoginName,
    token: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut shared = self.cluster.shared();
        if let Some(taken) = shared.logins.get_mut(&self.login).filter(|taken| taken.times == self.token) {
            taken.holder = None;
        }
    }
}

impl LocalCluster {
    /// Returns the view of another node on the same duties and logins.
    #[must_use]
    pub fn join(&self) -> Self {
        let mut shared = self.shared();
        shared.nodes += 1;
        Self { shared: Arc::clone(&self.shared), me: Node(shared.nodes), tenure: Tenure::default() }
    }

    /// Ends the rights of the node whose view `node` is. Others can take its duties and logins.
    pub fn fence(&self, node: &Self) {
        self.shared().fenced.insert(node.me);
        node.tenure.fenced();
    }

    /// Suspends this node, or lets it act again. A fenced node stays fenced.
    pub fn suspend(&self, is_suspended: bool) {
        self.tenure.suspend(is_suspended);
    }

    /// Checks the rights with which a commit is made.
    ///
    /// # Errors
    /// [`CommitError::Fenced`], or [`CommitError::Lost`] with the duties of other holders.
    pub fn check(&self, acting: &[Acting]) -> Result<(), CommitError> {
        if self.tenure.is_over() {
            return Err(CommitError::Fenced);
        }
        let shared = self.shared();
        let is_lost = |acting: &&Acting| {
            let assigned = shared.duties.get(&acting.duty);
            !assigned.is_some_and(|now| now.holder == Some(self.me) && now.times == acting.token.0)
        };
        let lost: Vec<DutyName> = acting.iter().filter(is_lost).map(|acting| acting.duty.clone()).collect();
        if lost.is_empty() { Ok(()) } else { Err(CommitError::Lost(lost)) }
    }

    fn shared(&self) -> MutexGuard<'_, Assignments> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_now(&self, duty: DutyName) -> Result<Acting, ClusterError> {
        let mut shared = self.shared();
        let Assignments { fenced, duties, .. } = &mut *shared;
        if self.tenure.is_over() {
            return Err(ClusterError::Fenced);
        }
        let assigned = duties.entry(duty.clone()).or_default();
        if assigned.holder.is_some_and(|holder| holder != self.me && !fenced.contains(&holder)) {
            return Err(ClusterError::Held(duty));
        }
        *assigned = Assigned { times: assigned.times + 1, holder: Some(self.me) };
        Ok(Acting { duty, token: FencingToken(assigned.times) })
    }

    fn claim_now(&self, login: LoginName) -> Result<Lease, LeaseError> {
        let mut shared = self.shared();
        let Assignments { fenced, logins, .. } = &mut *shared;
        let taken = logins.entry(login.clone()).or_default();
        if taken.holder.is_some_and(|holder| !fenced.contains(&holder)) {
            return Err(LeaseError::Held { login, holder: "another connection of this process".to_owned() });
        }
        *taken = Assigned { times: taken.times + 1, holder: Some(self.me) };
        let token = taken.times;
        let hold = Hold { cluster: self.clone(), login: login.clone(), token };
        Ok(Lease { login, token, lost: CancellationToken::new(), hold: Box::new(hold) })
    }
}

impl Cluster for LocalCluster {
    fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    fn take(&self, duty: DutyName) -> BoxFuture<'_, Result<Acting, ClusterError>> {
        let taken = self.take_now(duty);
        async move { taken }.boxed()
    }

    fn hand_back<'a>(&'a self, acting: &'a Acting) -> BoxFuture<'a, ()> {
        let mut shared = self.shared();
        let assigned = shared.duties.get_mut(&acting.duty).filter(|assigned| assigned.times == acting.token.0);
        if let Some(assigned) = assigned.filter(|assigned| assigned.holder == Some(self.me)) {
            assigned.holder = None;
        }
        async {}.boxed()
    }

    fn claim<'a>(&'a self, _: &'a Acting, login: LoginName) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        let claimed = self.claim_now(login);
        async move { claimed }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str) -> LoginName {
        LoginName { platform: "p".into(), account: "1".into(), user: user.to_owned() }
    }

    #[test]
    fn a_login_is_lent_once_at_a_time_and_its_number_grows() {
        let cluster = LocalCluster::default();
        let first = cluster.claim_now(login("bot1")).unwrap();
        assert!(matches!(cluster.claim_now(login("bot1")), Err(LeaseError::Held { .. })));
        assert_eq!(cluster.claim_now(login("bot2")).unwrap().token, 1);
        drop(first);
        assert_eq!(cluster.claim_now(login("bot1")).unwrap().token, 2);
    }

    #[test]
    fn a_duty_has_one_holder_and_older_rights_are_refused() {
        let a = LocalCluster::default();
        let b = a.join();
        let first = a.take_now(DutyName::Bulk).unwrap();
        assert_eq!(b.take_now(DutyName::Bulk), Err(ClusterError::Held(DutyName::Bulk)));
        let again = a.take_now(DutyName::Bulk).unwrap();
        assert!(again.token > first.token);
        assert!(matches!(a.check(&[first]), Err(CommitError::Lost(lost)) if lost == [DutyName::Bulk]));
        a.check(std::slice::from_ref(&again)).unwrap();
        a.hand_back(&again).now_or_never().unwrap();
        let theirs = b.take_now(DutyName::Bulk).unwrap();
        a.hand_back(&again).now_or_never().unwrap();
        b.check(&[theirs]).unwrap();
    }

    #[test]
    fn others_take_the_duties_and_logins_of_a_fenced_node() {
        let a = LocalCluster::default();
        let b = a.join();
        let acting = a.take_now(DutyName::Webhooks).unwrap();
        let lease = a.claim_now(login("bot1")).unwrap();
        b.fence(&a);
        assert!(matches!(a.check(&[acting]), Err(CommitError::Fenced)));
        assert_eq!(a.take_now(DutyName::Bulk), Err(ClusterError::Fenced));
        b.take_now(DutyName::Webhooks).unwrap();
        let theirs = b.claim_now(login("bot1")).unwrap();
        drop(lease);
        assert!(b.claim_now(login("bot1")).is_err(), "the late return is of an older lease");
        drop(theirs);
    }

    /// A cluster that counts the requests for duties.
    struct Counting(LocalCluster, Mutex<u32>);

    impl Cluster for Counting {
        fn tenure(&self) -> Tenure {
            self.0.tenure()
        }

        fn take(&self, duty: DutyName) -> BoxFuture<'_, Result<Acting, ClusterError>> {
            *self.1.lock().unwrap() += 1;
            self.0.take(duty)
        }

        fn hand_back<'a>(&'a self, acting: &'a Acting) -> BoxFuture<'a, ()> {
            self.0.hand_back(acting)
        }

        fn claim<'a>(&'a self, acting: &'a Acting, login: LoginName) -> BoxFuture<'a, Result<Lease, LeaseError>> {
            self.0.claim(acting, login)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fenced_process_asks_for_a_duty_once() {
        let cluster = Counting(LocalCluster::default(), Mutex::new(0));
        cluster.0.fence(&cluster.0);
        let any: &dyn Cluster = &cluster;
        timeout(WITHIN * 100, any.take_when_free(DutyName::Bulk)).await.unwrap_err();
        assert_eq!(*cluster.1.lock().unwrap(), 1);
    }
}
