//! Whether a state is older than the known state ([CV-N4](crate::rules#cv-n4)).

use super::Conversation;
use crate::time::Timestamp;

/// A state is late by seconds, at most by days. If it seems later than a year (in milliseconds), it is not late, but
/// the known update time is wrong.
const LATE_AT_MOST: i64 = 365 * 24 * 60 * 60 * 1_000;

/// The age of a state compared with the known state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Older,
    /// Of the same time, or of an unknown time.
    Undecided,
    Newer,
    /// Newer, because the known update time cannot be right.
    NewerThanAbsurd,
}

impl Conversation {
    /// Compares the update times and, if they are equal, the times of the last change of any kind, which is all that a
    /// message changes.
    pub(super) fn age(&self, update_time: Option<Timestamp>, last_update_time: Option<Timestamp>) -> Age {
        let Some((stated, held)) = update_time.zip(self.members.update_time) else { return Age::Undecided };
        if held.0.saturating_sub(stated.0) > LATE_AT_MOST {
            return Age::NewerThanAbsurd;
        }
        if stated != held && self.disbelieved == Some(stated) {
            return Age::Older;
        }
        let last_update_times = || last_update_time.zip(self.last_update_time);
        match stated
            .cmp(&held)
            .then_with(|| last_update_times().map_or(std::cmp::Ordering::Equal, |(stated, held)| stated.cmp(&held)))
        {
            std::cmp::Ordering::Less => Age::Older,
            std::cmp::Ordering::Equal => Age::Undecided,
            std::cmp::Ordering::Greater => Age::Newer,
        }
    }
}
