//! Whether webhooks are refused for a while because the conversations failed together.

use std::time::Duration;

use tertulia_core::session::Backoff;

/// How long webhooks are refused after a systemic fault; longer each time.
const PAUSE: Backoff =
    Backoff { floor: Duration::from_secs(1), base: Duration::from_secs(1), max: Duration::from_secs(29) };

/// Whether webhooks are refused for a while.
#[derive(Default)]
pub(super) struct HoldBack {
    is_on: bool,
    /// How often webhooks were refused.
    times: u32,
}

impl HoldBack {
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn set(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Refuses webhooks from now on. Returns for how long; `None` if they are refused already.
    pub(super) fn begin(&mut self) -> Option<Duration> {
        if std::mem::replace(&mut self.is_on, true) {
            return None;
        }
        let pause = PAUSE.delay(self.times, rand::random());
        self.times += 1;
        Some(pause)
    }
}
