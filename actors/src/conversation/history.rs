//! The missing history of a conversation: the ranges to fetch, and what a response or a replay means for a range.

use std::{cmp::Ordering, collections::VecDeque, time::Instant};

use actix::SpawnHandle;
use tertulia_core::{conversation::BackFill, id::DialogId};

/// A response with fewer records ends the history if it reaches the last known content.
pub(super) const SHORT: u64 = 50;
/// The missing ranges of history. One range is fetched at a time; each is listed once.
#[derive(Default)]
pub(super) struct Histories {
    pub(super) wanted: VecDeque<BackFill>,
    /// Boxed, because most conversations fetch nothing.
    pub(super) fetching: Option<Box<Fetching>>,
    /// A catch-up is running: every listed range belongs to it.
    pub(super) catching_up: bool,
    /// When the catch-up was first needed, however many links were lost since.
    pub(super) wanted_since: Option<Instant>,
    /// The last catch-up was completed, and the link was not lost since.
    pub(super) current: bool,
    /// The range that was requested a second time, because the batch that began at this sequence may not have been its
    /// replay.
    pub(super) doubted: Option<Box<(BackFill, u64)>>,
    /// Numbers the requests, so that a late response is not assigned to another request.
    pub(super) asked: u64,
    /// Dialogs whose history the platform refused in the last catch-up, so that their messages stay unknown.
    pub(super) refused: Vec<DialogId>,
    /// Boxed, because most histories are available.
    pub(super) failing: Option<Box<Failing>>,
}

/// A history that the platform refuses at the moment.
pub(super) struct Failing {
    pub(super) since: Instant,
    pub(super) tries: u32,
    pub(super) holds_sends: bool,
    /// The connection was told to continue without this history.
    pub(super) is_told: bool,
}

pub(super) struct Fetching {
    pub(super) stretch: BackFill,
    /// The number of the request.
    pub(super) number: u64,
    /// Whether the connection reads it before the ranges that nobody waits for.
    pub(super) urgent: bool,
    /// Ends the wait for a consumer's replay.
    pub(super) deadline: Option<SpawnHandle>,
    /// The highest sequence of a consumer's replay that arrived before the response to its request was processed.
    pub(super) early: Option<Option<u64>>,
}

impl Histories {
    /// Whether everything published in `dialog` before the last catch-up is known.
    pub(super) fn is_current(&self, dialog: &DialogId) -> bool {
        self.are_current() && !self.refused.contains(dialog)
    }

    /// Whether everything published in any dialog before the last catch-up is known.
    pub(super) fn are_current(&self) -> bool {
        self.current && self.fetching.is_none() && self.wanted.is_empty()
    }

    /// Whether a range is being fetched or waits to be fetched.
    pub(super) fn are_wanted(&self) -> bool {
        self.fetching.is_some() || !self.wanted.is_empty() || self.catching_up
    }

    /// The socket is gone: the next catch-up requests what the lost socket would have delivered.
    pub(super) fn link_lost(&mut self) {
        self.catching_up = false;
        self.current = false;
        self.wanted.clear();
        self.fetching = None;
        self.failing = None;
    }

    /// Whether history records may arrive as notifications.
    pub(super) fn await_replay(&self) -> bool {
        self.fetching.is_some()
    }

    pub(super) fn is_fetching(&self, number: u64) -> bool {
        self.fetching.as_ref().is_some_and(|now| now.number == number)
    }
}

/// Whether more records may follow a response of `count` records up to `highest`, since the platform may send fewer
/// than requested. A short response is complete if it reaches the end of the range, or the last content that the state
/// names.
pub(super) fn is_page_of_several(stretch: &BackFill, highest: u64, count: u64, last_content: Option<u64>) -> bool {
    let is_progress = stretch.newer_than.is_none_or(|newest| highest > newest);
    let reaches_end = match stretch.older_than {
        Some(older) => highest.saturating_add(1) >= older,
        None => count < SHORT && last_content.is_some_and(|last| highest >= last),
    };
    is_progress && !reaches_end
}

/// How a batch of a consumer's records relates to a requested range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// Live, repeated or late records, not the replay.
    Other,
    /// The replay.
    Replay,
    /// The replay without its beginning, which this consumer may not see (a private message); or other records.
    Doubtful {
        /// The lowest sequence of the batch.
        begins: u64,
    },
}

/// Classifies a batch by its lowest and highest sequence, because nothing else marks a replay. A replay begins at the
/// requested sequence and has everything from there on, including the record that showed the hole.
pub(super) fn judge(stretch: &BackFill, batch: Option<(u64, u64)>) -> Batch {
    let begins = stretch.newer_than.map_or(0, |newest| newest + 1);
    match (batch, stretch.older_than) {
        (None, None) => Batch::Replay,
        (None, Some(_)) => Batch::Other,
        (Some((lowest, highest)), Some(older)) if highest < older || lowest > older => Batch::Other,
        (Some((lowest, _)), _) => match lowest.cmp(&begins) {
            Ordering::Less => Batch::Other,
            Ordering::Equal => Batch::Replay,
            Ordering::Greater => Batch::Doubtful { begins: lowest },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(newer_than: Option<u64>, older_than: Option<u64>, batch: Option<(u64, u64)>) -> Batch {
        judge(&BackFill { dialog_id: "d".into(), newer_than, older_than }, batch)
    }

    /// MS-4: for a hole from 4 to 6 that record 7 showed.
    #[test]
    fn only_a_batch_that_covers_the_hole_is_its_replay() {
        let hole = |batch| judged(Some(3), Some(7), batch);
        assert_eq!(hole(Some((4, 7))), Batch::Replay);
        assert_eq!(hole(Some((4, 9))), Batch::Replay);
        assert_eq!(hole(Some((4, 4))), Batch::Other, "a late record of the hole itself");
        assert_eq!(hole(Some((2, 2))), Batch::Other, "a repeated record from before");
        assert_eq!(hole(Some((7, 7))), Batch::Doubtful { begins: 7 }, "a repetition, or all that may be seen");
        assert_eq!(hole(Some((8, 8))), Batch::Other, "without the record that showed the hole");
        assert_eq!(hole(None), Batch::Other);
    }

    /// MS-4: for everything from 4 on.
    #[test]
    fn an_open_stretch_ends_with_what_begins_it_or_with_nothing() {
        let rest = |batch| judged(Some(3), None, batch);
        assert_eq!(rest(None), Batch::Replay);
        assert_eq!(rest(Some((4, 6))), Batch::Replay);
        assert_eq!(rest(Some((3, 3))), Batch::Other);
        assert_eq!(rest(Some((5, 5))), Batch::Doubtful { begins: 5 });
        assert_eq!(judged(None, None, Some((0, 2))), Batch::Replay);
    }
}
