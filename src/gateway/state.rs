//! What the resources share.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use tertulia_actors::Tertulia;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    backup::BACKUPS,
    capacity::Capacity,
    events::places::Places,
    keyed::UnderWay,
    metrics::{self, HttpMetrics},
    openapi::Document,
    overview::Recent,
    room::Room,
};
use crate::{
    bulk::Bulk,
    config::{Admissible, Limits, Token},
    fleet::AddedConnections,
    webhooks::Webhooks,
};

/// What all bodies of callers who were let in may take together, in bytes.
const BODIES: usize = 64 * 1024 * 1024;
/// What all bodies may take together of callers whose body itself must vouch for them, in bytes.
const UNKNOWN_BODIES: usize = 16 * 1024 * 1024;
/// What all files may take together, in bytes.
const UPLOADS: usize = 64 * 1024 * 1024;

/// What the resources share: the running system and who may call.
pub struct State {
    pub(super) tertulia: Arc<Tertulia>,
    pub(super) bulk: Arc<Bulk>,
    pub(super) access: Access,
    pub(super) registry: Registry,
    pub(super) http: HttpMetrics,
    pub(super) document: Document,
    pub(super) added: AddedConnections,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) under_way: Arc<UnderWay>,
    pub(super) recent: Recent,
    /// How many callers there may be.
    pub(super) capacity: Capacity,
    /// Places for those of them who follow the events.
    pub(super) places: Places,
    /// Memory for the bodies of callers who were let in.
    pub(super) bodies: Room,
    /// Memory for the bodies of callers who are not known before their body was read.
    pub(super) unknown_bodies: Room,
    /// Memory for files on their way to the platform.
    pub(super) uploads: Room,
    /// Places for backups.
    pub(super) backups: Arc<Semaphore>,
    /// Set before the gateway ends: it is not ready for more.
    pub(super) leaving: CancellationToken,
    /// Set when the gateway ends, for whatever would last longer.
    pub(super) closing: CancellationToken,
    /// Lives as long as this.
    pub(super) held: watch::Sender<()>,
}

impl State {
    /// A gateway to `tertulia`, its `webhooks` and its `bulk` work for whoever shows one of `tokens`; without any, for
    /// whoever reaches its address. Each token may ask as much as `limits` say.
    #[must_use]
    pub fn new(
        tertulia: Arc<Tertulia>,
        webhooks: Arc<Webhooks>,
        bulk: Arc<Bulk>,
        tokens: &[Token],
        limits: &Limits,
    ) -> Self {
        let (http, capacity) = (HttpMetrics::default(), Capacity::here());
        let mut registry = metrics::registry(&tertulia, webhooks.metrics(), &http);
        bulk.register(registry.sub_registry_with_prefix("tertulia"));
        Self {
            registry,
            places: Places::new(capacity.streams, http.streams.clone()),
            capacity,
            http,
            bulk,
            added: AddedConnections::new(Arc::clone(&tertulia), Admissible::default()),
            webhooks,
            under_way: Arc::default(),
            tertulia,
            access: Access::new(tokens, limits),
            document: Document::gather(),
            recent: Recent::default(),
            bodies: Room::new(BODIES),
            unknown_bodies: Room::new(UNKNOWN_BODIES),
            uploads: Room::new(UPLOADS),
            backups: Arc::new(Semaphore::new(BACKUPS)),
            leaving: CancellationToken::new(),
            closing: CancellationToken::new(),
            held: watch::Sender::new(()),
        }
    }

    /// The same, whose callers may add connections that refer to what is `admissible`.
    #[must_use]
    pub fn admitting(self, admissible: Admissible) -> Self {
        Self { added: AddedConnections::new(Arc::clone(&self.tertulia), admissible), ..self }
    }
}
