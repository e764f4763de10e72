//! Reports what the connection waits for: in its status, in the log, and as an event.

use std::time::Duration;

use tertulia_core::session::{Millis, Phase, Wait, WaitReason};

use super::{Connection, Waiting};
use crate::subscriber::EventData;

/// The wait that was reported.
#[derive(Default)]
pub(super) struct Waits {
    /// The wait in the status.
    shown: Option<Wait>,
    /// The wait emitted as an event since the connection was last ready.
    told: Option<WaitReason>,
}

impl Waits {
    /// Whether this wait was emitted as an event since the connection was last ready.
    pub(super) fn was_told(&self, reason: WaitReason) -> bool {
        self.told == Some(reason)
    }
}

impl Connection {
    /// Reports what the session waits for, if it has changed.
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
        // Once for each reason, however often the connection tries again.
        if self.waits.told.replace(reason) != Some(reason) {
            tracing::warn!(connection = %self.settings.id, %reason, %until, "the connection waits");
            let last_error = self.status.borrow().last_error.clone();
            self.publish(EventData::Waiting { reason, until, last_error });
        }
    }
}
