//! The library's front: a running system of connections.

mod brand;
mod consumer;
mod intake;
mod requests;
mod summaries;
mod supervision;

pub use summaries::SummaryPage;

use std::{sync::Arc, time::Duration};

use actix::{Addr, Arbiter, ArbiterHandle, AsyncContext};
use tertulia_core::{
    id::{AccountId, ConnectionId, ConversationId, RingId},
    session::Phase,
    ums::{AgentState, ConversationRequest},
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    Builder,
    connection::{
        AcceptRing, AnswerRing, Connection, ConnectionSettings, ConnectionStatus, CreateConversation, ListRings,
        Restart, RingError, SetAgentState, Surroundings,
        webhook::{Desk, IntakeSettings},
    },
    conversation::ConversationHandle,
    engine::{Journal, StoreError},
    fleet::{AddError, Address, Begin, Drain, Fleet, Grounds, Registry},
    metrics::Metrics,
    platform::{Platform, TlsError},
    request::RequestFailure,
    subscriber::{EventStream, Filter, Offer, Origin, Sink, Subscriber, Subscription},
    supervision::{ArbiterPool, ChildExit, ExitReason, GuardOptions, PoolError, start_guarded_in},
};

/// Events a stream holds for a slow reader, unless it asks for another number.
const STREAM_CAPACITY: usize = 65_536;
/// How long a request to a connection may take, waiting for a reconnect included.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much longer than its connections the fleet may take to end.
const MARGIN: Duration = Duration::from_secs(1);

/// Why a system could not be started or extended.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An authority cannot be trusted.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What an earlier life of the process left cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The arbiters could not be started.
    #[error(transparent)]
    Arbiters(#[from] PoolError),
    /// Two connections have one name.
    #[error("there is a connection {0} already")]
    DuplicateConnection(ConnectionId),
    /// The system was stopped.
    #[error("the system was stopped")]
    Stopped,
}

/// Why a connection is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// There is no such connection.
    #[error("there is no connection {0}")]
    UnknownConnection(ConnectionId),
    /// It has given up.
    #[error("connection {connection} failed: {reason}")]
    Failed {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        reason: String,
    },
    /// It was not ready in time.
    #[error("connection {connection} was not ready in time; last trouble: {trouble}")]
    TimedOut {
        /// Which one.
        connection: ConnectionId,
        /// What last went wrong.
        trouble: String,
    },
}

/// A running system: the fleet of a process.
pub struct Tertulia {
    pub(crate) pool: Arc<ArbiterPool>,
    pub(crate) fleet: Addr<Fleet>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) around: Surroundings,
}

impl Tertulia {
    /// Begins a system.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Adds a connection to the fleet, on the arbiter with the fewest.
    ///
    /// # Errors
    /// [`StartError::DuplicateConnection`], [`StartError::Stopped`].
    pub fn connect(&self, settings: ConnectionSettings) -> Result<(), StartError> {
        let origin = Origin { account: settings.account.clone(), connection: settings.id.clone() };
        let around = self.around.clone();
        self.add(origin, move |arbiter, options, status| {
            let (settings, around) = (settings.clone(), around.clone());
            Address::Socket(start_guarded_in(arbiter, options, move |ctx| {
                Connection::new(settings, around, status, ctx.address())
            }))
        })
    }

    /// Adds a connection without a socket to the fleet, on the arbiter with the fewest.
    ///
    /// # Errors
    /// [`StartError::DuplicateConnection`], [`StartError::Stopped`].
    pub fn connect_intake(&self, settings: IntakeSettings) -> Result<(), StartError> {
        let origin = Origin { account: settings.account.clone(), connection: settings.id.clone() };
        let around = self.around.clone();
        self.add(origin, move |arbiter, options, status| {
            Address::Intake(Desk::start(arbiter, options, settings.clone(), around.clone(), status))
        })
    }

    fn add(
        &self,
        origin: Origin,
        begin: impl Fn(&ArbiterHandle, GuardOptions, Arc<watch::Sender<ConnectionStatus>>) -> Address
        + Send
        + Sync
        + 'static,
    ) -> Result<(), StartError> {
        let begin: Arc<Begin> = Arc::new(begin);
        let policy = &self.around.supervision.connection;
        let grounds = Grounds { pool: &self.pool, fleet: &self.fleet, policy };
        self.registry.add(origin, begin, &grounds).map_err(|error| match error {
            AddError::Taken(id) => StartError::DuplicateConnection(id),
            AddError::Stopped => StartError::Stopped,
        })
    }

    /// Ends one connection and waits until it has ended.
    pub async fn disconnect(&self, connection: &ConnectionId) {
        if let Some(member) = self.registry.remove(connection) {
            member.end(PATIENCE).await;
            self.around.metrics.by_connection.forget(connection);
        }
    }

