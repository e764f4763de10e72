//! Whether a webhook's receiver as a whole is up.
//!
//! When a receiver is down, everything fails. Then nothing is learned by trying everything: one attempt at a time is
//! made, and the first that succeeds tells that the receiver is back. A few failures are too little to take it to be
//! down, and yet it may be: it is looked at within a minute all the same.

use std::time::Duration;

use super::{lanes::millis, schedule::Retries};

/// So much evidence without a success, of whatever conversations, and a receiver is taken to be down.
const DOWN_AT: u32 = 50;
/// What the first failure of an event tells: five of them in a row are enough.
const FIRST: u32 = 10;
/// What another failure of the same event tells: it may be at fault itself.
const AGAIN: u32 = 1;
/// The longest time between two looks at a receiver that has done nothing but fail.
pub(super) const PROBE_WITHIN: Duration = Duration::from_secs(60);

/// What is known of a receiver. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Receiver {
    /// What failures told since the last success.
    evidence: u32,
    down: Option<Down>,
    /// Nothing has succeeded since something failed: when to look again, whatever is due later.
    look: Option<i64>,
    /// It asked to be left alone until then.
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

    /// From when on another attempt may begin, with so many under way; `None` until one of them has ended.
    pub(super) fn opens(&self, under_way: usize) -> Option<i64> {
        match &self.down {
            Some(_) if under_way > 0 => None,
            Some(down) => Some(down.next.max(self.hold_until)),
            None => Some(self.hold_until),
        }
    }

    /// When to look whether what failed succeeds now, before it is due; `None` where something has succeeded since.
    pub(super) fn look(&self) -> Option<i64> {
        self.look
    }

    /// Something had failed when this was last known of.
    pub(super) fn doubt(&mut self, now: i64) {
        self.look.get_or_insert(now.saturating_add(millis(PROBE_WITHIN)));
    }

    /// Something was delivered.
    pub(super) fn answered(&mut self) {
        (self.evidence, self.down, self.look) = (0, None, None);
    }

    /// An attempt failed, and asked to be left alone for some time or not. It was the first of its event or not, and a
    /// probe or not.
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
            // What was under way when it went down says nothing new.
            Some(_) => return,
            None if self.evidence < DOWN_AT => return,
            None => 0,
        };
        let pause = retries.probe(probes, PROBE_WITHIN);
        self.down = Some(Down { probes, next: now.saturating_add(millis(pause)) });
    }

    /// It asked to be left alone until then.
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
    fn one_failure_is_enough_to_look_again_within_a_minute_and_one_success_ends_it() {
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
    fn it_is_left_alone_for_as_long_as_it_asks() {
        let mut receiver = Receiver::default();
        receiver.hold(9_000);
        receiver.hold(4_000);
        // What was under way when it asked may still succeed.
        receiver.answered();
        assert_eq!(receiver.opens(3), Some(9_000));
        failed(&mut receiver, DOWN_AFTER, 0);
        assert_eq!(receiver.opens(0), Some(9_000));
    }
}
