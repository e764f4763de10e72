//! The rate of one type of request: raised until the platform refuses, and kept below what the platform grants.

use std::time::Duration;

use super::{Pause, window::AFTER_A_REFUSAL};
use crate::session::Millis;

/// Requests per second at the beginning. With [`SPEED_UP`] the rate is practically unlimited after a second of grants.
const START: f64 = 20.0;
/// A rate that is practically unlimited.
const UNLIMITED: f64 = 10_000.0;
/// The slowest rate: one request in ten seconds.
const SLOWEST: f64 = 0.1;
/// The factor by which each grant raises the rate while no limit is known.
const SPEED_UP: f64 = 1.05;
/// The share of the granted rate that is used when the limit is known.
const SHARE: f64 = 0.92;
/// The factor by which each grant raises the rate when the limit is known. Enough grants between two rare refusals
/// restore the rate.
const PROBE: f64 = 1.001;
/// If the rate exceeds the known limit by this factor without a refusal, the limit is forgotten.
const DISBELIEF: f64 = 1.25;
/// The most requests in flight together.
const MANY: f64 = 32.0;
/// The number of requests by which each grant raises the number allowed in flight.
const WIDEN: f64 = 1.0 / 8.0;
/// A shorter time does not allow a measurement of the rate.
const MEASURED_FOR: Duration = Duration::from_secs(1);
/// How late a busy thread may wake up, in milliseconds. Requests due within this time are sent together, because one
/// request per wake-up would be far below the rate.
const TURN: f64 = 20.0;
/// A burst of grants after a pause shows the limit if this many bursts in a row were as large as the previous one. A
/// platform that refuses at random grants a different number each time.
const ALIKE: u32 = 2;
/// A request that is sent this much later than the rate allowed was not delayed by the rate.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// What the platform's grants and refusals showed about its limit.
#[derive(Debug, Clone, Copy)]
struct Learnt {
    per_second: f64,
    /// The number of requests allowed in flight.
    together: f64,
    /// The number granted between the last two pauses, if that took less than a second.
    burst: Option<u32>,
    /// How many bursts in a row were as large as the previous one.
    alike: u32,
    /// The number granted per second when the platform last refused.
    limit: Option<f64>,
}

/// When the next request of a type may be sent.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    pub(super) pause: Pause,
    learnt: Learnt,
    /// What was known before the last refusal.
    before: Learnt,
    /// Whether the last request used the last place in flight. Otherwise grants do not show that more requests together
    /// would be granted.
    was_last: bool,
    /// When the measurement of grants began: at the end of the last pause, moved by the time in which nothing was
    /// requested.
    measured_since: Millis,
    granted: u32,
    /// In milliseconds, with a fraction.
    next: f64,
}

impl Default for Rate {
    fn default() -> Self {
        let learnt = Learnt { per_second: START, together: AFTER_A_REFUSAL, burst: None, alike: 0, limit: None };
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
    /// Returns when the next request may be sent, `now` at the earliest.
    pub(super) fn next(&self, now: Millis) -> Millis {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time, saturating")]
        let paced = Millis(self.next.ceil() as u64);
        paced.max(self.pause.until(now).unwrap_or(now)).max(now)
    }

    /// Returns whether `out` requests are as many as may be in flight, or more.
    #[allow(clippy::cast_precision_loss, reason = "requests that are out are few")]
    pub(super) fn is_full(&self, out: usize) -> bool {
        out as f64 >= self.learnt.together.floor()
    }

    /// A request is sent while `out` others are in flight.
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

    /// The platform refused a request because of too many requests. Returns whether that begins a pause.
    pub(super) fn refused(&mut self, now: Millis, entropy: u64) -> bool {
        if !self.pause.refused(now, entropy) {
            return false;
        }
        self.before = self.learnt;
        self.learnt.together = (self.learnt.together / 2.0).max(AFTER_A_REFUSAL);
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
            // Too few requests were granted to show a limit. The rate starts again, and reaches its old value after a
            // second without refusals.
            self.learnt.per_second = half.min(START.max(granted * SHARE));
        }
        self.learnt.per_second = self.learnt.per_second.max(SLOWEST);
        self.learnt.burst = is_short.then_some(self.granted);
        (self.measured_since, self.granted) = (self.pause.until(now).unwrap_or(now), 0);
        self.next = 0.0;
        true
    }

    /// Reverts what the last refusal showed about the rate, because it did not concern this type of request.
    pub(super) fn unlearn(&mut self) {
        self.learnt = Learnt { together: self.learnt.together, ..self.before };
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of a process's life are far below 2^53")]
fn as_float(Millis(time): Millis) -> f64 {
    time as f64
}
