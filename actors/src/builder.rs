//! Configures and starts a system.

use std::{num::NonZeroUsize, sync::Arc};

use actix::{Addr, System};

use crate::{
    StartError, Tertulia,
    connection::{ConnectionSettings, ProcessContext, webhook::IntakeSettings},
    conversation::Directory,
    dead_letters::DeadLetters,
    engine::{Cluster, Journal, RecordSeal, SendGate},
    fleet::{Fleet, Registry},
    log::Log,
    metrics::Metrics,
    platform::{Platform, PlatformSettings},
    subscriber::RoutingTable,
    supervision::{
        ArbiterPool, ChildExit, GuardOptions, PoolError, PoolOptions, SupervisionSettings, start_guarded_in,
    },
    tertulia,
};

/// The settings of a system, before it starts.
#[derive(Default)]
pub struct Builder {
    platform: PlatformSettings,
    pool: PoolOptions,
    connections: Vec<ConnectionSettings>,
    intakes: Vec<IntakeSettings>,
    journal: Option<Arc<Journal>>,
    cluster: Option<Arc<dyn Cluster>>,
    seal: Option<Arc<dyn RecordSeal>>,
    supervision: SupervisionSettings,
}

impl Builder {
    /// Sets the address of the platform's discovery service.
    #[must_use]
    pub fn discovery(mut self, address: impl Into<String>) -> Self {
        self.platform.discovery = address.into();
        self
    }

    /// Trusts one more certificate authority, given in PEM.
    #[must_use]
    pub fn trust(mut self, authority: impl Into<String>) -> Self {
        self.platform.authorities.push(authority.into());
        self
    }

    /// Replaces all settings of the platform.
    #[must_use]
    pub fn platform(mut self, settings: PlatformSettings) -> Self {
        self.platform = settings;
        self
    }

    /// Makes events, conversations and durable commands persistent. Without a journal nothing survives the process, and
    /// only live subscribers receive events.
    #[must_use]
    pub fn journal(mut self, journal: Arc<Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Sets the number of threads for connections. Default: one per core.
    #[must_use]
    pub fn arbiters(mut self, arbiters: NonZeroUsize) -> Self {
        self.pool.arbiters = arbiters;
        self
    }

    /// Adds a connection that starts with the system.
    #[must_use]
    pub fn connection(mut self, settings: ConnectionSettings) -> Self {
        self.connections.push(settings);
        self
    }

    /// Adds connections that start with the system.
    #[must_use]
    pub fn connections(mut self, settings: impl IntoIterator<Item = ConnectionSettings>) -> Self {
        self.connections.extend(settings);
        self
    }

    /// Adds connections without sockets that start with the system.
    #[must_use]
    pub fn intakes(mut self, settings: impl IntoIterator<Item = IntakeSettings>) -> Self {
        self.intakes.extend(settings);
        self
    }

    /// Sets what assigns connections and logins to processes, needed if other processes use the same logins. It must be
    /// the cluster of the journal's store, or one that takes duties from it. The default is that cluster.
    #[must_use]
    pub fn cluster(mut self, cluster: Arc<dyn Cluster>) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// Sets what encrypts the tokens of step-ups in the store. Without a seal these tokens are not stored, so a step-up of
    /// a consumer whom the configured login determines must be done again by the next run of the process.
    #[must_use]
    pub fn seal(mut self, seal: Arc<dyn RecordSeal>) -> Self {
        self.seal = Some(seal);
        self
    }

    /// Sets how actors are restarted and given up, and how many dead letters are kept.
    #[must_use]
    pub fn supervision(mut self, settings: SupervisionSettings) -> Self {
        self.supervision = settings;
        self
    }

    /// Starts the system on the running actix system. Does not wait for connections to be ready; see
    /// [`ConnectionHandle::ready`](crate::ConnectionHandle::ready).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |_, emulator| {
    /// # let (address, authority) = (format!("https://{}", emulator.listen()), emulator.ca_pem());
    /// use std::time::Duration;
    /// use tertulia_actors::{Tertulia, connection::ConnectionSettings, platform::AgentLogin};
    ///
    /// let login = AgentLogin::Password { username: "bot1".into(), password: "secret".into() };
    /// let tertulia = Tertulia::builder()
    ///     .discovery(address)
    ///     .trust(authority)
    ///     .connection(ConnectionSettings::bot("bots-1", "12345678", login))
    ///     .start()?;
    /// tertulia.connection(&"bots-1".into()).ready(Duration::from_secs(30)).await?;
    /// tertulia.stop(Duration::from_secs(10)).await;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(self) -> Result<Tertulia, StartError> {
        let metrics = Arc::new(Metrics::default());
        metrics.show(&self.supervision);
        let supervision = Arc::new(self.supervision);
        let journal = self.journal.unwrap_or_else(Journal::forgetful);
        let dead_letters = DeadLetters::new(supervision.dead_letters, Arc::clone(&metrics), Arc::clone(&journal));
        let dead_letters = dead_letters.map_err(StartError::Thread)?;
        let routing = Arc::new(RoutingTable::default());
        let cluster = self.cluster.unwrap_or_else(|| Arc::clone(journal.cluster()));
        let process = ProcessContext {
            platform: Platform::behind(SendGate::new(cluster.tenure()), self.platform)?,
            log: Arc::new(Log::new(Arc::clone(&journal), Arc::clone(&routing), Arc::clone(&metrics))),
            journal,
            routing,
            notifications: Arc::default(),
            directory: Arc::new(Directory::default()),
            dead_letters: Arc::new(dead_letters),
            unhandled: Arc::default(),
            cluster,
            seal: self.seal,
            metrics,
            supervision,
        };
        let pool = Arc::new(ArbiterPool::start(self.pool)?);
        let registry = Arc::new(Registry::default());
        let fleet = start_fleet(&registry, &pool, &process)?;
        let tertulia = Tertulia { system: Arc::new(tertulia::System { pool, fleet, registry, process }) };
        for settings in self.connections {
            tertulia.connect(settings)?;
        }
        for settings in self.intakes {
            tertulia.connect_intake(settings)?;
        }
        Ok(tertulia)
    }
}

fn start_fleet(
    registry: &Arc<Registry>,
    pool: &Arc<ArbiterPool>,
    process: &ProcessContext,
) -> Result<Addr<Fleet>, PoolError> {
    let system = System::try_current().ok_or(PoolError::NoSystem)?;
    let fleet = Fleet::new(Arc::clone(registry), Arc::clone(pool), process.clone());
    let metrics = Arc::clone(&process.metrics);
    let on_exit = move |exit| {
        if let ChildExit::Restarting { .. } = exit {
            metrics.restarted(&metrics.fleet_restarts);
        }
    };
    let policy = Arc::clone(&process.supervision.fleet);
    let options = GuardOptions { policy, ..GuardOptions::new("fleet", on_exit) };
    Ok(start_guarded_in(system.arbiter(), options, move |_| fleet))
}
