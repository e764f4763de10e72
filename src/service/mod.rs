//! The service of a configuration: its connections and the gateway.

mod node;
mod open;
mod supervision;
mod webhooks;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use tertulia_actors::{
    StartError, Tertulia,
    core::tenure::Standing,
    engine::{Journal, Retention, StoreError},
    platform::PlatformSettings,
};
use tokio::{
    sync::oneshot,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use crate::{
    bulk::Bulk,
    cluster::TrustError,
    config::{self, Configuration, ConfigurationError, Engine, Environment, TlsError},
    engine::{Seal, embedded::OpenError, postgres},
    fleet::{AddedConnections, Described, describe},
    gateway::{Certificate, Gateway, GatewayError, Listening, State},
    webhooks::Webhooks,
};

pub use open::OpenedStore;

use node::RunningNode;

/// Why a service could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The database could not be opened.
    #[error(transparent)]
    Database(#[from] postgres::OpenError),
    /// The store could not be read.
    #[error(transparent)]
    Unreadable(#[from] StoreError),
    /// The system could not start the thread of the store's writer.
    #[error("cannot start the writer of the store")]
    Thread(#[source] io::Error),
    /// The file of `platform.ca_file` could not be read.
    #[error("cannot read the certificate authority in {}", file.display())]
    Authority {
        /// The file's path, as given.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What nodes know each other by cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Several processes share the data, and this one has no address for the others.
    #[error("the engine is shared, and [node] is missing")]
    NoNode,
    /// A part of the service panicked while it started.
    #[error("the database could not be opened: its thread panicked")]
    Panicked,
    /// The actors could not be started.
    #[error("cannot start the connections")]
    Start(#[from] StartError),
    /// The gateway's certificate cannot be used.
    #[error("cannot use the certificate of the gateway")]
    Certificate(#[from] TlsError),
    /// The gateway could not be started.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// A running service.
pub struct Service {
    tertulia: Arc<Tertulia>,
    webhooks: Arc<Webhooks>,
    bulk: Arc<Bulk>,
    gateway: Gateway,
    /// This process among those that share the store.
    node: Option<RunningNode>,
}

impl Service {
    /// Starts the service of `configuration`, without waiting for connections to be ready. Must be called inside an
    /// actix system.
    ///
    /// # Errors
    /// [`ServiceError`]: some part of the service cannot start.
    pub fn start(configuration: &Configuration) -> Result<Self, ServiceError> {
        Self::begin(configuration, OpenedStore::open(configuration)?)
    }

    /// Starts the service like [`Service::start`], on a store that was opened for the same configuration.
    ///
    /// # Errors
    /// [`ServiceError`]: some part of the service cannot start.
    pub fn begin(configuration: &Configuration, opened: OpenedStore) -> Result<Self, ServiceError> {
        let OpenedStore { store, cluster, added, joined } = opened;
        let journal = Journal::start(store, retention(&configuration.engine)).map_err(ServiceError::Thread)?;
        let settings = supervision::settings(&configuration.supervision);
        let mut builder = Tertulia::builder().platform(platform(configuration)?).journal(journal);
        builder = builder.cluster(cluster).supervision(settings);
        let seal = configuration.node.as_ref().and_then(|node| node.seal.as_ref()).map(Seal::new);
        if let Some(seal) = seal.clone() {
            builder = builder.seal(Arc::new(seal));
        }
        // A node begins its connections when it is to have their duties.
        let own = if joined.is_none() { configuration.connections.as_slice() } else { &[] };
        for described in own.iter().map(describe) {
            builder = match described {
                Described::Socket(settings) => builder.connection(*settings),
                Described::Webhooks(settings) => builder.intakes([*settings]),
            };
        }
        let tertulia = Arc::new(builder.start()?);
        let admissible = &configuration.gateway.admissible;
        let settings = webhooks::settings(configuration.webhooks);
        let prepare = |elsewhere| Webhooks::prepare(&tertulia, settings, seal.clone(), Some(elsewhere));
        let node = joined.map(|joined| joined.start(&tertulia, prepare, configuration, &added)).transpose()?;
        let adding = AddedConnections::new(Arc::clone(&tertulia), admissible.clone());
        let adding = match &node {
            Some(node) => adding.among(Arc::clone(&node.duties)),
            None => {
                adding.resume(&added, &Environment::of_process());
                adding
            }
        };
        let (webhooks, bulk) = match &node {
            Some(node) => (Arc::clone(&node.webhooks), Arc::clone(&node.bulk)),
            None => (Webhooks::start_sealed(&tertulia, settings, seal), Bulk::start(Arc::clone(&tertulia))),
        };
        let config::Gateway { tokens, limits, allowed_origins, .. } = &configuration.gateway;
        let state = State::new(Arc::clone(&tertulia), Arc::clone(&webhooks), Arc::clone(&bulk), tokens, limits);
        let state = state.adding(adding).allowing(allowed_origins);
        let state = match &node {
            Some(node) => state.among(node.neighbours.clone()),
            None => state,
        };
        let state = state.metering(configuration.telemetry.metrics_per_connection);
        let gateway = Gateway::start(state, listening(&configuration.gateway)?)?;
        Ok(Self { tertulia, webhooks, bulk, gateway, node })
    }

    /// The connections and conversations.
    #[must_use]
    pub fn tertulia(&self) -> &Arc<Tertulia> {
        &self.tertulia
    }

    /// Completes when this process may never act again, because another node fenced it. The service is then to be stopped
    /// and started again.
    pub async fn fenced(&self) {
        let tenure = self.tertulia.journal().cluster().tenure();
        // An error means that the process is ending.
        let _ = tenure.standing().wait_for(|standing| *standing == Standing::Over).await;
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Reads the tokens, limits, allowed origins and certificate of the gateway again from `file`, and the certificates of the
    /// node. After a mistake, which is logged, the previous ones stay in force.
    pub async fn read_again(&self, file: &Path, environment: Environment) {
        let path = file.to_owned();
        let (report, read) = oneshot::channel();
        // A thread of its own: a file that cannot be read to its end, such as a pipe, must not delay the end of the process.
        std::thread::spawn(move || {
            // Nobody may wait any more.
            drop(report.send(Configuration::load(&path, &environment)));
        });
        let Configuration { gateway, node, .. } = match read.await {
            Ok(Ok(configuration)) => configuration,
            Ok(Err(ConfigurationError::Mistaken { file, problems })) => {
                for problem in problems {
                    tracing::error!(mistake = %problem.in_file(&file), "the previous configuration stays in force");
                }
                return;
            }
            Ok(Err(error)) => return tracing::error!(%error, "the previous configuration stays in force"),
            Err(error) => return tracing::error!(%error, "the configuration could not be read again"),
        };
        let trust = self.node.as_ref().map(RunningNode::trust);
        let renewal = match &trust {
            Some(trust) => {
                let (trust, tls) = (trust.clone(), node.and_then(|node| node.tls));
                spawn_blocking(move || trust.read_again(tls.as_ref())).await
            }
            None => Ok(Ok(None)),
        };
        let renewal = match renewal {
            Ok(Ok(renewal)) => renewal,
            Ok(Err(error)) => return tracing::error!(%error, "the previous configuration stays in force"),
            Err(error) => return tracing::error!(%error, "the certificates of the node could not be read again"),
        };
        if let Err(error) = self.gateway.renew(&gateway).await {
            return tracing::error!(%error, "the previous configuration stays in force");
        }
        if let (Some(trust), Some(renewal)) = (trust, renewal) {
            trust.renew(renewal);
        }
        tracing::info!(
            tokens = gateway.tokens.len(),
            origins = gateway.allowed_origins.len(),
            "tokens, limits, allowed origins and certificates were read again"
        );
    }

    /// Stops the service. Hands the duties of a node over to other nodes. Accepts no more requests; finishes open requests, running deliveries to webhooks and running
    /// bulk items; then closes the sockets and stops the actors. Work that is not done `within` is dropped.
    pub async fn stop(self, within: Duration) {
        let deadline = Instant::now() + within;
        let Self { tertulia, webhooks, bulk, gateway, mut node } = self;
        gateway.leave();
        let tenure = tertulia.journal().cluster().tenure();
        if let Some(node) = &mut node {
            // A fenced node has nothing to hand over any more.
            node.drain(if tenure.is_over() { Duration::ZERO } else { within / 2 }).await;
        }
        // The rest of the time is for closing the sockets.
        let within = within * 5 / 6;
        tokio::join!(gateway.stop(within), webhooks.stop(within), bulk.stop(within));
        drop(bulk);
        let connections = tertulia.connections();
        let ends =
            join_all(connections.iter().map(async |connection| tertulia.connection(connection).disconnect().await));
        if timeout_at(deadline, ends).await.is_err() {
            tracing::warn!("connections did not end in time; they are dropped");
        }
        match Arc::try_unwrap(tertulia) {
            Ok(tertulia) => tertulia.stop(deadline.saturating_duration_since(Instant::now())).await,
            // Another reference exists: the actors' threads end with the actix system.
            Err(_) => tracing::debug!("something still holds the connections; their threads end with the process"),
        }
        if let Some(node) = node {
            node.leave().await;
        }
    }
}

/// The gateway's address and certificate.
fn listening(gateway: &config::Gateway) -> Result<Listening, TlsError> {
    let certificate = gateway.tls.clone().map(Certificate::read).transpose()?;
    if certificate.is_none() && !gateway.listen.ip().is_loopback() {
        tracing::warn!(
            listen = %gateway.listen,
            "the gateway speaks plain HTTP beyond this machine: tokens and messages can be read on the way unless a \
             proxy in front of the gateway adds TLS; see gateway.tls"
        );
    }
    Ok(Listening { certificate, ..Listening::plain(gateway.listen) })
}

fn retention(engine: &Engine) -> Retention {
    let conversations = Duration::from_secs(engine.retain_days * 24 * 60 * 60);
    Retention { events: engine.retain_events, conversations, ..Retention::default() }
}

/// The actors' settings of the platform.
pub(crate) fn platform(configuration: &Configuration) -> Result<PlatformSettings, ServiceError> {
    let platform = &configuration.platform;
    let authorities = match &platform.ca_file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|source| ServiceError::Authority { file: file.clone(), source })?;
            vec![text]
        }
        None => Vec::new(),
    };
    Ok(PlatformSettings { discovery: platform.discovery.to_string(), authorities, ..PlatformSettings::default() })
}
