//! The version of the program that a node runs.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The version of the program that a node runs, such as `0.4.2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeVersion {
    /// Changes with an incompatible release.
    pub major: u32,
    /// Changes with each release.
    pub minor: u32,
    /// Changes with each correction.
    pub patch: u32,
}

/// A text that is not a version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a version such as 0.4.2")]
pub struct NodeVersionError {
    /// The refused text.
    pub text: String,
}

impl FromStr for NodeVersion {
    type Err = NodeVersionError;

    /// Parses three numbers. A suffix after `-` or `+` is ignored: its versions count as equal.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let parts: Option<Vec<u32>> = numbers.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(NodeVersionError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for NodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
