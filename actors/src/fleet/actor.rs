//! The fleet's actor: supervises the connections, and ends them all at the end of the system.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture,
};
use futures_util::future::join_all;
use tertulia_core::{
    id::ConnectionId,
    placement::{Acting, DutyName},
    session::{FailureReason, Phase},
};
use tokio::time::{Instant, timeout};

use super::{Life, Registry, StartContext};
use crate::{
    connection::{ProcessContext, duty},
    dead_letters::DeadLetters,
    engine::{Cluster, ClusterError},
    log::Subject,
    subscriber::{EventData, Origin},
    supervision::{ArbiterPool, ChildExit, ExitReason, Intensity},
};

/// How often ended arbiters are replaced.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often old records are deleted.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(600);
/// How long after the start old records are deleted for the first time.
const FIRST_HOUSEKEEPING_AFTER: Duration = Duration::from_secs(60);
/// How long taking or giving back the duty to delete old records may take.
const DUTY_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may take to end that another process runs.
const END_WITHIN: Duration = Duration::from_secs(10);

/// The supervisor of a process's connections. A connection restarts by itself within its limits. A connection that
/// panics beyond them is marked as failed, and the rest of the fleet continues. A connection whose arbiter has ended is
/// restarted on another arbiter.
///
/// Runs on the system's own arbiter, so that it outlives the arbiters that it watches.
pub(crate) struct Fleet {
    registry: Arc<Registry>,
    pool: Arc<ArbiterPool>,
    process: ProcessContext,
    /// How often connections were moved to another arbiter, by id.
    moves: HashMap<ConnectionId, Intensity>,
    is_draining: bool,
    /// The right to delete old records, while this process is the one that does.
    housekeeping: Option<Acting>,
    /// Whether old records are being deleted, or the right to do so is being taken or given back.
    is_keeping_house: bool,
}

impl Fleet {
    pub(crate) fn new(registry: Arc<Registry>, pool: Arc<ArbiterPool>, process: ProcessContext) -> Self {
        Self {
            registry,
            pool,
            process,
            moves: HashMap::new(),
            is_draining: false,
            housekeeping: None,
            is_keeping_house: false,
        }
    }

    fn give_up(&self, origin: Origin, life: Life, failure: FailureReason, restarts: u32) {
        let connection = &origin.connection;
        // Ignores a connection that was removed, or removed and added again.
        let Some(member) = self.registry.get(connection).filter(|member| member.life == life) else { return };
        tracing::error!(%connection, restarts, %failure, "a connection panicked too often and is given up");
        let reason = format!("{failure}, after {restarts} restarts");
        member.status.send_modify(|status| {
            status.state = Phase::Failed(failure);
            status.last_error = Some(reason.clone());
        });
        self.process.log.publish(&Arc::new(origin), Subject::Connection, EventData::Failed { reason });
    }

    /// Restarts a connection on another arbiter, because its own has ended.
    fn move_on(&mut self, origin: Origin, life: Life, ctx: &mut Context<Self>) {
        let id = &origin.connection;
        let Some(member) = self.registry.get(id).filter(|member| member.life == life) else { return };
        if self.is_draining || member.status.borrow().has_ended() {
            return;
        }
        let policy = &self.process.supervision.connection;
        let Some(times) = self.moves.entry(id.clone()).or_default().permit(policy, Instant::now()) else {
            return self.give_up(origin, life, FailureReason::ArbitersKeepEnding, policy.max_restarts);
        };
        let wait = policy.backoff.delay(times - 1, rand::random());
        ctx.run_later(wait, move |fleet, ctx| {
            fleet.look_after_arbiters();
            let start = StartContext {
                pool: &fleet.pool,
                fleet: &ctx.address(),
                policy: &fleet.process.supervision.connection,
            };
            if !fleet.is_draining && fleet.registry.begin_again(&origin.connection, life, &start) {
                fleet.process.metrics.connections_moved.inc();
                tracing::warn!(connection = %origin.connection, "a connection restarts on another arbiter");
            }
        });
    }

