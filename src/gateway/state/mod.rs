//! The state that the resources share, and what each caller reaches of it.
//!
//! The connections, webhooks, jobs and dead letters are private to this module. A resource gets them from its
//! [`Caller`], who has only their own, so a resource cannot forget to check the reach of a token.

mod bulk;
mod caller;
mod dead_letters;
mod webhooks;

use std::sync::{Arc, atomic::AtomicBool};

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use tertulia_actors::Tertulia;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    capacity::Capacity,
    events::places::Places,
    inbox::Inbox,
    metrics::{HttpMetrics, register_node, registry},
    nodes::Neighbours,
    origins::Origins,
    overview::{Recent, Recorder},
    room::Room,
    under_way::UnderWay,
};
use crate::{
    bulk::Bulk,
    config::{Admissible, Limits, MetricsPerConnection, Token},
    fleet::AddedConnections,
    webhooks::Webhooks,
};

pub(super) use caller::Caller;

/// The bytes that all bodies of admitted callers may use together.
const BODIES: usize = 64 * 1024 * 1024;
/// The bytes that all bodies of not yet authenticated callers may use together.
const UNKNOWN_BODIES: usize = 16 * 1024 * 1024;
/// The bytes that all uploaded files may use together.
const UPLOADS: usize = 64 * 1024 * 1024;

/// Backups at the same time: each needs as much disk space as the store.
const BACKUPS: usize = 1;

/// The state that the resources share: the running connections and who may call.
pub struct State {
    tertulia: Arc<Tertulia>,
    bulk: Arc<Bulk>,
    added: AddedConnections,
    /// The other nodes; `None` if there are none.
    pub(super) neighbours: Option<Neighbours>,
    webhooks: Arc<Webhooks>,
    /// Who may call. Replaced while the gateway runs.
    pub(super) access: Arc<ArcSwap<Access>>,
    pub(super) registry: Registry,
    /// Whether `/metrics` has series for each connection.
    pub(super) per_connection: MetricsPerConnection,
    pub(super) http: HttpMetrics,
    pub(super) under_way: Arc<UnderWay>,
    /// The numbers of the last seconds, counted between two requests.
    pub(super) recent: Recent,
    /// The last hour and the newest notable events.
    pub(super) recorder: Arc<Recorder>,
    /// How many callers there may be.
    pub(super) capacity: Capacity,
    /// Places for callers of event streams.
    pub(super) places: Places,
    /// Memory for the bodies of admitted callers.
    pub(super) bodies: Room,
    /// Memory for bodies that must be read before their callers are authenticated.
    pub(super) unknown_bodies: Room,
    /// Webhooks that this node accepts for other nodes.
    pub(super) inbox: Arc<Inbox>,
    /// Memory for files on their way to the platform.
    pub(super) uploads: Room,
    /// Permits for backups.
    pub(super) backups: Arc<Semaphore>,
    /// Whether `/readyz` has reported that the service is ready.
    pub(super) was_ready: AtomicBool,
    /// Cancelled before the gateway stops, so that `/readyz` reports it.
    pub(super) leaving: CancellationToken,
    /// Cancelled when the gateway stops, for requests that would last longer.
    pub(super) closing: CancellationToken,
    /// Dropped with the state, which tells the receiver that the state is released.
    pub(super) held: watch::Sender<()>,
}

impl State {
    /// The state of a gateway to `tertulia`, its `webhooks` and its `bulk` jobs. Requires one of `tokens`; open to
    /// every local caller if `tokens` is empty. Each token is limited by `limits`.
    #[must_use]
    pub fn new(
        tertulia: Arc<Tertulia>,
        webhooks: Arc<Webhooks>,
        bulk: Arc<Bulk>,
        tokens: &[Token],
        limits: &Limits,
    ) -> Self {
        let (http, capacity) = (HttpMetrics::default(), Capacity::here());
        let mut registry = registry(&tertulia, webhooks.metrics(), &http);
        bulk.register(registry.sub_registry_with_prefix("tertulia"));
        let closing = CancellationToken::new();
        let access = Access::new(tokens, limits, Origins::new(&[]), &closing);
        let access = Arc::new(ArcSwap::from_pointee(access));
        let recorder = Recorder::new(&tertulia, &access, None);
        Self {
            registry,
            per_connection: MetricsPerConnection::default(),
            places: Places::new(capacity.streams, http.streams.clone()),
            capacity,
            http,
            bulk,
            added: AddedConnections::new(Arc::clone(&tertulia), Admissible::default()),
            neighbours: None,
            webhooks,
            under_way: Arc::default(),
            access,
            recent: Recent::default(),
            recorder,
            bodies: Room::new(BODIES),
            unknown_bodies: Room::new(UNKNOWN_BODIES),
            inbox: Arc::new(Inbox::new(tertulia.journal())),
            uploads: Room::new(UPLOADS),
            backups: Arc::new(Semaphore::new(BACKUPS)),
            was_ready: AtomicBool::new(false),
            leaving: CancellationToken::new(),
            closing,
            held: watch::Sender::new(()),
            tertulia,
        }
    }

    /// The same state, whose callers may add connections that refer to `admissible` secrets and proxies.
    #[must_use]
    pub fn admitting(self, admissible: Admissible) -> Self {
        let added = AddedConnections::new(Arc::clone(&self.tertulia), admissible);
        self.adding(added)
    }

    /// The same state, whose callers add connections through `added`.
    #[must_use]
    pub fn adding(self, added: AddedConnections) -> Self {
        Self { added, ..self }
    }

    /// The same state at a node of several.
    #[must_use]
    pub(crate) fn among(mut self, neighbours: Neighbours) -> Self {
        register_node(&mut self.registry, &neighbours, self.tertulia.journal(), &self.inbox);
        let me = neighbours.members.table().me().clone();
        self.recorder = Recorder::new(&self.tertulia, &self.access, Some(me));
        Self { neighbours: Some(neighbours), ..self }
    }

    /// The same state, whose metrics have series for each connection as `per_connection` says.
    #[must_use]
    pub fn metering(self, per_connection: MetricsPerConnection) -> Self {
        Self { per_connection, ..self }
    }

    /// The same state, which pages of `origins` may also call from a browser.
    #[must_use]
    pub fn allowing(self, origins: &[String]) -> Self {
        self.access.rcu(|access| access.allowing(Origins::new(origins)));
        self
    }

    /// Records the recent past from now on. Must be called inside an actix system.
    pub(super) fn record(&self) {
        self.recorder.begin(&self.tertulia, &self.webhooks, &self.access, self.closing.clone());
    }

    /// Ends a drain that an operator began. A node that stops drains on.
    pub(super) fn take_duties_again(&self) {
        if let Some(neighbours) = self.neighbours.as_ref().filter(|_| !self.leaving.is_cancelled()) {
            neighbours.members.say(|about| about.is_draining = false);
        }
    }

    /// Whether this process delivers to webhooks.
    pub(super) fn delivers_to_webhooks(&self) -> bool {
        self.webhooks.delivers()
    }

    /// Whether this process runs the bulk jobs.
    pub(super) fn runs_bulk_jobs(&self) -> bool {
        self.bulk.runs()
    }

    /// The library without the limits of a caller. Only for resources that need no token, and for data that belongs to
    /// no connection.
    pub(super) fn everything(&self) -> &Arc<Tertulia> {
        &self.tertulia
    }
}
