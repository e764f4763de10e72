//! What all webhooks share.

use std::sync::{Arc, Weak};

use tertulia_actors::{Tertulia, dead_letters::DeadLetters, engine::Journal};

use super::{metrics::WebhookMetrics, settings::Settings};

/// What all webhooks share.
pub(super) struct WebhookContext {
    /// Where replies are carried out.
    pub(super) tertulia: Weak<Tertulia>,
    pub(super) journal: Arc<Journal>,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) settings: Settings,
    pub(super) metrics: Arc<WebhookMetrics>,
}
