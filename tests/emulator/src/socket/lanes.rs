//! Frames of one socket that wait for their hour.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

/// Which frames must stay in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Answers, in the order in which they were given.
    Answers,
    /// Notifications, in the platform's order.
    Notifications,
    /// Frames whose order does not count.
    Late,
}

#[derive(Debug)]
struct Waiting {
    at: Instant,
    /// Never in one piece with what was written before.
    apart: bool,
    text: Bytes,
}

/// Everything that waits, by lane.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    answers: VecDeque<Waiting>,
    notifications: VecDeque<Waiting>,
    late: VecDeque<Waiting>,
}

impl Lanes {
    /// Lets a frame wait, in its lane no less long than the frame before it.
    pub(super) fn push(&mut self, lane: Lane, at: Instant, apart: bool, text: Bytes) {
        let queue = match lane {
            Lane::Answers => &mut self.answers,
            Lane::Notifications => &mut self.notifications,
            Lane::Late => {
                let place = self.late.partition_point(|waiting| waiting.at <= at);
                return self.late.insert(place, Waiting { at, apart, text });
            }
        };
        let at = queue.back().map_or(at, |last| last.at.max(at));
        queue.push_back(Waiting { at, apart, text });
    }

    /// The next frame that is due, unless it must come apart from what was written and has not left yet.
    pub(super) fn pop_due(&mut self, now: Instant, unsent: bool) -> Option<Bytes> {
        let lanes = [&mut self.answers, &mut self.notifications, &mut self.late];
        let due = |lane: &&mut VecDeque<Waiting>| {
            lane.front().is_some_and(|waiting| waiting.at <= now && !(waiting.apart && unsent))
        };
        let earliest = lanes.into_iter().filter(due).min_by_key(|lane| lane.front().map(|waiting| waiting.at))?;
        earliest.pop_front().map(|waiting| waiting.text)
    }

    /// Everything, in order, whether it is due or not.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Bytes> {
        let Self { answers, notifications, .. } = std::mem::take(self);
        answers.into_iter().chain(notifications).map(|waiting| waiting.text)
    }

    /// When the next frame is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let fronts = [self.answers.front(), self.notifications.front(), self.late.front()];
        fronts.into_iter().flatten().map(|waiting| waiting.at).min()
    }

    pub(super) fn len(&self) -> usize {
        self.answers.len() + self.notifications.len() + self.late.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
