//! What a node writes to show that it runs.

/// The number of a node's tenure. It grows each time a node of this name joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeEpoch(pub u64);

/// The last beat of a node. Equal beats mean that the node sent none in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Beat {
    /// The tenure that the beat renewed.
    pub epoch: NodeEpoch,
    /// How many beats this tenure had.
    pub number: u64,
}
