//! The pace of one type of request: found by asking faster until the platform refuses, and kept below what it grants.

use std::time::Duration;

use super::{Pause, window::FEW};
use crate::session::Millis;

/// Requests a second at the beginning. With [`SPEED_UP`] there is as good as no limit after a second of grants.
const START: f64 = 20.0;
/// The rate is as good as no limit.
const UNLIMITED: f64 = 10_000.0;
/// No slower than one request in ten seconds.
const SLOWEST: f64 = 0.1;
/// By how much each grant speeds the pace up while no limit is known.
const SPEED_UP: f64 = 1.05;
/// Which share of the granted rate is asked for once the limit is known.
const SHARE: f64 = 0.92;
/// By how much each grant speeds the pace up once the limit is known. Enough grants between two rare refusals restore the
/// pace.
const PROBE: f64 = 1.001;
/// This far above the known limit without a refusal, the limit is not believed any more.
const DISBELIEF: f64 = 1.25;
/// Requests that may be out at the same time at most.
const MANY: f64 = 32.0;
/// By how many requests more each grant lets be out at the same time.
const WIDEN: f64 = 1.0 / 8.0;
/// A shorter time tells nothing of a rate.
const MEASURED_FOR: Duration = Duration::from_secs(1);
/// How late a busy thread may wake up, in milliseconds. When the pace has several requests due in that time, they are sent
/// together, because one request for each wake-up would be far slower than the pace.
const TURN: f64 = 20.0;
/// A burst of grants after a pause shows the limit if this many bursts in a row were as large as the one before. A platform
/// that refuses at random grants another number each time.
const ALIKE: u32 = 2;
/// A request that is sent this much later than the pace allowed was not delayed by the pace.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// What the platform's grants and refusals showed of its limit.
#[derive(Debug, Clone, Copy)]
struct Learnt {
    per_second: f64,
    /// How many requests may be out at the same time.
    together: f64,
    /// What was granted between the last two pauses, where that took less than a second.
    burst: Option<u32>,
    /// How many bursts in a row were as large as the one before.
    alike: u32,
    /// What the platform granted a second when it last refused.
    limit: Option<f64>,
}

/// When the next request of a type may go out.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    pub(super) pause: Pause,
    learnt: Learnt,
    /// What was learnt before the last refusal.
    before: Learnt,
    /// Whether the last request went out as the last that could be out at that time. Otherwise grants do not show that more
    /// together would be granted.
    was_last: bool,
    /// Since when it is measured what the platform grants: the end of the last pause, and later by the time in which
    /// nothing was asked.
    measured_since: Millis,
    granted: u32,
    /// In milliseconds, with their fraction.
    next: f64,
}

impl Default for Rate {
    fn default() -> Self {
        let learnt = Learnt { per_second: START, together: FEW, burst: None, alike: 0, limit: None };
        Self {
            pause: Pause::default(),
            learnt,
            before: learnt,
            was_last: false,
            measured_since: Millis(0),
            granted: 0,
            next: 0.0,
        }
    }
}

impl Rate {
    /// When the next request may go out, `now` at the earliest.
    pub(super) fn next(&self, now: Millis) -> Millis {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time, saturating")]
        let paced = Millis(self.next.ceil() as u64);
        paced.max(self.pause.until(now).unwrap_or(now)).max(now)
    }

    /// Whether `out` requests are as many as may be out at the same time.
    #[allow(clippy::cast_precision_loss, reason = "requests that are out are few")]
    pub(super) fn is_full(&self, out: usize) -> bool {
        out as f64 >= self.learnt.together.floor()
    }

    /// A request goes out while `out` others are not answered.
    pub(super) fn sent(&mut self, out: usize, now: Millis) {
        self.was_last = self.is_full(out + 1);
        let at = as_float(now);
        let could = self.next(Millis(0));
        if now > could.after(IDLE_AFTER) {
            self.measured_since = self.measured_since.after(now.since(could)).min(now);
        }
        let interval = 1_000.0 / self.learnt.per_second;
        self.next = self.next.max(at - (TURN - interval).max(0.0)) + interval;
    }

    /// The platform granted a request.
    pub(super) fn granted(&mut self, now: Millis) {
        self.pause.granted(now);
        if self.pause.is_on(now) {
            return;
        }
        self.granted = self.granted.saturating_add(1);
        if self.was_last {
            self.learnt.together = (self.learnt.together + WIDEN).min(MANY);
        }
        match self.learnt.limit {
            None => self.learnt.per_second *= SPEED_UP,
            Some(limit) => {
                self.learnt.per_second *= PROBE;
                if self.learnt.per_second > limit * DISBELIEF {
                    self.learnt.limit = None;
                }
            }
        }
        self.learnt.per_second = self.learnt.per_second.min(UNLIMITED);
    }

    /// The platform refused a request for its number. Returns whether that begins a pause.
    pub(super) fn refused(&mut self, now: Millis, entropy: u64) -> bool {
        if !self.pause.refused(now, entropy) {
            return false;
        }
        self.before = self.learnt;
        self.learnt.together = (self.learnt.together / 2.0).max(FEW);
        let lasted = now.since(self.measured_since);
        let granted = f64::from(self.granted) / lasted.max(MEASURED_FOR).as_secs_f64();
        let half = self.learnt.per_second / 2.0;
        let is_short = lasted < MEASURED_FOR;
        let is_alike = self.learnt.burst.is_some_and(|burst| burst > 0 && burst.abs_diff(self.granted) <= burst / 8);
        self.learnt.alike = if is_short && is_alike { self.learnt.alike.saturating_add(1) } else { 0 };
        if self.learnt.alike >= ALIKE || (!is_short && granted >= half) {
            self.learnt.limit = Some(granted);
            self.learnt.per_second = self.learnt.per_second.min(granted * SHARE);
        } else {
            // Too few requests were granted to show a limit. The pace starts again, and reaches its old speed after a second
            // without refusals.
            self.learnt.per_second = half.min(START.max(granted * SHARE));
        }
        self.learnt.per_second = self.learnt.per_second.max(SLOWEST);
        self.learnt.burst = is_short.then_some(self.granted);
        (self.measured_since, self.granted) = (self.pause.until(now).unwrap_or(now), 0);
        self.next = 0.0;
        true
    }

    /// Takes back what the last refusal taught of the rate, because it did not concern this type of request.
    pub(super) fn unlearn(&mut self) {
        self.learnt = Learnt { together: self.learnt.together, ..self.before };
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of a process's life are far below 2^53")]
fn as_float(Millis(time): Millis) -> f64 {
    time as f64
}
