//! How many of a job's items have which outcome.

use serde::{Deserialize, Serialize};

use super::outcome::ItemOutcome;

/// The number of a job's items by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Conversations that matched.
    pub matched: usize,
    /// Items whose conversation is in the wanted state.
    pub done: usize,
    /// Items that were refused.
    pub refused: usize,
    /// Items whose outcome could not be determined.
    pub unknown: usize,
}

impl Counts {
    pub(super) fn settle(&mut self, outcome: &ItemOutcome) {
        match outcome {
            ItemOutcome::Done { .. } => self.done += 1,
            ItemOutcome::Refused { .. } => self.refused += 1,
            ItemOutcome::Unknown { .. } => self.unknown += 1,
        }
    }

    pub(super) fn settled(&self) -> usize {
        self.done + self.refused + self.unknown
    }

    /// Items that are not processed yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.matched.saturating_sub(self.settled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_without_an_outcome_are_left() {
        let mut counts = Counts { matched: 4, ..Counts::default() };
        counts.settle(&ItemOutcome::done("closed"));
        let (code, detail) = ("timed-out".to_owned(), String::new());
        counts.settle(&ItemOutcome::Unknown { code: code.clone(), detail: detail.clone() });
        counts.settle(&ItemOutcome::Refused { code, detail, platform_code: None });
        assert_eq!((counts.done, counts.unknown, counts.refused, counts.left()), (1, 1, 1, 1));
    }
}
