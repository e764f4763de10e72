//! How long a node must be silent before it loses its duties, and the times derived from that.

use std::time::Duration;

use thiserror::Error;

use super::standing::Standing;

/// How long a node must be silent before another node may fence it: 5 s to 120 s. All nodes need the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseDuration {
    millis: u32,
}

/// A lease outside the accepted range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a lease of {lease:?} is not between {:?} and {:?}", LeaseDuration::SHORTEST, LeaseDuration::LONGEST)]
pub struct LeaseDurationError {
    /// The refused value.
    pub lease: Duration,
}

impl Default for LeaseDuration {
    /// 15 s.
    fn default() -> Self {
        Self { millis: 15_000 }
    }
}

impl LeaseDuration {
    /// The shortest lease: 5 s.
    pub const SHORTEST: Duration = Duration::from_secs(5);
    /// The longest lease: 120 s.
    pub const LONGEST: Duration = Duration::from_secs(120);

    /// Returns the lease, in whole milliseconds.
    ///
    /// # Errors
    /// A duration shorter than [`LeaseDuration::SHORTEST`] or longer than [`LeaseDuration::LONGEST`].
    pub fn new(lease: Duration) -> Result<Self, LeaseDurationError> {
        let millis = u32::try_from(lease.as_millis()).ok();
        let is_accepted = (Self::SHORTEST..=Self::LONGEST).contains(&lease);
        millis.filter(|_| is_accepted).map(|millis| Self { millis }).ok_or(LeaseDurationError { lease })
    }

    /// The lease *T* itself. A node is silent after this time without a beat.
    #[must_use]
    pub fn get(self) -> Duration {
        self.part(1, 1)
    }

    /// How often a node sends a beat: every *T*/5.
    #[must_use]
    pub fn beat_every(self) -> Duration {
        self.part(1, 5)
    }

    /// From this time since the last answered beat was sent, the node is suspended: 2*T*/3.
    #[must_use]
    pub fn suspended_after(self) -> Duration {
        self.part(2, 3)
    }

    /// From this time since the last answered beat was sent, the node has no socket open: 5*T*/6.
    #[must_use]
    pub fn sockets_close_after(self) -> Duration {
        self.part(5, 6)
    }

    /// The longest time between two answered beats of a watching node that counts as silence of others: 2*T*/5.
    #[must_use]
    pub fn longest_counted_gap(self) -> Duration {
        self.part(2, 5)
    }

    /// Returns the standing of a node that nobody fenced, from the time `since_sent` since its last answered beat was
    /// sent. Never [`Standing::Over`].
    #[must_use]
    pub fn standing(self, since_sent: Duration) -> Standing {
        if since_sent < self.suspended_after() { Standing::Valid } else { Standing::Suspended }
    }

    /// A fraction of the lease in whole milliseconds, rounded down: the clocks of callers count in those.
    fn part(self, numerator: u64, denominator: u64) -> Duration {
        Duration::from_millis(u64::from(self.millis) * numerator / denominator)
    }
}
