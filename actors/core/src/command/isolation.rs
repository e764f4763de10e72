//! Decides which command is sent next: suspected commands alone, all others together, the oldest first.

use std::{collections::VecDeque, time::Duration};

use crate::session::Millis;

/// How long a suspected command is in flight alone, and how long the others wait for suspected commands, before the
/// others are sent.
const TURN: Duration = Duration::from_secs(3);

/// The commands of one socket that are in flight or wait to be sent.
///
/// If no command is suspected, commands wait only while as many are in flight as are allowed after a refusal. A
/// suspected command is sent when no other command is in flight, and no other command is sent until its response
/// arrives. So that the others do not wait for long, they are sent in any case when the oldest has waited for 3 s and
/// the suspected command was alone for 3 s. A suspected command that is not alone then proves nothing.
#[derive(Debug)]
pub struct Isolation<T> {
    in_flight: usize,
    /// Since when a suspected command is in flight alone.
    alone: Option<Millis>,
    suspects: VecDeque<T>,
    /// The others, oldest first.
    others: VecDeque<Other<T>>,
    /// The number of others that may be sent now.
    released: usize,
}

/// A command that is not suspected.
#[derive(Debug)]
struct Other<T> {
    asked: Millis,
    offered: Millis,
    command: T,
}

impl<T> Default for Isolation<T> {
    fn default() -> Self {
        Self { in_flight: 0, alone: None, suspects: VecDeque::new(), others: VecDeque::new(), released: 0 }
    }
}

impl<T> Isolation<T> {
    /// Adds a command that its caller submitted at the time `asked`; see [`Self::next`].
    pub fn offer(&mut self, command: T, is_suspected: bool, asked: Millis, now: Millis) {
        if is_suspected {
            return self.suspects.push_back(command);
        }
        let place = self.others.partition_point(|other| other.asked <= asked);
        self.others.insert(place, Other { asked, offered: now, command });
    }

    /// Returns the next command to send now. While `together` or more commands are in flight, no unsuspected command is
    /// sent. The command counts as in flight until [`Self::answered`].
    pub fn next(&mut self, together: usize, now: Millis) -> Option<T> {
        if self.alone.is_some_and(|since| now < since.after(TURN)) {
            return None;
        }
        self.alone = None;
        if self.released == 0 && self.others.front().is_some_and(|other| now >= other.offered.after(TURN)) {
            self.released = self.others.len();
        }
        if self.suspects.is_empty() || self.released > 0 {
            if self.released == 0 && self.in_flight >= together {
                return None;
            }
            self.released = self.released.saturating_sub(1);
            let Other { command, .. } = self.others.pop_front()?;
            self.in_flight += 1;
            return Some(command);
        }
        if self.in_flight > 0 {
            return None;
        }
        self.alone = Some(now);
        self.in_flight = 1;
        self.suspects.pop_front()
    }

