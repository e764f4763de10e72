//! How often and how fast a child may be restarted.

use std::collections::VecDeque;
use std::time::Duration;

use tertulia_core::session::Backoff;
use tokio::time::Instant;

/// How often and how fast a child is restarted after a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// The most restarts within `within`; one more, and the child is given up. Default 5.
    pub max_restarts: u32,
    /// The sliding window. Default 30 s.
    pub within: Duration,
    /// The wait before a restart, doubling with each restart in the window. Default 100 ms to 5 s, jittered.
    pub backoff: Backoff,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max_restarts: 5,
            within: Duration::from_secs(30),
            backoff: Backoff {
                floor: Duration::from_millis(100),
                base: Duration::from_millis(100),
                max: Duration::from_millis(4_900),
            },
        }
    }
}

/// The restarts of one child within a sliding window.
#[derive(Debug, Default)]
pub(crate) struct Intensity {
    recent: VecDeque<Instant>,
}

impl Intensity {
    /// Requests one more restart at `now`. Returns the number of restarts in the window, including this one, or `None`
    /// if the policy forbids the restart. Remembers at most `max_restarts` times.
    pub(crate) fn permit(&mut self, policy: &RestartPolicy, now: Instant) -> Option<u32> {
        while self.recent.front().is_some_and(|&at| now.duration_since(at) > policy.within) {
            self.recent.pop_front();
        }
        let restarts = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        if restarts >= policy.max_restarts {
            return None;
        }
        self.recent.push_back(now);
        Some(restarts + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_permitted_up_to_the_limit_of_the_window() {
        let (mut intensity, policy, now) = (Intensity::default(), RestartPolicy::default(), Instant::now());
        let permits: Vec<_> = (0..7).map(|_| intensity.permit(&policy, now)).collect();
        assert_eq!(permits, [Some(1), Some(2), Some(3), Some(4), Some(5), None, None]);
    }

    #[test]
    fn the_window_slides_with_each_restart() {
        let policy = RestartPolicy { max_restarts: 2, within: Duration::from_secs(10), ..RestartPolicy::default() };
        let (mut intensity, start) = (Intensity::default(), Instant::now());
        let mut permit = |second| intensity.permit(&policy, start + Duration::from_secs(second));
        assert_eq!(permit(0), Some(1));
        assert_eq!(permit(6), Some(2));
        assert_eq!(permit(10), None, "both lie within ten seconds");
        assert_eq!(permit(11), Some(2), "the first one is older now");
        assert_eq!(permit(12), None);
        assert_eq!(permit(60), Some(1));
    }

    #[test]
    fn the_window_counts_restarts_and_not_the_gaps_between_them() {
        let policy = RestartPolicy::default();
        let (mut intensity, start) = (Intensity::default(), Instant::now());
        let all_permitted = (0..100).all(|n| intensity.permit(&policy, start + Duration::from_secs(7 * n)).is_some());
        assert!(all_permitted, "five in thirty seconds are allowed, however long it goes on");
    }

    #[test]
    fn a_limit_of_zero_permits_no_restart() {
        let policy = RestartPolicy { max_restarts: 0, ..RestartPolicy::default() };
        assert_eq!(Intensity::default().permit(&policy, Instant::now()), None);
    }
}
