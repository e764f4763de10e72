//! The library's front: a running system of connections.

use std::{io, sync::Arc, time::Duration};

use actix::{Addr, Arbiter, ArbiterHandle, AsyncContext};
use tertulia_core::{
    id::{ConnectionId, LONGEST_ID},
    session::PolicyError,
};
use tokio::{sync::watch, time::timeout};

use crate::{
    Builder, ConnectionHandle,
    connection::{
        Connection, ConnectionSettings, ConnectionStatus, ProcessContext, Role,
        webhook::{IntakeSettings, WebhookInbox},
    },
    conversation::ConversationHandle,
    dead_letters::{DeadLetterId, DeadLetterKind, DeadLetters, ReplayError},
    engine::{Journal, StoreError},
    fleet::{AddError, Address, Begin, Drain, Fleet, Registry, StartContext},
    metrics::Metrics,
    platform::{Platform, TlsError},
    subscriber::{EventStream, Filter, NotificationFilter, NotificationStream, Origin, Sink, Subscriber, Subscription},
    supervision::{ArbiterPool, ChildExit, ExitReason, GuardOptions, PoolError, start_guarded_in},
};

/// Events that a stream buffers for a slow reader, unless the reader asks for another capacity.
const STREAM_CAPACITY: usize = 65_536;
/// How much longer the fleet may take to end than its connections.
const MARGIN: Duration = Duration::from_secs(1);

/// Why a system could not be started or extended.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A certificate authority cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data of a previous run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Arbiters live in an actix system, and none runs on this thread.
    #[error("arbiters cannot be started: no actix system runs on this thread")]
    NoSystem,
    /// The operating system refused a thread for an arbiter or for the dead letters.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    /// Two connections have the same id.
    #[error("connection {0} already exists")]
    DuplicateConnection(ConnectionId),
    /// The id of a connection is longer than [`LONGEST_ID`].
    #[error("a connection's id has {0} bytes, at most {LONGEST_ID} are allowed")]
    IdTooLong(usize),
    /// The session policy of a connection is invalid.
    #[error("connection {connection} cannot be started")]
    Policy {
        /// Which connection.
        connection: ConnectionId,
        /// The invalid limit.
        source: PolicyError,
    },
    /// The system was stopped.
    #[error("the system was stopped")]
    Stopped,
}

impl From<PoolError> for StartError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::NoSystem => Self::NoSystem,
            PoolError::Thread(error) => Self::Thread(error),
        }
    }
}

/// A running system: the fleet of a process.
pub struct Tertulia {
    pub(crate) system: Arc<System>,
}

/// The parts of a running system that [`Tertulia`] and its handles share.
pub(crate) struct System {
    pub(crate) pool: Arc<ArbiterPool>,
    pub(crate) fleet: Addr<Fleet>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) process: ProcessContext,
}

impl Tertulia {
    /// Returns a builder for a new system.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Adds a connection to the fleet, on the arbiter that has the fewest connections.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// use std::time::Duration;
    /// use tertulia_actors::{connection::ConnectionSettings, platform::AgentLogin};
    ///
    /// let login = AgentLogin::Password { username: "bot1".into(), password: "secret".into() };
    /// let bot = tertulia.connect(ConnectionSettings::bot("bots-1", "12345678", login))?;
    /// bot.ready(Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`StartError::Policy`], [`StartError::IdTooLong`], [`StartError::DuplicateConnection`], [`StartError::Stopped`].
    pub fn connect(&self, settings: ConnectionSettings) -> Result<ConnectionHandle, StartError> {
        let refused = |source| StartError::Policy { connection: settings.id.clone(), source };
        settings.policy.validate().map_err(refused)?;
        let origin = Origin { account: settings.account.clone(), connection: settings.id.clone() };
        let process = self.system.process.clone();
        self.add(origin, settings.role(), settings.username(), move |arbiter, options, status| {
            let (settings, process) = (settings.clone(), process.clone());
            Address::Socket(start_guarded_in(arbiter, options, move |ctx| {
                Connection::new(settings, process, status, ctx.address())
            }))
        })
    }

