//! Whether a node may act.

/// Whether a node may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The node acts.
    Valid,
    /// No beat was answered for too long. The node keeps its duties but does nothing until a beat is answered.
    Suspended,
    /// The node was fenced or has left. It has no duties any more, and must join again to get some.
    Over,
}
