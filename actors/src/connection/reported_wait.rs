//! Reports that a connection cannot log in, once for each reason.

use tertulia_core::session::WaitReason;

use super::{Waiting, context::ConnectionContext};
use crate::subscriber::EventData;

/// The reason for waiting that was reported since the connection was last ready.
#[derive(Default)]
pub(super) struct ReportedWait(Option<WaitReason>);

impl ReportedWait {
    /// Whether this reason was reported since the connection was last ready.
    pub(super) fn is(&self, reason: WaitReason) -> bool {
        self.0 == Some(reason)
    }

    /// The connection is ready: the next wait is reported even if its reason is the same.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Reports a wait that concerns the login in the log and as an event: once for each reason, however often the
    /// connection tries again.
    pub(super) fn report(&mut self, Waiting { reason, until }: Waiting, context: &ConnectionContext) {
        if !reason.concerns_login() || self.0.replace(reason) == Some(reason) {
            return;
        }
        tracing::warn!(connection = %context.origin.connection, %reason, %until, "the connection waits");
        let last_error = context.status.last_error();
        context.publish(EventData::Waiting { reason, until, last_error });
    }
}