    /// Adds a connection without a socket to the fleet, on the arbiter that has the fewest connections.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// use std::time::Duration;
    /// use tertulia_actors::{intake::IntakeSettings, platform::AppCredentials};
    ///
    /// let app = AppCredentials { client_id: "app".into(), secret: "app-secret".into() };
    /// let connector = tertulia.connect_intake(IntakeSettings::connector("whatsapp", "12345678", app))?;
    /// connector.ready(Duration::from_secs(30)).await?;
    /// let consumer = "whatsapp:15550100".into();
    /// let conversation = connector.create_conversation_for(consumer, Default::default(), Default::default()).await?;
    /// conversation.send_text("hello").await?;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`StartError::IdTooLong`], [`StartError::DuplicateConnection`], [`StartError::Stopped`].
    pub fn connect_intake(&self, settings: IntakeSettings) -> Result<ConnectionHandle, StartError> {
        let origin = Origin { account: settings.account.clone(), connection: settings.id.clone() };
        let process = self.system.process.clone();
        self.add(origin, settings.role(), settings.username(), move |arbiter, options, status| {
            Address::Intake(WebhookInbox::start(arbiter, options, settings.clone(), process.clone(), status))
        })
    }

    /// Returns the handle of the connection `id`, which need not exist: [`ConnectionHandle::status`] returns `None`
    /// then.
    #[must_use]
    pub fn connection(&self, id: &ConnectionId) -> ConnectionHandle {
        ConnectionHandle::new(id.clone(), Arc::clone(&self.system))
    }

    fn add(
        &self,
        origin: Origin,
        role: Role,
        username: Option<String>,
        begin: impl Fn(&ArbiterHandle, GuardOptions, Arc<watch::Sender<ConnectionStatus>>) -> Address
        + Send
        + Sync
        + 'static,
    ) -> Result<ConnectionHandle, StartError> {
        // The id is part of the keys of the connection's records.
        let length = origin.connection.as_str().len();
        if length > LONGEST_ID {
            return Err(StartError::IdTooLong(length));
        }
        let handle = self.connection(&origin.connection);
        let begin: Arc<Begin> = Arc::new(begin);
        let policy = &self.system.process.supervision.connection;
        let start = StartContext { pool: &self.system.pool, fleet: &self.system.fleet, policy };
        match self.system.registry.add(origin, role, username, begin, &start) {
            Ok(()) => Ok(handle),
            Err(AddError::Taken(id)) => Err(StartError::DuplicateConnection(id)),
            Err(AddError::Stopped) => Err(StartError::Stopped),
        }
    }