    /// Begins a connection again, a failed one too: with a new login, and a new socket where it has one. `false` where
    /// there is no such connection. Its status tells how it goes on.
    pub fn restart(&self, connection: &ConnectionId) -> bool {
        let Some(member) = self.registry.get(connection) else { return false };
        let is_alive = match &member.address {
            Address::Socket(connection) => connection.connected() && connection.try_send(Restart).is_ok(),
            Address::Intake(desk) => desk.restart(),
        };
        if !is_alive {
            // Its actor was given up.
            let policy = &self.around.supervision.connection;
            let grounds = Grounds { pool: &self.pool, fleet: &self.fleet, policy };
            self.registry.begin_again(connection, member.life, &grounds);
        }
        true
    }

    /// The connections' names.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.registry.ids()
    }

    /// The account that a connection is of.
    #[must_use]
    pub fn account(&self, connection: &ConnectionId) -> Option<AccountId> {
        self.registry.get(connection).map(|member| member.origin.account)
    }

    /// How a connection is doing.
    #[must_use]
    pub fn status(&self, connection: &ConnectionId) -> Option<ConnectionStatus> {
        self.registry.get(connection).map(|member| member.status.borrow().clone())
    }

    /// How a connection is doing once it has begun: with what an earlier life of the process left, and the right to log
    /// in, or without it.
    pub async fn begun(&self, connection: &ConnectionId) -> Option<ConnectionStatus> {
        let mut status = self.registry.get(connection)?.status.subscribe();
        let begun = status.wait_for(|status| status.state != Phase::Idle).await;
        begun.ok().map(|status| status.clone())
    }

    /// Waits until a connection is ready.
    ///
    /// # Errors
    /// [`NotReady`] as soon as it has given up, or after `patience`.
    pub async fn ready(&self, connection: &ConnectionId, patience: Duration) -> Result<(), NotReady> {
        let unknown = || NotReady::UnknownConnection(connection.clone());
        let mut status = self.registry.get(connection).ok_or_else(unknown)?.status.subscribe();
        let settled = |status: &ConnectionStatus| status.is_ready() || status.has_ended();
        let trouble = |status: &ConnectionStatus| status.last_error.clone().unwrap_or_else(|| "none".to_owned());
        let outcome = timeout(patience, status.wait_for(settled)).await.map(|settled| settled.map(|now| now.clone()));
        match outcome {
            Ok(Ok(now)) if now.is_ready() => Ok(()),
            Ok(Ok(now)) => Err(NotReady::Failed { connection: connection.clone(), reason: trouble(&now) }),
            Ok(Err(_)) => Err(unknown()),
            Err(_) => {
                let trouble = trouble(&status.borrow());
                Err(NotReady::TimedOut { connection: connection.clone(), trouble })
            }
        }
    }

    /// A conversation as a connection sees it, if it is in memory.
    #[must_use]
    pub fn conversation(&self, connection: &ConnectionId, conversation: &ConversationId) -> Option<ConversationHandle> {
        self.around.directory.get(connection, conversation)
    }

    /// Every conversation of a connection that is in memory.
    #[must_use]
    pub fn conversations(&self, connection: &ConnectionId) -> Vec<ConversationHandle> {
        self.around.directory.of(connection)
    }

    /// Those conversations of `connections` in memory that are meant, awake or asleep, by id and then by connection:
    /// behind the one `after`, at most `limit` of them, and whether there are more. It asks nobody:
    /// [`ConversationHandle::outline`] tells what there is to know. With very many conversations it is not for an
    /// arbiter's thread.
    #[must_use]
    pub fn conversations_page(
        &self,
        connections: &[ConnectionId],
        after: Option<(&str, &str)>,
        limit: usize,
        is_meant: impl Fn(&ConversationHandle) -> bool,
    ) -> (Vec<ConversationHandle>, bool) {
        self.around.directory.page(connections, after, limit, is_meant)
    }

    /// Events as they happen, with room for 65,536 of them.
    pub fn events(&self, filter: Filter) -> EventStream {
        self.events_within(filter, STREAM_CAPACITY)
    }

    /// Events as they happen, with room for `capacity` of them.
    pub fn events_within(&self, filter: Filter, capacity: usize) -> EventStream {
        self.around.routing.stream(filter, capacity)
    }

    /// Hands events to a sink by an actor of its own, with room for `capacity` of them. Dropping the result ends it.
    ///
    /// An event that the sink panics on goes to the dead letters, and the next one is delivered. A sink that panics too
    /// often hears [`Sink::ended`], and nothing after it.
    pub fn subscribe(&self, name: &str, filter: Filter, capacity: usize, sink: Box<dyn Sink>) -> Subscription {
        let metrics = Arc::clone(&self.around.metrics);
        let on_exit = move |exit| match exit {
            ChildExit::Restarting { .. } => metrics.restarted(&metrics.subscriber_restarts),
            ChildExit::Ended { reason: ExitReason::Normal, .. } => {}
            ChildExit::Ended { .. } => {
                metrics.subscribers_given_up.inc();
            }
        };
        let policy = Arc::clone(&self.around.supervision.subscriber);
        let options = GuardOptions { policy, ..GuardOptions::new(name, on_exit) };
        let (metrics, dead_letters) = (Arc::clone(&self.around.metrics), Arc::clone(&self.around.dead_letters));
        let subscriber = Subscriber::new(name.into(), sink, metrics, dead_letters);
        // Once the system was stopped there are no events, and whoever asks for them gets none.
        let arbiter = self.pool.place().arbiter().cloned().unwrap_or_else(Arbiter::current);
        let address = start_guarded_in(&arbiter, options, move |_| subscriber);
        self.around.routing.attach(filter, address.recipient(), capacity)
    }

    /// Opens a conversation as a consumer (CN-F6).
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn create_conversation(
        &self,
        connection: &ConnectionId,
        request: ConversationRequest,
    ) -> Result<ConversationHandle, RequestFailure> {
        let id = self.ask(connection, |address, reply| address.do_send(CreateConversation { request, reply })).await?;
        self.conversation(connection, &id).ok_or(RequestFailure::ConnectionLost)
    }

    /// The offers to a connection that wait for an answer; none of one that has no socket.
    pub async fn rings(&self, connection: &ConnectionId) -> Vec<Offer> {
        let Ok(address) = self.socket(connection) else { return Vec::new() };
        timeout(PATIENCE, address.send(ListRings)).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Takes or declines an offer.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn answer_ring(
        &self,
        connection: &ConnectionId,
        ring_id: RingId,
        accept: bool,
    ) -> Result<(), RequestFailure> {
        self.ask(connection, |address, reply| address.do_send(AnswerRing { ring_id, accept, reply })).await
    }

    /// Takes an offer and waits for its conversation (RG-4), for `within` altogether.
    ///
    /// # Errors
    /// [`RingError`].
    pub async fn accept_ring(
        &self,
        connection: &ConnectionId,
        ring_id: RingId,
        within: Duration,
    ) -> Result<ConversationHandle, RingError> {
        let (reply, arrived) = oneshot::channel();
        self.socket(connection)?.do_send(AcceptRing { ring_id, reply });
        let id = match timeout(within, arrived).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_)) => return Err(RequestFailure::ConnectionLost.into()),
            Err(_) => return Err(RingError::NotArrived),
        };
        self.conversation(connection, &id).ok_or(RingError::NotArrived)
    }

    /// Sets an agent's state, now and after each reconnect (CN-F9).
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn set_agent_state(
        &self,
        connection: &ConnectionId,
        agent_state: AgentState,
    ) -> Result<(), RequestFailure> {
        self.ask(connection, |address, reply| address.do_send(SetAgentState { agent_state, reply })).await
    }

    async fn ask<T, E: From<RequestFailure>>(
        &self,
        connection: &ConnectionId,
        send: impl FnOnce(&Addr<Connection>, oneshot::Sender<Result<T, E>>),
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        send(&self.socket(connection)?, reply);
        answered(answer).await
    }

    fn socket(&self, connection: &ConnectionId) -> Result<Addr<Connection>, RequestFailure> {
        match self.registry.get(connection).ok_or(RequestFailure::NotConnected)?.address {
            Address::Socket(connection) => Ok(connection),
            Address::Intake(_) => Err(RequestFailure::NotSupported("the connection has no socket")),
        }
    }

    /// The log, and whatever else outlives the process.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        self.around.routing.journal()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.around.metrics
    }

    /// The platform, for what needs no connection.
    #[must_use]
    pub fn platform(&self) -> &Arc<Platform> {
        &self.around.platform
    }

    /// Ends every connection with a close frame, then the arbiters, then the journal; at most `within` for each of the
    /// three.
    pub async fn stop(self, within: Duration) {
        // An error means that the fleet's arbiter is stuck: its connections end with their arbiters.
        let _ = timeout(within + MARGIN, self.fleet.send(Drain(within))).await;
        self.pool.stop(within).await;
        let journal = Arc::clone(self.around.routing.journal());
        let closing = tokio::task::spawn_blocking(move || journal.close());
        if timeout(within, closing).await.is_err() {
            tracing::error!("what happened last could not be kept in time");
        }
    }
}

/// Waits for an answer, no longer than anybody should.
async fn answered<T, E: From<RequestFailure>>(answer: oneshot::Receiver<Result<T, E>>) -> Result<T, E> {
    match timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(RequestFailure::ConnectionLost.into()),
        Err(_) => Err(RequestFailure::TimedOut.into()),
    }
}
