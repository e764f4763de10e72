//! The duties and logins of one node.

use std::{
    fmt, io,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tertulia_actors::{
    core::{
        id::NodeId,
        placement::{Acting, DutyName},
        tenure::NodeEpoch,
    },
    engine::{Cluster, ClusterError, Lease, LeaseError, LoginName, Tenure},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    connect::Address,
    nodes::{give_back, signed, take, unsigned},
    session::{CallError, Session},
};

/// Requests that may wait for the database.
const REQUESTS: usize = 4_096;

/// The pause before duties are given back again that could not be given back.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Decides whether this node may take a duty that nobody has.
type Placed = dyn Fn(&DutyName) -> bool + Send + Sync;

/// The duties and logins of one node that has joined.
pub struct PostgresCluster {
    tenure: Tenure,
    requests: SyncSender<Request>,
    /// Set by the owner of the plan; until then every duty may be taken.
    placed: OnceLock<Arc<Placed>>,
}

impl fmt::Debug for PostgresCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresCluster").field("tenure", &self.tenure).finish_non_exhaustive()
    }
}

/// A request to the thread that speaks with the database. They are served in order.
enum Request {
    Take(DutyName, oneshot::Sender<Result<Acting, ClusterError>>),
    HandBack(Acting, oneshot::Sender<()>),
    Claim(Acting, LoginName, oneshot::Sender<Result<u64, LeaseError>>),
    Return(LoginName, u64),
}

impl PostgresCluster {
    pub(super) fn start(address: &Arc<Address>, me: &NodeId, epoch: NodeEpoch, tenure: Tenure) -> io::Result<Self> {
        let session = Session::new(address, &format!("{me} duties"))?;
        let (requests, received) = sync_channel(REQUESTS);
        let server = Server { session, me: me.clone(), epoch, tenure: tenure.clone(), owed: Vec::new() };
        // Ends with the last sender.
        thread::Builder::new().name("duties".to_owned()).spawn(move || server.run(&received))?;
        Ok(Self { tenure, requests, placed: OnceLock::new() })
    }

    /// From now on a duty is taken only if `placed` says that this node is to have it. Only the first call counts.
    pub fn obey(&self, placed: Arc<Placed>) {
        let _ = self.placed.set(placed);
    }

    async fn ask<T, E>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Request,
        unavailable: impl Fn(&str) -> E,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        match self.requests.try_send(request(reply)) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(unavailable("the process is ending"))),
            Err(TrySendError::Full(_)) => Err(unavailable("too many requests wait for the database")),
            Err(TrySendError::Disconnected(_)) => Err(unavailable("the process is ending")),
        }
    }
}

impl Cluster for PostgresCluster {
    fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    fn take(&self, duty: DutyName) -> BoxFuture<'_, Result<Acting, ClusterError>> {
        if self.tenure.is_over() {
            return async { Err(ClusterError::Fenced) }.boxed();
        }
        if !self.wants(&duty) {
            return async move { Err(ClusterError::Held(duty)) }.boxed();
        }
        let of = duty.clone();
        let unavailable = move |reason: &str| ClusterError::Unavailable { duty: of.clone(), reason: reason.to_owned() };
        self.ask(|reply| Request::Take(duty, reply), unavailable).boxed()
    }

    fn wants(&self, duty: &DutyName) -> bool {
        self.placed.get().is_none_or(|placed| placed(duty))
    }

    fn hand_back<'a>(&'a self, acting: &'a Acting) -> BoxFuture<'a, ()> {
        async move {
            let (reply, done) = oneshot::channel();
            if self.requests.try_send(Request::HandBack(acting.clone(), reply)).is_ok() {
                // An error means that the thread ended: the duty is free when the node has left.
                let _ = done.await;
            }
        }
        .boxed()
    }

    fn claim<'a>(&'a self, acting: &'a Acting, login: LoginName) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        async move {
            let of = login.clone();
            let unavailable =
                move |reason: &str| LeaseError::Unavailable { login: of.clone(), reason: reason.to_owned() };
            let (acting, name) = (acting.clone(), login.clone());
            let token = self.ask(|reply| Request::Claim(acting, name, reply), unavailable).await?;
            let hold = Hold { login: login.clone(), claim: token, requests: self.requests.clone() };
            Ok(Lease { login, token, lost: CancellationToken::new(), hold: Box::new(hold) })
        }
        .boxed()
    }
}

