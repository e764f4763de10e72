//! What all webhooks share.

use std::sync::{Arc, Weak};

use tertulia_actors::{
    Tertulia,
    core::placement::Acting,
    dead_letters::DeadLetters,
    engine::{Change, CommitError, Committed, Journal, Step},
};

use super::{metrics::WebhookMetrics, settings::Settings};
use crate::{bulk::Connections, engine::Seal};

/// What all webhooks share.
#[derive(Clone)]
pub(super) struct WebhookContext {
    /// Where replies are carried out.
    pub(super) tertulia: Weak<Tertulia>,
    /// Where replies are carried out if this process does not have the connection; `None` if there are no other nodes.
    pub(super) elsewhere: Option<Arc<dyn Connections>>,
    pub(super) journal: Arc<Journal>,
    /// The right to deliver, with which everything is written; `None` if nothing is kept.
    pub(super) acting: Option<Acting>,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) settings: Settings,
    /// Seals the records that contain secrets.
    pub(super) seal: Option<Seal>,
    pub(super) metrics: Arc<WebhookMetrics>,
}

impl WebhookContext {
    /// Writes `changes` to the store. The future completes with the outcome.
    pub(super) fn keep(
        &self,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<Committed, CommitError>> + Send + use<> {
        self.journal.keep_for(self.acting.clone(), changes)
    }

    /// Writes `changes` to the store, without waiting until they are durable.
    pub(super) fn append(&self, changes: Vec<Change>) {
        self.journal.append(Step { acting: self.acting.clone(), changes, ..Step::default() });
    }
}
