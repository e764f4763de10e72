//! The missing history of a conversation: the ranges to fetch, and what a response or a replay means for a range.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    time::{Duration, Instant},
};

use actix::SpawnHandle;
use tertulia_core::{
    conversation::BackFill,
    id::DialogId,
    refusal::{Case, Lane, Refusal, RequestType, decide},
};

/// A response with fewer records ends the history if it reaches the last known content.
pub(super) const SHORT: u64 = 50;

/// The missing ranges of history. One range is fetched at a time; each is listed once.
#[derive(Default)]
pub(super) struct Histories {
    wanted: VecDeque<BackFill>,
    /// Boxed, because most conversations fetch nothing.
    fetching: Option<Box<Fetching>>,
    /// A catch-up is running: every listed range belongs to it.
    catching_up: bool,
    /// When the catch-up was first needed, however many links were lost since.
    wanted_since: Option<Instant>,
    /// The last catch-up was completed, and the link was not lost since.
    current: bool,
    /// The range that was requested a second time, because the batch that began at this sequence may not have been its
    /// replay.
    doubted: Option<Box<(BackFill, u64)>>,
    /// Numbers the requests, so that a late response is not assigned to another request.
    asked: u64,
    /// Dialogs whose history the platform refused in the last catch-up, so that their messages stay unknown.
    refused: Vec<DialogId>,
    /// Boxed, because most histories are available.
    failing: Option<Box<Failing>>,
}

/// A history that the platform refuses at the moment.
struct Failing {
    since: Instant,
    tries: u32,
    holds_sends: bool,
    /// Whether the connection knows that it continues without this history.
    is_reported: bool,
}

/// The range that is being fetched.
pub(super) struct Fetching {
    pub(super) stretch: BackFill,
    /// The number of the request.
    pub(super) number: u64,
    /// Whether the connection reads it before the ranges that nobody waits for.
    urgent: bool,
    /// Ends the wait for a consumer's replay.
    pub(super) deadline: Option<SpawnHandle>,
    /// The highest sequence of a consumer's replay that arrived before the response to its request was processed.
    pub(super) early: Option<Option<u64>>,
}

/// What to fetch next.
pub(super) enum NextRange {
    /// A range.
    Fetch(BackFill),
    /// Nothing now: a range is being fetched.
    Wait,
    /// Nothing more.
    Done {
        /// Whether the connection waits for this report.
        is_awaited: bool,
    },
}

/// What to do after a refusal.
pub(super) struct AfterRefusal {
    /// The wait before the range is requested again; `None` if the refusal is final.
    pub(super) wait: Option<Duration>,
    /// Whether the connection continues without this history from now on.
    pub(super) goes_on: bool,
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

    /// Whether sends wait for the history. `misses_messages` returns whether the newest state names messages that are
    /// not known.
    pub(super) fn hold_sends(&self, misses_messages: impl FnOnce() -> bool) -> bool {
        match &self.failing {
            Some(failing) => failing.holds_sends,
            None => self.catching_up && misses_messages(),
        }
    }

    /// Whether history records may arrive as notifications.
    pub(super) fn await_replay(&self) -> bool {
        self.fetching.is_some()
    }

    /// The range that is being fetched.
    pub(super) fn fetching(&self) -> Option<&Fetching> {
        self.fetching.as_deref()
    }

    pub(super) fn fetching_mut(&mut self) -> Option<&mut Fetching> {
        self.fetching.as_deref_mut()
    }

    pub(super) fn is_fetching(&self, number: u64) -> bool {
        self.fetching().is_some_and(|now| now.number == number)
    }

    /// When the running catch-up was first needed.
    pub(super) fn wanted_since(&self) -> Option<Instant> {
        self.wanted_since
    }

    /// How often the platform refused the history in a row.
    pub(super) fn refusals(&self) -> u32 {
        self.failing.as_ref().map_or(0, |failing| failing.tries)
    }

    /// The socket is gone: the next catch-up requests what the lost socket would have delivered.
    pub(super) fn link_lost(&mut self) {
        self.catching_up = false;
        self.current = false;
        self.wanted.clear();
        self.fetching = None;
        self.failing = None;
    }

    /// Begins a catch-up with these holes, to which everything listed so far belongs.
    pub(super) fn begin_catch_up(&mut self, holes: VecDeque<BackFill>) {
        // The running fetch is a part of the catch-up, and its response may belong to the previous socket.
        self.fetching = None;
        self.catching_up = true;
        self.wanted_since.get_or_insert_with(Instant::now);
        self.refused.clear();
        self.doubted = None;
        self.current = false;
        self.failing = None;
        self.wanted = holes;
    }

    /// Lists further ranges; returns whether there were any.
    pub(super) fn want(&mut self, stretches: impl IntoIterator<Item = BackFill>) -> bool {
        let before = self.wanted.len();
        self.wanted.extend(stretches);
        self.wanted.len() > before
    }

