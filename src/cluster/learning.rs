//! When the definitions of connections that other nodes added are read again. Pure: the caller passes in the time.

use std::{collections::BTreeSet, time::Duration};

use tertulia_actors::core::{id::ConnectionId, session::Millis};

/// The first pause between reads that found nothing new. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The connections that this node does not know, and when their definitions were last read.
#[derive(Debug, Default)]
pub(super) struct Learning {
    unknown: BTreeSet<ConnectionId>,
    pause: Duration,
    next: Millis,
}

impl Learning {
    /// Whether the definitions are to be read now, because this node does not know the connections in `unknown`. If they
    /// are the same as before, such as those that this node cannot run, the pauses grow.
    pub(super) fn is_due(&mut self, unknown: BTreeSet<ConnectionId>, now: Millis) -> bool {
        if unknown != self.unknown {
            *self = Self { unknown, pause: FIRST_PAUSE, next: now };
        }
        if self.unknown.is_empty() || now < self.next {
            return false;
        }
        self.next = now.after(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> BTreeSet<ConnectionId> {
        ids.iter().map(|id| ConnectionId::from(*id)).collect()
    }

    /// How often the definitions are read in so many seconds, if the plan is made ten times a second.
    fn reads(learning: &mut Learning, unknown: &[&str], from: u64, seconds: u64) -> usize {
        let moments = (0..seconds * 10).map(|tenth| Millis((from * 10 + tenth) * 100));
        moments.filter(|now| learning.is_due(ids(unknown), *now)).count()
    }

    #[test]
    fn a_connection_that_cannot_run_here_is_looked_up_ever_more_seldom() {
        let mut learning = Learning::default();
        assert_eq!(reads(&mut learning, &[], 0, 60), 0);
        assert!(learning.is_due(ids(&["a"]), Millis(60_000)), "something new is read at once");
        let first = reads(&mut learning, &["a"], 60, 60);
        let later = reads(&mut learning, &["a"], 600, 600);
        assert!((3..10).contains(&first), "{first}");
        assert!((8..=40).contains(&later), "{later}");
    }

    #[test]
    fn another_unknown_connection_is_looked_up_at_once() {
        let mut learning = Learning::default();
        assert!(learning.is_due(ids(&["a"]), Millis(0)));
        assert!(!learning.is_due(ids(&["a"]), Millis(1)));
        assert!(learning.is_due(ids(&["a", "b"]), Millis(2)));
        assert!(!learning.is_due(ids(&[]), Millis(3)));
        assert!(learning.is_due(ids(&["a"]), Millis(4)));
    }
}
