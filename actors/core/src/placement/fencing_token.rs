//! The number of a duty's assignment.

use std::fmt;

/// The number of a duty's assignment. It grows with each assignment of the duty: a holder with a lower token is
/// outdated, and its writes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub u64);

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