/// Returns a login on drop.
struct Hold {
    login: LoginName,
    claim: u64,
    requests: SyncSender<Request>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // If it cannot be sent, the claim ends with its duty.
        let _ = self.requests.try_send(Request::Return(self.login.clone(), self.claim));
    }
}

/// The thread that speaks with the database.
struct Server {
    session: Session,
    me: NodeId,
    epoch: NodeEpoch,
    tenure: Tenure,
    /// Duties that nobody does here any more, and that could not be given back. Others wait for them.
    owed: Vec<Acting>,
}

impl Server {
    fn run(mut self, requests: &Receiver<Request>) {
        loop {
            let request = match self.owed.is_empty() {
                true => requests.recv().map_err(RecvTimeoutError::from),
                false => requests.recv_timeout(AGAIN_AFTER),
            };
            // Whoever asked may not wait any more.
            match request {
                Ok(Request::Take(duty, reply)) => {
                    // A connection that ended meanwhile does not know that it has the duty.
                    if let Err(Ok(acting)) = reply.send(self.take(duty)) {
                        self.hand_back(acting);
                    }
                }
                Ok(Request::HandBack(acting, reply)) => {
                    self.hand_back(acting);
                    let _ = reply.send(());
                }
                Ok(Request::Claim(acting, login, reply)) => _ = reply.send(self.claim(&acting, login)),
                Ok(Request::Return(login, claim)) => self.return_login(&login, claim),
                Err(RecvTimeoutError::Timeout) => self.hand_back_owed(),
                // All duties are free when the node has left or was fenced.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, duty: DutyName) -> Result<Acting, ClusterError> {
        match take(&mut self.session, &self.me, self.epoch, std::slice::from_ref(&duty)) {
            Ok(taken) => taken.into_iter().next().ok_or(ClusterError::Held(duty)),
            Err(CallError::Fenced) => {
                self.tenure.fenced();
                Err(ClusterError::Fenced)
            }
            Err(error) => Err(ClusterError::Unavailable { duty, reason: error.to_string() }),
        }
    }

    fn hand_back(&mut self, acting: Acting) {
        match give_back(&mut self.session, &self.me, self.epoch, &acting) {
            Ok(()) | Err(CallError::Fenced) => {}
            Err(error) => {
                tracing::warn!(duty = %acting.duty, %error, "a duty could not be given back; trying again");
                self.owed.push(acting);
            }
        }
    }

    /// Tries again to give duties back, until the first one that fails.
    fn hand_back_owed(&mut self) {
        while let Some(acting) = self.owed.last() {
            match give_back(&mut self.session, &self.me, self.epoch, acting) {
                Ok(()) | Err(CallError::Fenced) => _ = self.owed.pop(),
                Err(error) => return tracing::debug!(duty = %acting.duty, %error, "a duty cannot be given back yet"),
            }
        }
    }

    fn claim(&mut self, acting: &Acting, login: LoginName) -> Result<u64, LeaseError> {
        let (duty, token) = (acting.duty.to_string(), signed(acting.token.0));
        let LoginName { platform, account, user } = &login;
        let claimed = self.session.call(async |live| {
            let sql = "SELECT number, holder FROM claim_login($1, $2, $3, $4, $5, $6)";
            live.one(sql, &[platform, &account.as_str(), user, &self.me.as_str(), &duty, &token]).await
        });
        match claimed {
            Ok(row) => match row.get::<_, Option<i64>>(0) {
                Some(number) => Ok(unsigned(number)),
                None => {
                    let holder: Option<String> = row.get(1);
                    Err(LeaseError::Held { login, holder: holder.unwrap_or_else(|| "another connection".to_owned()) })
                }
            },
            Err(error) => Err(LeaseError::Unavailable { login, reason: error.to_string() }),
        }
    }

    /// The row stays, so that the numbers of claims grow.
    fn return_login(&mut self, LoginName { platform, account, user }: &LoginName, claim: u64) {
        let returned = self.session.call(async |live| {
            let sql = "UPDATE login SET token = 0 WHERE platform = $1 AND account = $2 AND username = $3 AND claim = $4 \
                       RETURNING 1";
            live.query(sql, &[platform, &account.as_str(), user, &signed(claim)]).await
        });
        if let Err(error) = returned {
            tracing::warn!(%error, "a login could not be returned; it is free when its duty has another holder");
        }
    }
}
