//! Conversations that are to be looked at, each at its time.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tertulia_core::id::ConversationId;

/// Conversations in the order in which they were queued. A look at the queue costs only as much as what is due.
#[derive(Default)]
pub(crate) struct DueQueue(BTreeSet<(Instant, ConversationId)>);

impl DueQueue {
    pub(crate) fn add(&mut self, since: Instant, id: &ConversationId) {
        self.0.insert((since, id.clone()));
    }

    pub(crate) fn remove(&mut self, since: Instant, id: &ConversationId) {
        self.0.remove(&(since, id.clone()));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes and returns the conversations that were queued at least `after` ago, and since when they waited.
    pub(crate) fn take_due(&mut self, now: Instant, after: Duration) -> Vec<(Instant, ConversationId)> {
        let mut due = Vec::new();
        while let Some((since, _)) = self.0.first()
            && now.saturating_duration_since(*since) >= after
        {
            due.extend(self.0.pop_first());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_taken_once_and_what_was_removed_never() {
        let (mut queue, begin, second) = (DueQueue::default(), Instant::now(), Duration::from_secs(1));
        for (seconds, id) in [(2, "c"), (0, "a"), (1, "b")] {
            queue.add(begin + second * seconds, &id.into());
        }
        queue.remove(begin, &"a".into());
        let mut due = |seconds: u32| {
            let due = queue.take_due(begin + second * seconds, second);
            due.iter().map(|(_, id)| id.as_str().to_owned()).collect::<Vec<String>>()
        };
        assert_eq!((due(1), due(2), due(2), due(9)), (vec![], vec!["b".into()], vec![], vec!["c".into()]));
    }
}
