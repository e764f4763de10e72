//! Fetches a snapshot of more than one page ([SB-9](crate::rules#sb-9)), with guaranteed progress
//! ([SB-10](crate::rules#sb-10)).

use crate::{time::Timestamp, ums::ConversationQuery};

/// Which notification counts as a full page, and how far pages overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageRule {
    /// A first notification with at least this many changes counts as a full page.
    pub(super) full: usize,
    /// With at least this many changes, the platform may have omitted others.
    pub(super) most: usize,
    /// The overlap of pages in milliseconds, so that a conversation that changes meanwhile is in one of them.
    pub(super) overlap: i64,
}

impl PageRule {
    /// The platform has trouble near its limit of 1000 or 1001; sources differ ([SB-8](crate::rules#sb-8),
    /// [SB-9](crate::rules#sb-9)).
    pub(super) const PLATFORM: Self = Self { full: 900, most: 1_000, overlap: 10_000 };

    /// Returns whether a page may follow a page of `changes` changes.
    pub(super) fn is_full(self, changes: usize) -> bool {
        changes >= self.full
    }

    /// Returns the query of the page after a page of `changes` changes, or `None` if it was the last.
    ///
    /// The bound always moves: by the overlap if that is progress, to the `oldest` conversation's own time if the
    /// overlap reaches beyond this page, and past that time if the whole page has one time.
    pub(super) fn next_page(
        self,
        query: &ConversationQuery,
        changes: usize,
        oldest: Option<Timestamp>,
    ) -> Option<ConversationQuery> {
        let Timestamp(oldest) = oldest.filter(|_| self.is_full(changes))?;
        let bound = query.max_last_updated_time.map_or(i64::MAX, |Timestamp(bound)| bound);
        let candidates = [oldest.saturating_add(self.overlap), oldest];
        let next = candidates.into_iter().find(|candidate| *candidate < bound).unwrap_or(bound - 1);
        Some(ConversationQuery {
            min_last_updated_time: Some(query.min_last_updated_time.unwrap_or_default()),
            max_last_updated_time: Some(Timestamp(next)),
            ..query.clone()
        })
    }

    /// Returns whether the platform may have omitted conversations that changed at the one time of this whole page. No
    /// bound and no other key of the usual query separates them ([SB-10](crate::rules#sb-10)).
    pub(super) fn is_cut(self, query: &ConversationQuery, changes: usize, oldest: Option<Timestamp>) -> bool {
        changes >= self.most && oldest.is_some() && oldest == query.max_last_updated_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(bound: Option<i64>) -> ConversationQuery {
        ConversationQuery { max_last_updated_time: bound.map(Timestamp), ..ConversationQuery::default() }
    }

    fn page(times: impl Iterator<Item = i64>, bound: Option<i64>) -> Option<i64> {
        let times: Vec<i64> = times.collect();
        let oldest = times.iter().min().copied().map(Timestamp);
        let next = PageRule::PLATFORM.next_page(&until(bound), times.len(), oldest);
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

    #[test]
    fn sb10_a_page_of_one_time_is_cut_if_it_holds_as_many_as_the_platform_names() {
        let is_cut =
            |bound, changes, oldest| PageRule::PLATFORM.is_cut(&until(bound), changes, Some(Timestamp(oldest)));
        assert!(is_cut(Some(7), 1_000, 7) && is_cut(Some(7), 1_001, 7));
        assert!(!is_cut(Some(7), 999, 7), "all of that time are in it");
        assert!(!is_cut(Some(7), 1_001, 6), "the next page begins at 6");
        assert!(!is_cut(None, 1_001, 7), "the next page begins at 7");
    }
}
