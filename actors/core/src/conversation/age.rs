//! Whether a state is older than the one that is held ([CV-N4](crate::rules#cv-n4)).

use super::Conversation;
use crate::time::Timestamp;

/// A state is late by seconds, at most by days. One that seems later than this is not late: the update time that is held
/// is wrong. A year, in milliseconds.
const LATE_AT_MOST: i64 = 365 * 24 * 60 * 60 * 1_000;

/// How old a state is, beside the one that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Older,
    /// Of the same time, or of a time that is not known.
    Undecided,
    Newer,
    /// Newer, because the update time that is held cannot be right.
    NewerThanAbsurd,
}

impl Conversation {
    /// Compares the update times, and where they are the same the times of the last change at all: messages move only
    /// the latter.
    pub(super) fn age(&self, update_time: Option<Timestamp>, last_update_time: Option<Timestamp>) -> Age {
        let Some((told, held)) = update_time.zip(self.members.update_time) else { return Age::Undecided };
        if held.0.saturating_sub(told.0) > LATE_AT_MOST {
            return Age::NewerThanAbsurd;
        }
        if told != held && self.disbelieved == Some(told) {
            return Age::Older;
        }
        let last_update_times = || last_update_time.zip(self.last_update_time);
        match told
            .cmp(&held)
            .then_with(|| last_update_times().map_or(std::cmp::Ordering::Equal, |(told, held)| told.cmp(&held)))
        {
            std::cmp::Ordering::Less => Age::Older,
            std::cmp::Ordering::Equal => Age::Undecided,
            std::cmp::Ordering::Greater => Age::Newer,
        }
    }
}
