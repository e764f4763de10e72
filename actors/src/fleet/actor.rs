//! The fleet's actor: supervises the connections, and ends them all at the end of the system.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture,
};
use futures_util::future::join_all;
use tertulia_core::{
    id::ConnectionId,
    placement::DutyName,
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
/// How long it may take to learn whether another process deletes old records.
const DUTY_WITHIN: Duration = Duration::from_secs(10);

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
    /// Whether old records are being deleted.
    is_keeping_house: bool,
}

impl Fleet {
    pub(crate) fn new(registry: Arc<Registry>, pool: Arc<ArbiterPool>, process: ProcessContext) -> Self {
        Self { registry, pool, process, moves: HashMap::new(), is_draining: false, is_keeping_house: false }
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

    fn keep_house(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_keeping_house, true) {
            return;
        }
        let (cluster, letters) = (Arc::clone(&self.process.cluster), Arc::clone(&self.process.dead_letters));
        let keeping = keep_house(cluster, letters).into_actor(self);
        ctx.spawn(keeping.map(|(), fleet, _| fleet.is_keeping_house = false));
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
            // Many letters at once must not fill the disk until it is time.
            if fleet.process.dead_letters.is_purge_due() {
                fleet.keep_house(ctx);
            }
        });
        // A process that restarts often deletes old records too.
        ctx.run_later(FIRST_HOUSEKEEPING_AFTER, Self::keep_house);
        ctx.run_interval(HOUSEKEEPING_EVERY, Self::keep_house);
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

/// Deletes old records, unless another process does.
async fn keep_house(cluster: Arc<dyn Cluster>, letters: Arc<DeadLetters>) {
    match timeout(DUTY_WITHIN, cluster.take(DutyName::Housekeeping)).await {
        Ok(Ok(_)) => {}
        Ok(Err(ClusterError::Held(_) | ClusterError::Fenced)) => return,
        Ok(Err(error)) => return tracing::warn!(%error, "old records are not deleted now"),
        Err(_) => return tracing::warn!("old records are not deleted now: the cluster did not answer in time"),
    }
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
        let all = join_all(ends);
        Box::pin(async move {
            all.await;
        })
    }
}
