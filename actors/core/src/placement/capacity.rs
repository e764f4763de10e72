//! How much a node takes on in proportion to other nodes.

use thiserror::Error;

/// How much a node takes on in proportion to other nodes: 0.001 to 1,000, in thousandths. 1 unless configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capacity {
    thousandths: u32,
}

/// A capacity outside the accepted range.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("a capacity of {capacity} is not between 0.001 and 1000")]
pub struct CapacityError {
    /// The refused value.
    pub capacity: f64,
}

impl Default for Capacity {
    /// 1.
    fn default() -> Self {
        Self { thousandths: 1_000 }
    }
}

impl Capacity {
    /// Returns the capacity, rounded to thousandths.
    ///
    /// # Errors
    /// A number below 0.001 or above 1,000, or no number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn new(capacity: f64) -> Result<Self, CapacityError> {
        let is_accepted = (0.001..=1_000.0).contains(&capacity);
        let thousandths = (capacity * 1_000.0).round() as u32;
        is_accepted.then_some(Self { thousandths }).ok_or(CapacityError { capacity })
    }

    /// The capacity in thousandths, 1 to 1,000,000.
    #[must_use]
    pub fn thousandths(self) -> u32 {
        self.thousandths
    }
}
