//! Requests fresh states for conversations that were restarted or released, because their known state is suspect.

use std::collections::{BTreeSet, VecDeque};

use crate::id::ConversationId;

/// The most states requested at the same time.
const ASKED_TOGETHER: usize = 32;

/// The conversations whose state must be requested. Each is listed once, so there are no more than conversations.
#[derive(Debug, Default)]
pub(super) struct Refreshing {
    wanted: VecDeque<ConversationId>,
    asked: BTreeSet<ConversationId>,
}

impl Refreshing {
    pub(super) fn want(&mut self, id: ConversationId) {
        if !self.wanted.contains(&id) {
            self.wanted.push_back(id);
        }
    }

    pub(super) fn forget(&mut self, id: &ConversationId) {
        self.wanted.retain(|wanted| wanted != id);
    }

    /// The request about a conversation has ended.
    pub(super) fn ended(&mut self, id: &ConversationId) {
        self.asked.remove(id);
    }

    /// Returns a conversation to request now. If it is wanted again during its request, it is requested again
    /// afterwards, because that response may be older.
    pub(super) fn next(&mut self) -> Option<ConversationId> {
        if self.asked.len() >= ASKED_TOGETHER {
            return None;
        }
        let position = self.wanted.iter().position(|id| !self.asked.contains(id))?;
        let id = self.wanted.remove(position)?;
        self.asked.insert(id.clone());
        Some(id)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.wanted.len() + self.asked.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_requested_once_and_again_only_after_its_response() {
        let mut refreshing = Refreshing::default();
        refreshing.want("a".into());
        refreshing.want("a".into());
        assert_eq!(refreshing.next(), Some("a".into()));
        assert_eq!(refreshing.next(), None);
        refreshing.want("a".into());
        refreshing.want("b".into());
        assert_eq!(refreshing.next(), Some("b".into()), "the answer for a is on its way");
        refreshing.ended(&"a".into());
        assert_eq!(refreshing.next(), Some("a".into()));
    }

    #[test]
    fn only_so_many_are_requested_at_the_same_time() {
        let mut refreshing = Refreshing::default();
        (0..100).for_each(|number| refreshing.want(number.to_string().as_str().into()));
        assert_eq!(std::iter::from_fn(|| refreshing.next()).count(), ASKED_TOGETHER);
    }
}
