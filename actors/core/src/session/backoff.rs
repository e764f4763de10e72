//! Full-jitter exponential back-off, with the randomness as an argument.

use std::time::Duration;

use super::millis::whole_millis;

/// The wait before the next attempt: `floor` plus a uniform share of `min(max, base · 2^doublings)`.
///
/// Full jitter spreads a fleet that lost its sockets at the same moment over the whole interval (quirk
/// [Q6](crate::rules#q6) of the JavaScript SDK is that it reconnects in step).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The shortest wait.
    pub floor: Duration,
    /// The width of the random part at zero doublings.
    pub base: Duration,
    /// The largest width of the random part.
    pub max: Duration,
}

impl Backoff {
    /// The width of the random part after `doublings` doublings.
    #[must_use]
    pub fn width(&self, doublings: u32) -> Duration {
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.max)
    }

    /// Returns the same back-off with a random part of at most half of `lasted`, the time since the trouble began. So
    /// after a short trouble the wait is short too, whatever the random part was.
    #[must_use]
    pub fn within(self, lasted: Duration) -> Self {
        Self { max: self.max.min(self.base.max(lasted / 2)), ..self }
    }

    /// The wait after `doublings` doublings. `entropy` is 64 uniformly random bits.
    #[must_use]
    pub fn delay(&self, doublings: u32, entropy: u64) -> Duration {
        let width = whole_millis(self.width(doublings));
        // The bias of the remainder is below 2^-40 for every width in use.
        let share = width.checked_add(1).map_or(entropy, |outcomes| entropy % outcomes);
        self.floor.saturating_add(Duration::from_millis(share))
    }
}
