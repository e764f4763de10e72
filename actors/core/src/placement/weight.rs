//! How much work a duty is in proportion to other duties.

use thiserror::Error;

/// How much work a duty is in proportion to other duties: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u16);

/// A weight outside the accepted range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a weight of {weight} is not between 1 and 1000")]
pub struct WeightError {
    /// The refused value.
    pub weight: u16,
}

impl Default for Weight {
    /// 1, the weight of a duty for which nothing else is configured.
    fn default() -> Self {
        Self(1)
    }
}

impl Weight {
    /// The weight of a connector for which nothing else is configured: it has the conversations of many agents.
    pub const OF_CONNECTOR: Self = Self(8);

    /// Returns the weight.
    ///
    /// # Errors
    /// A weight of 0 or above 1,000.
    pub fn new(weight: u16) -> Result<Self, WeightError> {
        (1..=1_000).contains(&weight).then_some(Self(weight)).ok_or(WeightError { weight })
    }

    /// The weight as a number, 1 to 1,000.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}
