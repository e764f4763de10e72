//! How a running system is put together.

use std::{num::NonZeroUsize, sync::Arc};

use crate::{
    StartError, Tertulia,
    connection::{ConnectionSettings, Surroundings},
    conversation::Directory,
    engine::Journal,
    fleet::{Fleet, Registry},
    intake::IntakeSettings,
    metrics::Metrics,
    platform::{Platform, PlatformSettings},
    subscriber::RoutingTable,
    supervision::{ArbiterPool, GuardOptions, PoolOptions, start_guarded_in},
};

/// A system before it runs.
#[derive(Default)]
pub struct Builder {
    platform: PlatformSettings,
    pool: PoolOptions,
    connections: Vec<ConnectionSettings>,
    intakes: Vec<IntakeSettings>,
    journal: Option<Arc<Journal>>,
}

impl Builder {
    /// The platform's discovery service.
    #[must_use]
    pub fn discovery(mut self, address: impl Into<String>) -> Self {
        self.platform.discovery = address.into();
        self
    }

    /// Trusts one more certificate authority, a PEM text.
    #[must_use]
    pub fn trust(mut self, authority: impl Into<String>) -> Self {
        self.platform.authorities.push(authority.into());
        self
    }

    /// All settings of the platform at once.
    #[must_use]
    pub fn platform(mut self, settings: PlatformSettings) -> Self {
        self.platform = settings;
        self
    }

    /// Keeps events, conversations and durable commands. Without a journal nothing outlives the process, and events are
    /// only for those who listen when they happen.
    #[must_use]
    pub fn journal(mut self, journal: Arc<Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Threads for connections; one per core otherwise.
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

    /// Starts the system on the running actix system. It does not wait for connections to be ready:
    /// see [`Tertulia::ready`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(self) -> Result<Tertulia, StartError> {
        let metrics = Arc::new(Metrics::default());
        let around = Surroundings {
            platform: Platform::new(self.platform)?,
            routing: RoutingTable::new(self.journal.unwrap_or_else(Journal::forgetful), Arc::clone(&metrics)),
            notifications: Arc::default(),
            directory: Arc::new(Directory::default()),
            metrics,
        };
        let pool = ArbiterPool::start(self.pool)?;
        let registry = Arc::new(Registry::default());
        let (members, surroundings) = (Arc::clone(&registry), around.clone());
        let options = GuardOptions::new("fleet", |exit| tracing::debug!(?exit, "the fleet's actor"));
        let fleet = start_guarded_in(pool.place().arbiter(), options, move |_| Fleet::new(members, surroundings));
        let tertulia = Tertulia { pool, fleet, registry, around };
        for settings in self.connections {
            tertulia.connect(settings)?;
        }
        for settings in self.intakes {
            tertulia.connect_intake(settings)?;
        }
        Ok(tertulia)
    }
}
