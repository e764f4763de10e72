//! The pause after the platform refused too many requests (429).

use std::time::Duration;

use crate::session::{Backoff, Millis};

/// The pauses: at least a second, each longer than the previous one while refusals continue.
const PAUSE: Backoff =
    Backoff { floor: Duration::from_secs(1), base: Duration::from_millis(500), max: Duration::from_secs(29) };

/// One growing pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pause {
    refusals: u32,
    until: Option<Millis>,
}

impl Pause {
    /// The platform refused a request because of too many requests. Refusals within a pause belong to requests that
    /// were in flight before it, and count as one. Returns whether a new pause begins.
    pub fn refused(&mut self, now: Millis, entropy: u64) -> bool {
        if self.is_on(now) {
            return false;
        }
        self.until = Some(now.after(PAUSE.delay(self.refusals, entropy)));
        self.refusals = self.refusals.saturating_add(1);
        true
    }

    /// The platform granted a request. A grant within a pause belongs to a request from before it, and does not end the
    /// pause.
    pub fn granted(&mut self, now: Millis) {
        if !self.is_on(now) {
            *self = Self::default();
        }
    }

    /// Returns whether the pause is active.
    #[must_use]
    pub fn is_on(&self, now: Millis) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// When the pause ends; `None` if it is over.
    #[must_use]
    pub fn until(&self, now: Millis) -> Option<Millis> {
        self.until.filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_refusals_is_one_pause_of_at_least_a_second() {
        let mut pause = Pause::default();
        for refusal in 0..50 {
            pause.refused(Millis(refusal), 0);
        }
        assert!(pause.is_on(Millis(999)));
        assert!(!pause.is_on(Millis(1_000)));
    }

    #[test]
    fn pauses_grow_while_each_is_followed_by_a_refusal_and_end_with_the_first_grant() {
        let (mut pause, mut now, mut pauses) = (Pause::default(), Millis(0), Vec::new());
        for _ in 0..10 {
            pause.refused(now, u64::MAX);
            let end = (now.0..).find(|time| !pause.is_on(Millis(*time))).unwrap_or_default();
            pauses.push(end - now.0);
            now = Millis(end);
        }
        assert!(pauses.iter().all(|pause| (1_000..=30_000).contains(pause)), "{pauses:?}");
        pause.refused(now, 0);
        pause.granted(now);
        assert!(pause.is_on(now), "the grant of a request from before");
        pause.granted(now.after(Duration::from_secs(30)));
        assert_eq!(pause, Pause::default());
    }
}
