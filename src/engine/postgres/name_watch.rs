//! What a process does that wants the name of a node that did not leave. Pure.

use std::time::Duration;

use tertulia_actors::core::tenure::Beat;

/// What to do after a look at the node that has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameStep {
    /// Look again later.
    Wait,
    /// The node was silent for a lease: fence it.
    Fence,
    /// The node runs: give up.
    Taken,
}

/// The looks at the node that has the wanted name.
#[derive(Debug)]
pub(super) struct NameWatch {
    lease: Duration,
    /// The last beat, and when it was seen first.
    last: Option<(Beat, Duration)>,
}

impl NameWatch {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, last: None }
    }

    /// Decides what to do after the node was found with `beat`, this long after the first look. A node that is stopping may
    /// take until the end of a lease.
    pub(super) fn see(&mut self, beat: Beat, at: Duration) -> NameStep {
        match self.last {
            Some((last, since)) if last == beat => {
                if at.saturating_sub(since) < self.lease {
                    return NameStep::Wait;
                }
                // If the node beats before it is fenced, its silence begins again.
                self.last = Some((beat, at));
                NameStep::Fence
            }
            before => {
                self.last = Some((beat, at));
                if before.is_some() && at >= self.lease { NameStep::Taken } else { NameStep::Wait }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::core::tenure::NodeEpoch;

    use super::*;

    const LEASE: u64 = 15;

    fn steps(looks: &[(u64, u64, u64)]) -> Vec<NameStep> {
        let mut watch = NameWatch::new(Duration::from_secs(LEASE));
        let mut see = |&(at, epoch, number): &(u64, u64, u64)| {
            watch.see(Beat { epoch: NodeEpoch(epoch), number }, Duration::from_secs(at))
        };
        looks.iter().map(&mut see).collect()
    }

    #[test]
    fn a_node_that_still_beats_after_a_lease_has_the_name() {
        use NameStep::{Taken, Wait};
        assert_eq!(steps(&[(0, 1, 4), (3, 1, 5), (14, 1, 8), (15, 1, 8), (17, 1, 9)]), [Wait, Wait, Wait, Wait, Taken]);
        // Another process has joined under the name meanwhile.
        assert_eq!(steps(&[(0, 1, 4), (15, 2, 0)]), [Wait, Taken]);
    }

    #[test]
    fn a_node_is_fenced_after_a_lease_of_silence() {
        use NameStep::{Fence, Wait};
        assert_eq!(steps(&[(0, 1, 4), (14, 1, 4), (15, 1, 4)]), [Wait, Wait, Fence]);
        // Its last beat came while this process waited.
        assert_eq!(steps(&[(0, 1, 4), (10, 1, 5), (20, 1, 5), (25, 1, 5)]), [Wait, Wait, Wait, Fence]);
        // The fence came too late.
        assert_eq!(steps(&[(0, 1, 4), (15, 1, 4), (16, 1, 4)]), [Wait, Fence, Wait]);
    }
}