    fn look_after_arbiters(&self) {
        let metrics = &self.process.metrics;
        let frozen = self.pool.watchdog().frozen_now();
        metrics.arbiters_frozen.set(i64::try_from(frozen).unwrap_or(i64::MAX));
        if !self.is_draining {
            metrics.arbiters_replaced.inc_by(self.pool.replace_ended() as u64);
        }
    }

    /// Deletes old records, unless another process does.
    fn keep_house(&mut self, ctx: &mut Context<Self>) {
        if self.is_keeping_house || self.housekeeping.is_none() {
            return;
        }
        self.is_keeping_house = true;
        let keeping = keep_house(Arc::clone(&self.process.dead_letters)).into_actor(self);
        ctx.spawn(keeping.map(|(), fleet, _| fleet.is_keeping_house = false));
    }

    /// Takes the duty to delete old records, or gives it back, if this process is to.
    fn look_after_housekeeping(&mut self, ctx: &mut Context<Self>) {
        let cluster = Arc::clone(&self.process.cluster);
        let is_wanted = !self.is_draining && cluster.wants(&DutyName::Housekeeping);
        if self.is_keeping_house || is_wanted == self.housekeeping.is_some() {
            return;
        }
        self.is_keeping_house = true;
        let held = self.housekeeping.take();
        let changing = async move {
            match held {
                Some(acting) => {
                    hand_housekeeping_back(&*cluster, &acting).await;
                    None
                }
                None => take_housekeeping(&*cluster).await,
            }
        };
        ctx.spawn(changing.into_actor(self).map(|held, fleet, _| {
            fleet.is_keeping_house = false;
            fleet.housekeeping = held;
        }));
    }

    /// Ends the connections whose duties other processes have.
    fn follow_lost_duties(&self, ctx: &mut Context<Self>) {
        let (journal, fleet) = (Arc::clone(&self.process.journal), ctx.address());
        let following = async move {
            let mut lost = journal.lost();
            while lost.changed().await.is_ok() {
                let rights: Vec<Acting> = {
                    let lost = lost.borrow_and_update();
                    lost.iter().map(|(duty, token)| Acting { duty: duty.clone(), token: *token }).collect()
                };
                fleet.do_send(DutiesLost(rights));
            }
        };
        ctx.spawn(following.into_actor(self));
    }

    /// Drops the counters of connections that no longer exist.
    fn forget_moves(&mut self) {
        self.moves.retain(|id, _| self.registry.get(id).is_some());
    }
}

impl Actor for Fleet {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK_EVERY, |fleet, ctx| {
            fleet.look_after_arbiters();
            fleet.forget_moves();
            fleet.look_after_housekeeping(ctx);
            // Many letters at once must not fill the disk until it is time.
            if fleet.process.dead_letters.is_purge_due() {
                fleet.keep_house(ctx);
            }
        });
        // A process that restarts often deletes old records too.
        ctx.run_later(FIRST_HOUSEKEEPING_AFTER, Self::keep_house);
        ctx.run_interval(HOUSEKEEPING_EVERY, Self::keep_house);
        self.follow_lost_duties(ctx);
        let letters = Arc::clone(&self.process.dead_letters);
        ctx.spawn(count_letters(letters).into_actor(self));
    }
}

impl Supervised for Fleet {}

async fn count_letters(letters: Arc<DeadLetters>) {
    if let Err(error) = letters.count().await {
        tracing::warn!(%error, "the dead letters could not be counted");
    }
}

async fn take_housekeeping(cluster: &dyn Cluster) -> Option<Acting> {
    match timeout(DUTY_WITHIN, cluster.take(DutyName::Housekeeping)).await {
        Ok(Ok(acting)) => return Some(acting),
        Ok(Err(ClusterError::Held(_) | ClusterError::Fenced)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "old records are not deleted now"),
        Err(_) => tracing::warn!("old records are not deleted now: the cluster did not answer in time"),
    }
    None
}