    /// One command is no longer in flight: it has a response, was given up, or could not be sent.
    pub fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight == 0 {
            self.alone = None;
        }
    }

    /// Returns whether exactly one command is in flight.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.in_flight == 1
    }

    /// The number of commands that wait to be sent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.suspects.len() + self.others.len()
    }

    /// The socket is gone: nothing is in flight any more. Returns the waiting commands.
    pub fn clear(&mut self) -> Vec<T> {
        let Self { suspects, others, .. } = std::mem::take(self);
        suspects.into_iter().chain(others.into_iter().map(|other| other.command)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(isolation: &mut Isolation<&'static str>, now: u64) -> Vec<&'static str> {
        std::iter::from_fn(|| isolation.next(usize::MAX, Millis(now))).collect()
    }

    #[test]
    fn without_a_suspect_nothing_waits() {
        let mut isolation = Isolation::default();
        for command in ["a", "b"] {
            isolation.offer(command, false, Millis(0), Millis(0));
            assert_eq!(sent(&mut isolation, 0), [command]);
        }
        assert!(!isolation.is_alone());
    }

    #[test]
    fn of_those_that_wait_the_one_that_was_asked_for_first_goes_out_next() {
        let mut isolation = Isolation::default();
        for (command, asked) in [("a", 40), ("b", 30), ("c", 10), ("d", 20), ("e", 20)] {
            isolation.offer(command, false, Millis(asked), Millis(50));
        }
        let mut next = || isolation.next(2, Millis(50));
        assert_eq!([next(), next(), next()], [Some("c"), Some("d"), None]);
        isolation.answered();
        assert_eq!(isolation.next(2, Millis(50)), Some("e"));
        assert_eq!(isolation.next(2, Millis(50)), None);
    }

    #[test]
    fn commands_without_an_answer_hold_the_others_up_for_a_turn_only() {
        let mut isolation = Isolation::default();
        for command in ["a", "b", "c"] {
            isolation.offer(command, false, Millis(0), Millis(0));
        }
        assert_eq!([isolation.next(1, Millis(0)), isolation.next(1, Millis(2_999))], [Some("a"), None]);
        assert_eq!([isolation.next(1, Millis(3_000)), isolation.next(1, Millis(3_000))], [Some("b"), Some("c")]);
    }

    #[test]
    fn a_suspect_waits_for_commands_in_flight_and_later_commands_wait_for_the_suspect() {
        let mut isolation = Isolation::default();
        isolation.offer("before", false, Millis(0), Millis(0));
        assert_eq!(sent(&mut isolation, 0), ["before"]);
        isolation.offer("suspect 1", true, Millis(0), Millis(0));
        isolation.offer("suspect 2", true, Millis(0), Millis(0));
        isolation.offer("later", false, Millis(0), Millis(0));
        assert!(sent(&mut isolation, 0).is_empty());
        for suspect in ["suspect 1", "suspect 2"] {
            isolation.answered();
            assert_eq!(sent(&mut isolation, 0), [suspect]);
            assert!(isolation.is_alone());
        }
        isolation.answered();
        assert_eq!(sent(&mut isolation, 0), ["later"]);
    }

    #[test]
    fn a_suspect_without_an_answer_holds_the_others_up_for_a_turn_only() {
        let mut isolation = Isolation::default();
        isolation.offer("suspect", true, Millis(0), Millis(0));
        assert_eq!(sent(&mut isolation, 0), ["suspect"]);
        isolation.offer("later", false, Millis(0), Millis(0));
        assert!(sent(&mut isolation, 2_999).is_empty());
        assert_eq!(sent(&mut isolation, 3_000), ["later"]);
        assert!(!isolation.is_alone(), "a close now proves nothing");
    }

    #[test]
    fn the_others_have_their_turn_among_many_suspects_and_the_suspects_go_on_after_it() {
        let mut isolation = Isolation::default();
        for suspect in ["s1", "s2", "s3"] {
            isolation.offer(suspect, true, Millis(0), Millis(0));
        }
        isolation.offer("later 1", false, Millis(0), Millis(0));
        isolation.offer("later 2", false, Millis(1_000), Millis(1_000));
        assert_eq!(sent(&mut isolation, 0), ["s1"]);
        isolation.answered();
        assert_eq!(sent(&mut isolation, 3_000), ["later 1", "later 2"]);
        isolation.offer("later 3", false, Millis(3_000), Millis(3_000));
        isolation.answered();
        assert!(sent(&mut isolation, 3_000).is_empty());
        isolation.answered();
        assert_eq!(sent(&mut isolation, 3_000), ["s2"]);
    }

    #[test]
    fn a_lost_socket_gives_back_what_waited() {
        let mut isolation = Isolation::default();
        isolation.offer("sent", true, Millis(0), Millis(0));
        assert_eq!(sent(&mut isolation, 0), ["sent"]);
        isolation.offer("waits", false, Millis(0), Millis(0));
        isolation.offer("suspected", true, Millis(0), Millis(0));
        assert_eq!(isolation.waiting(), 2);
        assert_eq!(isolation.clear(), ["suspected", "waits"]);
        assert_eq!((isolation.waiting(), isolation.is_alone()), (0, false));
    }

    proptest! {
        /// In every order of commands and responses, no command is sent twice or lost, and all are sent in the end.
        #[test]
        fn every_command_is_sent_once(
            steps in prop::collection::vec((any::<bool>(), 0_u64..2_000, 0_usize..3), 1..60),
            together in 1_usize..5,
        ) {
            let mut isolation = Isolation::default();
            let (mut now, mut sent, mut in_flight) = (0, Vec::new(), 0_usize);
            for (number, (suspected, pause, answers)) in steps.iter().enumerate() {
                now += pause;
                isolation.offer(number, *suspected, Millis(now), Millis(now));
                for _ in 0..(*answers).min(in_flight) {
                    isolation.answered();
                    in_flight -= 1;
                }
                while let Some(next) = isolation.next(together, Millis(now)) {
                    sent.push(next);
                    in_flight += 1;
                }
            }
            while sent.len() < steps.len() {
                for _ in 0..in_flight {
                    isolation.answered();
                }
                in_flight = 0;
                now += 1;
                while let Some(next) = isolation.next(together, Millis(now)) {
                    sent.push(next);
                    in_flight += 1;
                }
            }
            sent.sort_unstable();
            prop_assert_eq!(sent, (0..steps.len()).collect::<Vec<_>>());
            prop_assert_eq!(isolation.waiting(), 0);
        }
    }
}
