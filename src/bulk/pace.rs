//! The speed of a job: its own rate, reduced while the platform refuses the account's requests with 429.

use std::time::{Duration, Instant};

use super::job::Rate;

/// The lowest fraction of its rate that a job slows down to.
const SLOWEST: f64 = 1.0 / 32.0;
/// The fraction of its rate that a slowed job regains per second without refusals.
const RECOVERY: f64 = 0.05;
/// Refusals within this time count as one, because their requests were sent together (protocol
/// [§9.3](crate::protocol#93)).
const ONE_BURST: Duration = Duration::from_secs(1);

/// When a job may begin its next item.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    next: Option<Instant>,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, next: None }
    }

    /// Reserves the next turn and returns its time. Unused turns are lost, so that no burst follows a pause.
    pub(super) fn take(&mut self, speed: f64, now: Instant) -> Instant {
        let turn = self.next.map_or(now, |next| next.max(now));
        let per_second = f64::from(self.rate.per_second().get()) * speed.clamp(SLOWEST, 1.0);
        self.next = Some(turn + Duration::from_secs_f64(1.0 / per_second));
        turn
    }
}

/// The reduction of the speed of one account's jobs.
#[derive(Debug, Default)]
pub(super) struct Slowdown {
    /// The fraction of the rate at a moment; `None` at full speed.
    since: Option<(f64, Instant)>,
}

impl Slowdown {
    /// Records a 429: halves the speed. Further refusals within a second are ignored, because their requests were sent
    /// before.
    pub(super) fn refused(&mut self, now: Instant) {
        if self.since.is_none_or(|(_, since)| now.saturating_duration_since(since) >= ONE_BURST) {
            self.since = Some(((self.speed(now) / 2.0).max(SLOWEST), now));
        }
    }

    /// The current fraction of the rate.
    pub(super) fn speed(&self, now: Instant) -> f64 {
        let Some((speed, since)) = self.since else { return 1.0 };
        (speed + RECOVERY * now.saturating_duration_since(since).as_secs_f64()).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(per_second: u32) -> Rate {
        Rate::new(per_second).unwrap()
    }

    #[test]
    fn turns_follow_the_rate() {
        let (mut pace, now) = (Pace::new(rate(4)), Instant::now());
        let turns: Vec<_> = (0..5).map(|_| pace.take(1.0, now).duration_since(now).as_millis()).collect();
        assert_eq!(turns, [0, 250, 500, 750, 1_000]);
    }

    #[test]
    fn no_burst_follows_a_pause() {
        let (mut pace, now) = (Pace::new(rate(10)), Instant::now());
        pace.take(1.0, now);
        let later = now + SECOND * 60;
        assert_eq!(pace.take(1.0, later), later);
        assert_eq!(pace.take(1.0, later), later + SECOND / 10);
    }

    #[test]
    fn a_burst_of_refusals_halves_the_speed_once_and_the_next_one_again() {
        let (mut slowdown, now) = (Slowdown::default(), Instant::now());
        for refusal in 0..50 {
            slowdown.refused(now + SECOND / 100 * refusal);
        }
        assert!((slowdown.speed(now) - 0.5).abs() < 1e-9);
        slowdown.refused(now + SECOND);
        assert!((slowdown.speed(now + SECOND) - 0.275).abs() < 1e-9);
        for refusal in 2..100 {
            slowdown.refused(now + SECOND * refusal);
        }
        assert!(slowdown.speed(now + SECOND * 99) >= SLOWEST);
    }

    #[test]
    fn the_speed_comes_back_while_nothing_is_refused() {
        let (mut slowdown, now) = (Slowdown::default(), Instant::now());
        slowdown.refused(now);
        let speeds = [0, 5, 10, 60].map(|seconds| slowdown.speed(now + SECOND * seconds));
        assert!(speeds.is_sorted() && (speeds[2] - 1.0).abs() < 1e-9 && speeds[3] <= 1.0, "{speeds:?}");
    }

    #[test]
    fn a_slowed_job_has_longer_pauses() {
        let (mut pace, now) = (Pace::new(rate(10)), Instant::now());
        pace.take(0.5, now);
        assert_eq!(pace.take(0.5, now), now + SECOND / 5);
        assert!(pace.take(0.0, now) < now + SECOND, "it never stands still");
    }
}
