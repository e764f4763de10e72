//! How long a connection keeps its commands back when the platform is asked too much of (429, protocol §9.3).
//!
//! The platform counts by login, so what one conversation is refused for, all of the connection wait for, and no other
//! connection does.

use std::time::Duration;

use super::{Backoff, Millis};

/// The pauses, one longer than the other while the refusals go on.
const PAUSE: Backoff =
    Backoff { floor: Duration::from_secs(1), base: Duration::from_millis(500), max: Duration::from_secs(29) };

/// Whether commands may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Throttle {
    refusals: u32,
    until: Option<Millis>,
}

impl Throttle {
    /// The platform refused a request for its number. Those that were on their way with it count as one.
    pub fn refused(&mut self, now: Millis, entropy: u64) {
        if !self.is_paused(now) {
            self.until = Some(now.after(PAUSE.delay(self.refusals, entropy)));
            self.refusals = self.refusals.saturating_add(1);
        }
    }

    /// The platform took a request. An answer to one from before the pause tells nothing.
    pub fn taken(&mut self, now: Millis) {
        if !self.is_paused(now) {
            *self = Self::default();
        }
    }

    /// Whether commands are kept back.
    #[must_use]
    pub fn is_paused(&self, now: Millis) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_refusals_is_one_pause_of_at_least_a_second() {
        let mut throttle = Throttle::default();
        for refusal in 0..50 {
            throttle.refused(Millis(refusal), 0);
        }
        assert!(throttle.is_paused(Millis(999)));
        assert!(!throttle.is_paused(Millis(1_000)));
    }

    #[test]
    fn pauses_grow_while_each_is_followed_by_a_refusal_and_end_with_the_first_success() {
        let (mut throttle, mut now, mut pauses) = (Throttle::default(), Millis(0), Vec::new());
        for _ in 0..10 {
            throttle.refused(now, u64::MAX);
            let end = (now.0..).find(|time| !throttle.is_paused(Millis(*time))).unwrap_or_default();
            pauses.push(end - now.0);
            now = Millis(end);
        }
        assert!(pauses.iter().all(|pause| (1_000..=30_000).contains(pause)), "{pauses:?}");
        throttle.refused(now, 0);
        throttle.taken(now);
        assert!(throttle.is_paused(now), "an answer from before");
        throttle.taken(now.after(Duration::from_secs(30)));
        assert_eq!(throttle, Throttle::default());
    }
}
