//! Reports what the connection waits for: in its status, in the log, and as an event.

use std::time::Duration;

use tertulia_core::session::{Millis, Phase, Wait};

use super::{Connection, Waiting};

impl Connection {
    /// Reports what the session waits for, if it has changed.
    pub(super) fn tell_waiting(&mut self) {
        let wait = self.session.waiting();
        if *self.session.phase() == Phase::Ready && wait.is_none() {
            self.waits.ready();
        }
        if !self.waits.show(wait) {
            return;
        }
        let Millis(now) = self.now();
        let waiting = wait.map(|Wait { reason, until: Millis(until) }| Waiting {
            reason,
            until: jiff::Timestamp::now() + Duration::from_millis(until.saturating_sub(now)),
        });
        self.context.status.show_waiting(waiting);
        if let Some(waiting) = waiting {
            self.waits.report(waiting, &self.context);
        }
    }
}
