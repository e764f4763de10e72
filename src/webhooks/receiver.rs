//! Whether a webhook's receiver as a whole is up.
//!
//! If a receiver is down, every attempt fails, and trying all events would reveal nothing more. So only one attempt at
//! a time is made, and the first success shows that the receiver is back. After a few failures the receiver is not yet
//! considered down, but it may be, so it is tried again within a minute.

use std::time::Duration;

use super::schedule::{Retries, millis};

/// The receiver is considered down at this weight of failures without a success, from any conversations.
const DOWN_AT: u32 = 50;
/// The weight of an event's first failure: five of them in a row mean that the receiver is down.
const FIRST: u32 = 10;
/// The weight of a further failure of the same event, which may be at fault itself.
const AGAIN: u32 = 1;
/// The longest time between two attempts while everything fails.
pub(super) const PROBE_WITHIN: Duration = Duration::from_secs(60);

/// The state of a receiver. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Receiver {
    /// The weight of the failures since the last success.
    evidence: u32,
    down: Option<Down>,
    /// When to try again, even if every event is due later; set from a failure to the next success.
    look: Option<i64>,
    /// The receiver asked for no attempts before this time.
    hold_until: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Down {
    probes: u32,
    next: i64,
}

impl Receiver {
    pub(super) fn is_down(&self) -> bool {
        self.down.is_some()
    }

    /// When another attempt may begin while `under_way` attempts are running; `None` if one of them must end first.
    pub(super) fn opens(&self, under_way: usize) -> Option<i64> {
        match &self.down {
            Some(_) if under_way > 0 => None,
            Some(down) => Some(down.next.max(self.hold_until)),
            None => Some(self.hold_until),
        }
    }

    /// When to try a failed event before it is due; `None` after a success.
    pub(super) fn look(&self) -> Option<i64> {
        self.look
    }

    /// Records that events had failed when the process last ended.
    pub(super) fn doubt(&mut self, now: i64) {
        self.look.get_or_insert(now.saturating_add(millis(PROBE_WITHIN)));
    }

    /// Records a success.
    pub(super) fn answered(&mut self) {
        (self.evidence, self.down, self.look) = (0, None, None);
    }

    /// Records a failure: whether it was the event's first failure, whether the attempt was a probe, and the pause that
    /// the receiver asked for.
    pub(super) fn failed(
        &mut self,
        was_first: bool,
        was_probe: bool,
        now: i64,
        retries: &Retries,
        retry_after: Option<Duration>,
    ) {
        self.look = Some(now.saturating_add(millis(retry_after.unwrap_or_default().max(PROBE_WITHIN))));
        self.evidence = self.evidence.saturating_add(if was_first { FIRST } else { AGAIN });
        let probes = match &self.down {
            Some(down) if was_probe => down.probes.saturating_add(1),
            // Attempts that were running when the receiver went down give no new information.
            Some(_) => return,
            None if self.evidence < DOWN_AT => return,
            None => 0,
        };
        let pause = retries.probe(probes, PROBE_WITHIN);
        self.down = Some(Down { probes, next: now.saturating_add(millis(pause)) });
    }

    /// Records that the receiver asked for no attempts before `until`.
    pub(super) fn hold(&mut self, until: i64) {
        self.hold_until = self.hold_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN_AFTER: u32 = DOWN_AT / FIRST;

    fn failed(receiver: &mut Receiver, times: u32, now: i64) {
        (0..times).for_each(|_| receiver.failed(true, false, now, &Retries::default(), None));
    }

    #[test]
    fn a_few_events_that_keep_failing_do_not_take_it_down() {
        let mut receiver = Receiver::default();
        let fail = |receiver: &mut Receiver| receiver.failed(false, false, 0, &Retries::default(), None);
        (1..DOWN_AT).for_each(|_| fail(&mut receiver));
        assert!(!receiver.is_down());
        receiver.answered();
        (1..DOWN_AT).for_each(|_| fail(&mut receiver));
        assert!(!receiver.is_down());
        fail(&mut receiver);
        assert!(receiver.is_down());
    }

    #[test]
    fn failures_in_a_row_take_it_down_and_one_success_brings_it_back() {
        let mut receiver = Receiver::default();
        failed(&mut receiver, DOWN_AFTER - 1, 0);
        receiver.answered();
        failed(&mut receiver, DOWN_AFTER - 1, 0);
        assert!(!receiver.is_down());
        failed(&mut receiver, 1, 1_000);
        assert!(receiver.is_down());
        assert_eq!((receiver.opens(0), receiver.opens(1)), (Some(6_000), None));
        receiver.answered();
        assert_eq!(receiver, Receiver::default());
        assert_eq!(receiver.opens(15), Some(0));
    }

    #[test]
    fn probes_become_rarer_up_to_one_a_minute_whatever_else_still_fails() {
        let mut receiver = Receiver::default();
        failed(&mut receiver, DOWN_AFTER + 10, 0);
        assert_eq!(receiver.opens(0), Some(5_000));
        receiver.failed(true, true, 5_000, &Retries::default(), None);
        assert_eq!(receiver.opens(0), Some(65_000));
        receiver.failed(false, true, 65_000, &Retries::default(), None);
        assert_eq!(receiver.opens(0), Some(125_000));
    }

    #[test]
    fn one_failure_causes_a_try_within_a_minute_unless_a_success_comes_first() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.look(), None);
        failed(&mut receiver, 1, 1_000);
        assert_eq!(receiver.look(), Some(61_000));
        receiver.failed(false, false, 61_000, &Retries::default(), Some(Duration::from_secs(90)));
        assert_eq!(receiver.look(), Some(151_000), "unless it asks for longer");
        receiver.answered();
        assert_eq!(receiver.look(), None);
        receiver.doubt(5_000);
        receiver.doubt(9_000);
        assert_eq!(receiver.look(), Some(65_000));
    }

    #[test]
    fn a_receiver_gets_no_attempts_while_it_asks_for_a_pause() {
        let mut receiver = Receiver::default();
        receiver.hold(9_000);
        receiver.hold(4_000);
        // An attempt that was running at the time of the request may still succeed.
        receiver.answered();
        assert_eq!(receiver.opens(3), Some(9_000));
        failed(&mut receiver, DOWN_AFTER, 0);
        assert_eq!(receiver.opens(0), Some(9_000));
    }
}
