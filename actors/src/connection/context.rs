//! What a connection of either kind has from the process: the shared services, its client to the platform, and its
//! status.

use std::{fmt::Display, sync::Arc};

use tertulia_core::id::{AccountId, ConnectionId};

use super::{ProcessContext, status::StatusBoard};
use crate::{
    engine::{Change, Journal},
    log::Subject,
    metrics::{ConnectionMetrics, Metrics},
    platform::{PlatformClient, Proxy},
    subscriber::{EventData, Origin},
};

/// What a connection of either kind has from the process.
pub(super) struct ConnectionContext {
    pub(super) process: ProcessContext,
    pub(super) origin: Arc<Origin>,
    /// The counters of this connection.
    pub(super) counted: Arc<ConnectionMetrics>,
    pub(super) client: PlatformClient,
    pub(super) status: StatusBoard,
}

impl ConnectionContext {
    pub(super) fn new(
        process: ProcessContext,
        connection: ConnectionId,
        account: AccountId,
        proxy: Option<Proxy>,
        status: StatusBoard,
    ) -> Self {
        let counted = process.metrics.by_connection.of(&connection);
        let client = PlatformClient::through(proxy, Arc::clone(&process.platform), account.clone());
        let origin = Arc::new(Origin { account, connection });
        Self { process, origin, counted, client, status }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.process.metrics
    }

    pub(super) fn journal(&self) -> &Arc<Journal> {
        &self.process.journal
    }

    /// Emits an event of the connection.
    pub(super) fn publish(&self, data: EventData) {
        self.process.log.publish(&self.origin, Subject::Connection, data);
    }

    /// Stores a change of the connection's records, in order with its events.
    pub(super) fn store(&self, change: Result<Change, impl Display>) {
        match change {
            Ok(change) if self.journal().keeps() => {
                drop(self.process.log.keep(&self.origin.connection, vec![change]));
            }
            Ok(_) => {}
            Err(error) => self.note_error(&error),
        }
    }

    /// Reports an error in the log and in the status.
    pub(super) fn note_error(&self, error: &dyn Display) {
        tracing::warn!(connection = %self.origin.connection, %error, "connection trouble");
        self.status.note_error(error.to_string());
    }
}