    /// Lists a range before all others.
    pub(super) fn want_first(&mut self, stretch: BackFill) {
        self.wanted.push_front(stretch);
    }

    /// Takes the next range from the list. After the last one, a catch-up is complete.
    pub(super) fn next(&mut self) -> NextRange {
        if self.fetching.is_some() {
            return NextRange::Wait;
        }
        if let Some(stretch) = self.wanted.pop_front() {
            return NextRange::Fetch(stretch);
        }
        // Most conversations never fetch again.
        self.wanted.shrink_to_fit();
        let was_reported = self.failing.take().is_some_and(|failing| failing.is_reported);
        let has_caught_up = std::mem::take(&mut self.catching_up);
        self.current |= has_caught_up;
        if has_caught_up {
            self.wanted_since = None;
        }
        NextRange::Done { is_awaited: was_reported || has_caught_up }
    }

    /// Records that a range is requested; returns the number of the request.
    pub(super) fn requested(&mut self, stretch: BackFill, urgent: bool) -> u64 {
        self.asked += 1;
        let number = self.asked;
        self.fetching = Some(Box::new(Fetching { stretch, number, urgent, deadline: None, early: None }));
        number
    }

    /// A command waits for the range that is being fetched. Returns whether the connection does not know that yet.
    pub(super) fn hurry(&mut self) -> bool {
        self.fetching_mut().is_some_and(|fetching| !std::mem::replace(&mut fetching.urgent, true))
    }

    /// The platform refused the range that is being fetched. `entropy` is 64 random bits.
    pub(super) fn refused(&mut self, refusal: Refusal, entropy: u64) -> AfterRefusal {
        let first = || Failing { since: Instant::now(), tries: 0, holds_sends: false, is_reported: false };
        let failing = self.failing.get_or_insert_with(|| Box::new(first()));
        let lasted = failing.since.elapsed();
        failing.tries = refusal.tries(failing.tries.saturating_add(1));
        let tries = failing.tries;
        let decision = decide(Case { lane: Lane::Recovery, request: RequestType::History, refusal, tries, lasted });
        failing.holds_sends = decision.holds_sends;
        let goes_on = decision.goes_on && !std::mem::replace(&mut failing.is_reported, decision.goes_on);
        AfterRefusal { wait: decision.wait(tries, entropy), goes_on }
    }

    /// The refusal of a dialog's history is final.
    pub(super) fn give_up(&mut self, dialog: &DialogId) {
        if !self.refused.contains(dialog) {
            self.refused.push(dialog.clone());
        }
    }

    /// Lists the range of a refused request again, unless the request was abandoned meanwhile; returns whether it did.
    pub(super) fn want_again(&mut self, number: u64, stretch: BackFill) -> bool {
        let is_fetching = self.is_fetching(number);
        if is_fetching {
            self.fetching = None;
            self.want_first(stretch);
        }
        is_fetching
    }

    /// The platform sent a page of history: earlier refusals no longer count.
    pub(super) fn granted(&mut self) {
        self.failing = self.failing.take().filter(|failing| failing.is_reported);
        if let Some(failing) = &mut self.failing {
            failing.tries = 0;
        }
    }

    /// Whether the range was already requested a second time because of a batch that began at this sequence.
    pub(super) fn is_doubted(&self, doubt: &(BackFill, u64)) -> bool {
        self.doubted.as_deref() == Some(doubt)
    }

    /// Lists the range that is being fetched again, because a batch that began at this sequence may not be its replay.
    /// Returns the timer to cancel.
    pub(super) fn doubt(&mut self, doubt: (BackFill, u64)) -> Option<SpawnHandle> {
        let deadline = self.fetching.take().and_then(|fetching| fetching.deadline);
        self.want_first(doubt.0.clone());
        self.doubted = Some(Box::new(doubt));
        deadline
    }

    /// The range that is being fetched is complete. Returns the timer to cancel.
    pub(super) fn fetched(&mut self) -> Option<SpawnHandle> {
        self.doubted = None;
        self.fetching.take().and_then(|fetching| fetching.deadline)
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

    /// After a page that was cut short, the next page is requested as long as there is progress.
    #[test]
    fn a_short_answer_is_a_page_of_several_unless_it_reaches_what_is_known_to_be_the_end() {
        let open = BackFill { dialog_id: "d".into(), newer_than: Some(3), older_than: None };
        let is_page = |highest, count, last| is_page_of_several(&open, highest, count, last);
        assert!(is_page(5, 2, Some(9)) && is_page(5, 2, None) && is_page(60, 57, Some(60)));
        assert!(!is_page(5, 2, Some(5)) && !is_page(3, 1, None), "the end, or no progress");
        let bounded = BackFill { older_than: Some(9), ..open.clone() };
        assert!(is_page_of_several(&bounded, 7, 2, Some(20)));
        assert!(!is_page_of_several(&bounded, 8, 2, None));
    }
}
