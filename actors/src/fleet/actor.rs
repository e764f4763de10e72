//! The fleet's actor: hears what happens to the connections, and ends them all.

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture};
use futures_util::future::join_all;
use tertulia_core::{id::ConnectionId, session::Phase};

use super::Registry;
use crate::{
    connection::Surroundings,
    engine::{Journal, keep_house},
    subscriber::{EventData, Origin, Subject},
    supervision::{ChildExit, ExitReason},
};

/// How often old records are forgotten.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(600);

/// The supervisor of a process's connections. A connection restarts by itself within its limits; one that panics beyond
/// them is told failed, and the rest of the fleet goes on.
pub(crate) struct Fleet {
    registry: Arc<Registry>,
    around: Surroundings,
}

impl Fleet {
    pub(crate) fn new(registry: Arc<Registry>, around: Surroundings) -> Self {
        Self { registry, around }
    }

    fn give_up(&self, origin: Origin, restarts: u32) {
        let connection = &origin.connection;
        tracing::error!(%connection, restarts, "a connection panicked too often and is given up");
        let reason = format!("it panicked, after {restarts} restarts");
        if let Some(member) = self.registry.get(connection) {
            member.status.send_modify(|status| {
                status.state = Phase::Stopped;
                status.last_error = Some(reason.clone());
            });
        }
        self.around.routing.publish(&Arc::new(origin), Subject::Connection, EventData::Failed { reason });
    }
}

impl Actor for Fleet {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(HOUSEKEEPING_EVERY, |fleet, ctx| {
            let journal = Arc::clone(fleet.around.routing.journal());
            if journal.keeps() {
                ctx.spawn(keep_the_house(journal).into_actor(fleet));
            }
        });
    }
}

impl Supervised for Fleet {}

async fn keep_the_house(journal: Arc<Journal>) {
    match keep_house(&journal, journal.retention(), jiff::Timestamp::now()).await {
        Ok(records) => tracing::debug!(records, "old records were forgotten"),
        Err(error) => tracing::warn!(%error, "old records could not be forgotten"),
    }
}

/// A connection's actor was restarted or ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionExited {
    pub(crate) origin: Origin,
    pub(crate) exit: ChildExit,
}

/// Ends every connection with a close frame, all at the same time, and waits for at most so long.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) Duration);

impl Handler<ConnectionExited> for Fleet {
    type Result = ();

    fn handle(&mut self, ConnectionExited { origin, exit }: ConnectionExited, _: &mut Self::Context) {
        let connection: &ConnectionId = &origin.connection;
        match exit {
            ChildExit::Restarting { restarts, .. } => {
                tracing::error!(%connection, restarts, "a connection panicked and is restarted");
            }
            ChildExit::Ended { reason: ExitReason::Normal | ExitReason::ArbiterStopped, .. } => {
                tracing::debug!(%connection, "a connection ended");
            }
            ChildExit::Ended { reason: ExitReason::Panicked(_) | ExitReason::GaveUp(_), restarts } => {
                self.give_up(origin, restarts);
            }
        }
    }
}

impl Handler<Drain> for Fleet {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Drain(within): Drain, _: &mut Self::Context) -> Self::Result {
        let ends = self.registry.drain().into_iter().map(|member| member.end(within));
        let all = join_all(ends);
        Box::pin(async move {
            all.await;
        })
    }
}
