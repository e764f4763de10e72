//! What all webhooks share.

use std::sync::{Arc, OnceLock, Weak};

use tertulia_actors::{
    Tertulia,
    core::placement::{Acting, DutyName},
    dead_letters::DeadLetters,
    engine::{Change, CommitError, Committed, Journal, Step},
};

use super::{metrics::WebhookMetrics, settings::Settings};
use crate::engine::Seal;

/// What all webhooks share.
pub(super) struct WebhookContext {
    /// Where replies are carried out.
    pub(super) tertulia: Weak<Tertulia>,
    pub(super) journal: Arc<Journal>,
    /// The right to deliver, with which everything is written; set before the webhooks are read.
    pub(super) acting: OnceLock<Acting>,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) settings: Settings,
    /// Seals the records that contain secrets.
    pub(super) seal: Option<Seal>,
    pub(super) metrics: Arc<WebhookMetrics>,
}

impl WebhookContext {
    /// Waits until this process is the one that delivers.
    pub(super) async fn take_duty(&self) {
        let acting = self.journal.cluster().take_when_free(DutyName::Webhooks).await;
        self.acting.get_or_init(|| acting);
    }

    /// Writes `changes` to the store. The future completes with the outcome.
    pub(super) fn keep(
        &self,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<Committed, CommitError>> + Send + use<> {
        self.journal.keep_for(self.acting.get().cloned(), changes)
    }

    /// Writes `changes` to the store, without waiting until they are durable.
    pub(super) fn append(&self, changes: Vec<Change>) {
        self.journal.append(Step { acting: self.acting.get().cloned(), changes, ..Step::default() });
    }
}
