//! How often and how fast a child may be restarted.

use std::collections::VecDeque;
use std::time::Duration;

use tertulia_core::session::Backoff;
use tokio::time::Instant;

/// How often and how fast a child is restarted after a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// More restarts than this within `within`, and the child is given up. Default 5.
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
pub struct Intensity {
    recent: VecDeque<Instant>,
}

impl Intensity {
    /// Asks for one more restart at `now`. Answers how many lie in the window, this one included, or `None` if it
    /// would be one too many. Remembers at most `max_restarts` points of time.
    pub fn permit(&mut self, policy: &RestartPolicy, now: Instant) -> Option<u32> {
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
