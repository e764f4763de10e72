//! Which wait of the session was shown in the status and reported as an event.

use tertulia_core::session::{Wait, WaitReason};

use super::{ConnectionContext, ReportedWait, Waiting};

/// Which wait of the session was shown and reported.
#[derive(Default)]
pub(super) struct Waits {
    /// The wait in the status.
    shown: Option<Wait>,
    reported: ReportedWait,
}

impl Waits {
    /// Returns whether the status must show this wait, which it does not show yet.
    pub(super) fn show(&mut self, wait: Option<Wait>) -> bool {
        std::mem::replace(&mut self.shown, wait) != wait
    }

    /// The connection is ready: the next wait is reported even if its reason is the same.
    pub(super) fn ready(&mut self) {
        self.reported.clear();
    }

    /// Whether this reason was reported since the connection was last ready.
    pub(super) fn was_reported(&self, reason: WaitReason) -> bool {
        self.reported.is(reason)
    }

    /// Reports a wait that concerns the login in the log and as an event.
    pub(super) fn report(&mut self, waiting: Waiting, context: &ConnectionContext) {
        self.reported.report(waiting, context);
    }
}
