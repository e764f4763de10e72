//! The demo: on an embedded platform, a fleet of bots answers consumers over real sockets, and the platform's own
//! ledger proves that nothing was lost, repeated or reordered.

mod fleet;
mod nodes;
mod postgres;
mod process;
mod proof;
mod summary;

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use tertulia_actors::{
    StartError, Tertulia,
    connection::ConnectionError,
    engine::{Journal, MemoryStore, Retention},
    subscriber::{EventKind, Filter, LaggedError},
};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultMode};

pub use nodes::{Cluster, NodeError, NodesDemo};
pub use postgres::{PostgresError, TemporaryPostgres};
pub use process::{GatewayAddress, ServiceProcess, ServiceStart, Signal, service_configuration};
pub use proof::Proof;
pub use summary::{Latency, NodesSummary, StateNotifications, Summary};

use fleet::Fleet;
use summary::Counts;

/// The most events that may wait for the demo. Beyond it the demo fails, so that it never misses an event.
const EVENTS: usize = 1 << 20;
/// The number of events that the gateway of a demo can replay. A demo stores nothing on disk.
const KEPT: NonZeroUsize = NonZeroUsize::new(65_536).expect("it is not zero");
/// How long the demo waits for the next event before it gives up.
const STALLED_AFTER: Duration = Duration::from_secs(120);
/// How long connections may take to close at the end.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The size of a demo, and the faults of its platform.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Conversations, each with its own consumer.
    pub conversations: u32,
    /// Bots that answer.
    pub bots: u32,
    /// How long consumers keep sending.
    pub length: Length,
    /// The faults of the platform.
    pub faults: FaultMode,
    /// The seed of the faults.
    pub seed: u64,
}

/// How long consumers keep sending.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// The number of messages per consumer.
    Messages(u32),
    /// The duration, after which each consumer waits for its last answer.
    Duration(Duration),
}

/// Why a demo failed. Lost messages are not an error but part of the summary.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The platform stand-in did not start.
    #[error("cannot start the platform stand-in: {0}")]
    Platform(#[from] tertulia_emulator::StartError),
    /// The system could not start the log's thread.
    #[error("cannot start the event log: {0}")]
    Log(#[from] std::io::Error),
    /// The connections could not be started.
    #[error("cannot start the connections: {0}")]
    System(#[from] StartError),
    /// A connection did not become ready.
    #[error(transparent)]
    NotReady(#[from] ConnectionError),
    /// A conversation could not be opened.
    #[error("cannot open a conversation: {0}")]
    NotOpened(#[source] ConnectionError),
    /// The demo was too slow to receive all events.
    #[error(transparent)]
    Lagged(#[from] LaggedError),
    /// The nodes could not be started, or did not do their part.
    #[error(transparent)]
    Nodes(#[from] NodeError),
    /// The connections stopped during the demo.
    #[error("the connections stopped before the demo was done")]
    Stopped,
}

/// A running demo.
pub struct Demo {
    emulator: Emulator,
    tertulia: Arc<Tertulia>,
    scale: Scale,
    begun: Instant,
}

impl Demo {
    /// Starts the platform stand-in and the connections. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`DemoError`].
    pub fn start(scale: Scale) -> Result<Self, DemoError> {
        let begun = Instant::now();
        let bots = usize::try_from(scale.bots).unwrap_or(usize::MAX);
        let emulator = Emulator::start(EmulatorConfig { agents: bots, seed: scale.seed, ..EmulatorConfig::default() })?;
        let tertulia = Tertulia::builder()
            .platform(fleet::platform(&emulator))
            .connections(fleet::bots(emulator.account(), scale.bots))
            .journal(Journal::start(Arc::new(MemoryStore::new(KEPT)), Retention::default())?)
            .start()?;
        Ok(Self { emulator, tertulia: Arc::new(tertulia), scale, begun })
    }

    /// The connections, for the gateway.
    #[must_use]
    pub fn tertulia(&self) -> &Arc<Tertulia> {
        &self.tertulia
    }

    /// Opens the conversations, lets all consumers send, and compares. Reports each step to `progress`.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn run(&self, mut progress: impl FnMut(Progress)) -> Result<Summary, DemoError> {
        let mut events = self.tertulia.events_within(Filter::everything().kind(EventKind::Message), EVENTS);
        let bots = (1..=self.scale.bots).map(|number| fleet::bot_name(number).into()).collect();
        let mut fleet = Fleet::new(Arc::clone(&self.tertulia), self.scale, bots);
        fleet.open(self.emulator.account(), &mut progress).await?;
        self.emulator.set_faults(self.scale.faults, self.scale.seed);
        fleet.begin();
        while !fleet.is_done() {
            match tokio::time::timeout(STALLED_AFTER, events.next()).await {
                Ok(Some(event)) => fleet.take(&*event?),
                Ok(None) => return Err(DemoError::Stopped),
                Err(_) => break,
            }
            progress(fleet.progress());
        }
        self.emulator.set_faults(FaultMode::None, self.scale.seed);
        let proof = fleet.prove(&self.emulator.ledger());
        let counts = Counts::of(self.tertulia.metrics());
        Ok(Summary::new(self.scale, self.begun, &self.emulator.summary(), &counts, &fleet, proof))
    }

    /// Stops the demo.
    pub async fn stop(self) {
        let Self { emulator, tertulia, .. } = self;
        if let Ok(tertulia) = Arc::try_unwrap(tertulia) {
            tertulia.stop(STOP_WITHIN).await;
        }
        emulator.stop();
    }
}

/// The progress of a demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Conversations are being opened.
    Opening {
        /// The number of open conversations.
        open: u64,
        /// The number of conversations to open.
        of: u64,
    },
    /// Consumers are sending.
    Speaking {
        /// The number of answers that arrived.
        answered: u64,
        /// The number of expected answers, if known in advance.
        of: Option<u64>,
    },
}
