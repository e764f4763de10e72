//! Unknown conversations that messages name: their state is requested from the platform before any event of them is
//! emitted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{id::ConversationId, session::Millis};

/// The most unknown conversations requested at the same time; a message of another one is dropped.
const ASKED_TOGETHER: usize = 8;
/// The most unknown conversations remembered; at this limit none is requested until one is forgotten.
const REMEMBERED: usize = 1_024;
/// How long an unknown conversation is not requested again.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// The conversations being requested, and those that turned out not to belong to this connection.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    asked: BTreeSet<ConversationId>,
    remembered: BTreeMap<ConversationId, Millis>,
}

impl Strangers {
    /// Returns whether to request a conversation now.
    pub(super) fn ask(&mut self, id: &ConversationId, now: Millis) -> bool {
        self.remembered.retain(|_, since| now < since.after(REMEMBERED_FOR));
        let is_room = self.asked.len() < ASKED_TOGETHER && self.remembered.len() < REMEMBERED;
        is_room && !self.remembered.contains_key(id) && self.asked.insert(id.clone())
    }

    /// The request about a conversation has ended.
    pub(super) fn answered(&mut self, id: &ConversationId, now: Millis) {
        if self.asked.remove(id) {
            self.remembered.insert(id.clone(), now);
        }
    }

    pub(super) fn clear(&mut self) {
        self.asked.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_strangers_there_are_few_are_asked_for_and_remembered() {
        let mut strangers = Strangers::default();
        let mut questions = 0;
        for number in 0..20_000 {
            let id = ConversationId::from(number.to_string());
            if strangers.ask(&id, Millis(0)) {
                questions += 1;
                assert!(!strangers.ask(&id, Millis(0)), "it is asked for already");
                strangers.answered(&id, Millis(0));
            }
            assert!(!strangers.ask(&id, Millis(0)), "it is no stranger any more, or there is no room");
        }
        assert_eq!(questions, REMEMBERED);
        assert!(strangers.ask(&"0".into(), Millis(60_000)), "after a while it may be another one");
    }

    #[test]
    fn only_so_many_strangers_are_asked_for_together() {
        let mut strangers = Strangers::default();
        let asked = (0..100).filter(|number| strangers.ask(&number.to_string().into(), Millis(0))).count();
        assert_eq!(asked, ASKED_TOGETHER);
    }
}
