//! Who decides about a command that its caller may stop waiting for: the conversation that sends it, or the caller.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The right to decide, which the first to ask has. A conversation that does not get to a command in time, because the disk
/// is full or its arbiter is stuck, finds that its caller was told that nothing was sent, and sends nothing.
#[derive(Clone, Default)]
pub(crate) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Takes the right; whether nobody had taken it.
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
