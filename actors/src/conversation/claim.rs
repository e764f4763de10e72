//! Decides the race between the conversation that sends a command and the caller that stops waiting for it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The right to decide about a command, which the first taker gets. A conversation that reaches a command too late,
/// because the disk is full or its arbiter is blocked, finds that its caller already knows that nothing was sent. It
/// then sends nothing.
#[derive(Clone, Default)]
pub(crate) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Takes the right; returns whether nobody had taken it before.
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_ask_decides() {
        let claim = Claim::default();
        let other = claim.clone();
        assert!(claim.take());
        assert!(!other.take());
    }
}
