//! What the connection waits for, as it is told: in its status, in the log, and as an event.

use std::time::Duration;

use tertulia_core::session::{Millis, Phase, Wait, WaitReason};

use super::{Connection, Waiting};
use crate::subscriber::EventData;

/// What the session waits for, as it was told.
#[derive(Default)]
pub(super) struct Waits {
    /// In the status.
    shown: Option<Wait>,
    /// As an event, since the connection was last ready.
    told: Option<WaitReason>,
}

impl Waits {
    /// Whether an event told of this wait since the connection was last ready.
    pub(super) fn was_told(&self, reason: WaitReason) -> bool {
        self.told == Some(reason)
    }
}

impl Connection {
    /// Tells what the session waits for, if that is something else than before.
    pub(super) fn tell_waiting(&mut self) {
        let wait = self.session.waiting();
        if *self.session.phase() == Phase::Ready && wait.is_none() {
            self.waits.told = None;
        }
        if wait == self.waits.shown {
            return;
        }
        self.waits.shown = wait;
        let Millis(now) = self.now();
        let waiting = wait.map(|Wait { reason, until: Millis(until) }| Waiting {
            reason,
            until: jiff::Timestamp::now() + Duration::from_millis(until.saturating_sub(now)),
        });
        self.status.send_modify(|status| status.waiting = waiting);
        let Some(Waiting { reason, until }) = waiting.filter(|waiting| waiting.reason.concerns_login()) else { return };
        // Once for each trouble, however often it is tried again.
        if self.waits.told.replace(reason) != Some(reason) {
            tracing::warn!(connection = %self.settings.id, %reason, %until, "the connection waits");
            let last_error = self.status.borrow().last_error.clone();
            self.publish(EventData::Waiting { reason, until, last_error });
        }
    }
}