    /// Returns the ids of all connections.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.system.registry.ids()
    }

    /// Returns the conversations of `connections` that match, in memory or only in the store, sorted by id and then by
    /// connection: at most `limit` of them after the position `after`, and whether more follow. Does not call the
    /// conversations' actors; [`ConversationHandle::outline`] returns more about each. Do not call it on an arbiter's
    /// thread if there are very many conversations.
    #[must_use]
    pub fn conversations_page(
        &self,
        connections: &[ConnectionId],
        after: Option<(&str, &str)>,
        limit: usize,
        is_meant: impl Fn(&ConversationHandle) -> bool,
    ) -> (Vec<ConversationHandle>, bool) {
        self.system.process.directory.page(connections, after, limit, is_meant)
    }

    /// Returns a stream of live events that buffers up to 65,536 events.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// use tertulia_actors::subscriber::{EventKind, Filter};
    ///
    /// let mut messages = tertulia.events(Filter::everything().kind(EventKind::Message));
    /// # let bot = stage::bot(tertulia).await;
    /// # stage::conversation(&bot, emulator).await;
    /// while let Some(event) = messages.next().await {
    ///     let event = event?;
    ///     if let Some(message) = event.message() {
    ///         println!("{}: {}", event.origin.connection, message.text().unwrap_or_default());
    /// #       assert_eq!(message.text().as_deref(), Some("hello"));
    ///     }
    /// #   break;
    /// }
    /// # Ok(())
    /// # }) }
    /// ```
    pub fn events(&self, filter: Filter) -> EventStream {
        self.events_within(filter, STREAM_CAPACITY)
    }

    /// Returns a stream of live events that buffers up to `capacity` events.
    pub fn events_within(&self, filter: Filter, capacity: usize) -> EventStream {
        EventStream::new(&self.system.process.routing, filter, capacity)
    }

    /// Delivers events to `sink` in an actor of its own, which buffers up to `capacity` events. Dropping the returned
    /// subscription ends the delivery.
    ///
    /// If the sink panics on an event, the event goes to the dead letters and the next event is delivered. If the sink
    /// panics too often, [`Sink::ended`] is called and nothing after it.
    pub fn subscribe(&self, name: &str, filter: Filter, capacity: usize, sink: Box<dyn Sink>) -> Subscription {
        let metrics = Arc::clone(&self.system.process.metrics);
        let on_exit = move |exit| match exit {
            ChildExit::Restarting { .. } => metrics.restarted(&metrics.subscriber_restarts),
            ChildExit::Ended { reason: ExitReason::Normal, .. } => {}
            ChildExit::Ended { .. } => {
                metrics.subscribers_given_up.inc();
            }
        };
        let policy = Arc::clone(&self.system.process.supervision.subscriber);
        let options = GuardOptions { policy, ..GuardOptions::new(name, on_exit) };
        let (metrics, dead_letters) =
            (Arc::clone(&self.system.process.metrics), Arc::clone(&self.system.process.dead_letters));
        let subscriber = Subscriber::new(name.into(), sink, metrics, dead_letters);
        // After the system was stopped there are no events, so a new subscriber receives none.
        let placement = self.system.pool.place();
        let arbiter = placement.arbiter().cloned().unwrap_or_else(Arbiter::current);
        let address = start_guarded_in(&arbiter, options, move |_| subscriber);
        self.system.process.routing.attach(filter, address.recipient(), capacity).placed(placement)
    }

    /// Returns a stream of the platform's notifications of every type, as sent, that buffers up to `capacity` of them
    /// ([CN-F4](crate::rules#cn-f4)).
    pub fn notifications(&self, filter: NotificationFilter, capacity: usize) -> NotificationStream {
        self.system.process.notifications.stream(filter, capacity)
    }

    /// The notifications, commands and deliveries that could not be handled.
    #[must_use]
    pub fn dead_letters(&self) -> &Arc<DeadLetters> {
        &self.system.process.dead_letters
    }

    /// Sends a dead letter again to the conversation or connection that could not handle it, and removes it. If it
    /// fails again, it becomes a new dead letter.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn replay_dead_letter(&self, id: &DeadLetterId) -> Result<(), ReplayError> {
        let found = self.dead_letters().get(id).await.map_err(|error| {
            tracing::error!(%error, "the dead letters cannot be read");
            ReplayError::Unreadable(id.clone())
        })?;
        let letter = Arc::new(found.ok_or_else(|| ReplayError::Unknown(id.clone()))?);
        let not_replayable = || ReplayError::NotReplayable(id.clone());
        match letter.kind {
            _ if letter.is_cut => return Err(not_replayable()),
            DeadLetterKind::Answer | DeadLetterKind::Record | DeadLetterKind::History | DeadLetterKind::Delivery => {
                return Err(not_replayable());
            }
            DeadLetterKind::Command => self.connection(&letter.connection).replay_command(&letter)?,
            DeadLetterKind::State | DeadLetterKind::Records | DeadLetterKind::Frame => {
                self.connection(&letter.connection).replay_notification(Arc::clone(&letter)).await?;
            }
        }
        self.dead_letters().remove(id).await?;
        Ok(())
    }

    /// The event log and everything else that survives the process.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.system.process.journal
    }

    /// The counters, gauges and histograms of the process.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.system.process.metrics
    }

    /// The platform's services that need no connection.
    #[must_use]
    pub fn platform(&self) -> &Arc<Platform> {
        &self.system.process.platform
    }

    /// Ends every connection with a close frame, then the arbiters, then the journal. Each of the three steps may take
    /// `within`.
    pub async fn stop(self, within: Duration) {
        // An error means that the fleet's arbiter is stuck: its connections end with their arbiters.
        let _ = timeout(within + MARGIN, self.system.fleet.send(Drain(within))).await;
        self.system.pool.stop(within).await;
        let journal = Arc::clone(&self.system.process.journal);
        let closing = tokio::task::spawn_blocking(move || journal.close());
        if timeout(within, closing).await.is_err() {
            tracing::error!("the last changes could not be committed in time");
        }
    }
}
