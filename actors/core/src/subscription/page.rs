//! How a snapshot beyond one page is fetched (SB-9), with progress guaranteed (SB-10).

use crate::{time::Timestamp, ums::ConversationQuery};

/// What is taken for a full page, and how far the next one reaches into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageRule {
    /// From so many changes on, a first notification is taken for a full page.
    pub(super) full: usize,
    /// By how many milliseconds pages overlap, so that a conversation that changes meanwhile is in one of them.
    pub(super) overlap: i64,
}

impl PageRule {
    /// The platform has trouble near its limit of 1001 (SB-8, SB-9).
    pub(super) const PLATFORM: Self = Self { full: 900, overlap: 10_000 };

    /// Whether there may be a page behind one of `changes` changes.
    pub(super) fn is_full(self, changes: usize) -> bool {
        changes >= self.full
    }

    /// The query of the page behind one of `changes` changes, or `None` when this one was the last.
    ///
    /// The bound always moves: by the overlap where that is progress, to the `oldest` conversation's own time where the
    /// overlap reaches beyond this page, and past it where the whole page has one time.
    pub(super) fn next_page(
        self,
        query: &ConversationQuery,
        changes: usize,
        oldest: impl FnOnce() -> Option<Timestamp>,
    ) -> Option<ConversationQuery> {
        if !self.is_full(changes) {
            return None;
        }
        let Timestamp(oldest) = oldest()?;
        let bound = query.max_last_updated_time.map_or(i64::MAX, |Timestamp(bound)| bound);
        let candidates = [oldest.saturating_add(self.overlap), oldest];
        let next = candidates.into_iter().find(|candidate| *candidate < bound).unwrap_or(bound - 1);
        Some(ConversationQuery {
            min_last_updated_time: Some(query.min_last_updated_time.unwrap_or_default()),
            max_last_updated_time: Some(Timestamp(next)),
            ..query.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(times: impl Iterator<Item = i64>, bound: Option<i64>) -> Option<i64> {
        let times: Vec<i64> = times.collect();
        let query = ConversationQuery { max_last_updated_time: bound.map(Timestamp), ..ConversationQuery::default() };
        let oldest = || times.iter().min().copied().map(Timestamp);
        let next = PageRule::PLATFORM.next_page(&query, times.len(), oldest);
        next.and_then(|query| query.max_last_updated_time).map(|Timestamp(time)| time)
    }

    #[test]
    fn sb9_a_page_below_900_is_the_last() {
        assert_eq!(page(0..899, None), None);
    }

    #[test]
    fn sb9_the_next_page_overlaps_by_ten_seconds() {
        assert_eq!(page((0..900).map(|n| 1_000_000 + n * 100), None), Some(1_010_000));
    }

    #[test]
    fn sb10_a_page_within_the_overlap_still_moves_the_bound() {
        assert_eq!(page((0..900).map(|n| 1_000_000 + n), Some(1_010_000)), Some(1_000_000));
    }

    #[test]
    fn sb10_a_page_of_one_time_is_left_behind() {
        assert_eq!(page((0..900).map(|_| 1_000_000), Some(1_000_000)), Some(999_999));
    }
}
