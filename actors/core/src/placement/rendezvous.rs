//! Rendezvous scores: which node a duty prefers, the same for every reader.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::id::NodeId;

/// The part of a node's scores that does not depend on the duty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(u64);

/// How much a duty prefers a node. A higher score wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score(u64);

impl Seed {
    pub(super) fn of(node: &NodeId) -> Self {
        Self(xxh3_64(node.as_str().as_bytes()))
    }

    /// The score of this node for the duty with the text form `duty`.
    pub(super) fn score(self, duty: &str) -> Score {
        Score(xxh3_64_with_seed(duty.as_bytes(), self.0))
    }
}
