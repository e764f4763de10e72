//! Whether and when a job tries its remaining items again.

use std::time::{Duration, Instant};

use tertulia_actors::core::session::Backoff;

/// The pauses between passes without progress.
const PAUSE: Backoff =
    Backoff { floor: Duration::from_secs(1), base: Duration::from_millis(500), max: Duration::from_secs(29) };
/// How long items are retried without any progress. The wait for a connection that is expected to return has no limit.
const GIVE_UP_AFTER: Duration = Duration::from_secs(15 * 60);

/// The result of one pass over the items of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Items that have their outcome now.
    pub(super) settled: usize,
    /// Items to be tried again.
    pub(super) again: usize,
    /// Items that were not tried, because their connection is expected to return.
    pub(super) waiting: usize,
}

/// What follows a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// No item is left.
    Finished,
    /// The remaining items are tried again.
    Pass {
        /// The pause before the pass.
        after: Duration,
        /// Whether a failure is final in this pass.
        is_last: bool,
    },
}

/// The passes of a job so far.
#[derive(Debug, Default)]
pub(super) struct Passes {
    in_vain: u32,
    stalled_since: Option<Instant>,
}

impl Passes {
    /// Records a complete pass and decides what follows.
    pub(super) fn passed(&mut self, tally: Tally, now: Instant, entropy: u64) -> Next {
        if tally.again == 0 && tally.waiting == 0 {
            return Next::Finished;
        }
        if tally.settled > 0 {
            self.in_vain = 0;
        }
        let after = PAUSE.delay(self.in_vain, entropy);
        self.in_vain = self.in_vain.saturating_add(1);
        if tally.settled > 0 || tally.waiting > 0 {
            self.stalled_since = None;
            return Next::Pass { after, is_last: false };
        }
        let since = *self.stalled_since.get_or_insert(now);
        Next::Pass { after, is_last: now.saturating_duration_since(since) >= GIVE_UP_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(settled: usize, again: usize, waiting: usize) -> Tally {
        Tally { settled, again, waiting }
    }

    fn pause(next: Next) -> Duration {
        match next {
            Next::Finished => panic!("it is over"),
            Next::Pass { after, .. } => after,
        }
    }

    #[test]
    fn a_job_with_nothing_left_is_finished() {
        assert_eq!(Passes::default().passed(tally(3, 0, 0), Instant::now(), 0), Next::Finished);
        assert_eq!(Passes::default().passed(tally(0, 0, 0), Instant::now(), 0), Next::Finished);
    }

    #[test]
    fn pauses_grow_without_progress_and_shrink_with_it() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        let pauses: Vec<_> = (0..10).map(|_| pause(passes.passed(tally(0, 5, 0), now, u64::MAX))).collect();
        let bounds = Duration::from_secs(1)..=Duration::from_secs(30);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)), "{pauses:?}");
        assert!(pauses.iter().max() > Some(&(pauses[0] * 2)), "{pauses:?}");
        assert_eq!(pause(passes.passed(tally(1, 4, 0), now, u64::MAX)), pauses[0]);
    }

    #[test]
    fn a_stalled_job_is_tried_a_last_time() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        let is_last = |next| matches!(next, Next::Pass { is_last: true, .. });
        assert!(!is_last(passes.passed(tally(0, 5, 0), now, 0)));
        assert!(!is_last(passes.passed(tally(0, 5, 0), now + GIVE_UP_AFTER / 2, 0)));
        assert!(is_last(passes.passed(tally(0, 5, 0), now + GIVE_UP_AFTER, 0)));
    }

    #[test]
    fn the_wait_for_a_returning_connection_has_no_limit() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        for hours in 0..100 {
            let now = now + Duration::from_secs(3_600) * hours;
            assert!(matches!(passes.passed(tally(0, 1, 9), now, 0), Next::Pass { is_last: false, .. }));
        }
    }
}