async fn hand_housekeeping_back(cluster: &dyn Cluster, acting: &Acting) {
    if timeout(DUTY_WITHIN, cluster.hand_back(acting)).await.is_err() {
        tracing::warn!(duty = %acting.duty, "the duty was not given back in time");
    }
}

async fn keep_house(letters: Arc<DeadLetters>) {
    match letters.purge(jiff::Timestamp::now()).await {
        Ok(records) => tracing::debug!(records, "old records were deleted"),
        Err(error) => tracing::warn!(%error, "old records could not be deleted"),
    }
}

/// A connection's actor was restarted or ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionExited {
    pub(crate) origin: Origin,
    pub(crate) life: Life,
    pub(crate) exit: ChildExit,
}

/// Ends every connection with a close frame, all at the same time, and waits at most this long.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) Duration);

/// Steps made with these rights were refused, because other processes have the duties.
#[derive(Message)]
#[rtype(result = "()")]
struct DutiesLost(Vec<Acting>);

impl Handler<DutiesLost> for Fleet {
    type Result = ();

    fn handle(&mut self, DutiesLost(rights): DutiesLost, ctx: &mut Self::Context) {
        for right in rights {
            let DutyName::Connection(connection) = &right.duty else { continue };
            if self.process.log.acting(connection).as_ref() != Some(&right) {
                continue;
            }
            let Some(member) = self.registry.remove(connection) else { continue };
            tracing::error!(%connection, token = %right.token, "another process runs this connection; it ends here");
            let (process, registry, connection) =
                (self.process.clone(), Arc::clone(&self.registry), connection.clone());
            let ending = async move {
                member.end(END_WITHIN).await;
                let id = connection.clone();
                duty::hand_back(&process, &connection, move || registry.get(&id).is_some()).await;
                process.metrics.by_connection.forget(&connection);
            };
            ctx.spawn(ending.into_actor(self));
        }
    }
}

impl Handler<ConnectionExited> for Fleet {
    type Result = ();

    fn handle(&mut self, ConnectionExited { origin, life, exit }: ConnectionExited, ctx: &mut Self::Context) {
        let connection: &ConnectionId = &origin.connection;
        match exit {
            ChildExit::Restarting { restarts, .. } => {
                self.process.metrics.restarted(&self.process.metrics.connection_restarts);
                if let Some(member) = self.registry.get(connection).filter(|member| member.life == life) {
                    member.status.send_modify(|status| status.restarts += 1);
                }
                tracing::error!(%connection, restarts, "a connection panicked and is restarted");
            }
            ChildExit::Ended { reason: ExitReason::Normal, .. } => {
                tracing::debug!(%connection, "a connection ended");
            }
            ChildExit::Ended { reason: ExitReason::ArbiterStopped, .. } => self.move_on(origin, life, ctx),
            ChildExit::Ended { reason: ExitReason::Panicked(_) | ExitReason::GaveUp(_), restarts } => {
                self.give_up(origin, life, FailureReason::Panicked, restarts);
            }
        }
    }
}

impl Handler<Drain> for Fleet {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Drain(within): Drain, _: &mut Self::Context) -> Self::Result {
        self.is_draining = true;
        let process = self.process.clone();
        let ends = self.registry.drain().into_iter().map(move |member| {
            let (process, connection) = (process.clone(), member.origin.connection.clone());
            async move {
                member.end(within).await;
                duty::hand_back(&process, &connection, || false).await;
            }
        });
        let (cluster, housekeeping) = (Arc::clone(&self.process.cluster), self.housekeeping.take());
        let all = join_all(ends);
        Box::pin(async move {
            all.await;
            if let Some(acting) = housekeeping {
                hand_housekeeping_back(&*cluster, &acting).await;
            }
        })
    }
}
