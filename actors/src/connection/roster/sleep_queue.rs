//! Decides when each conversation in memory is checked: after an idle period it may be unloaded.

use std::time::{Duration, Instant};

use tertulia_core::id::ConversationId;

use super::due_queue::DueQueue;

/// The last use of a conversation.
pub(crate) struct Activity {
    used: Instant,
    /// Its position in the queue; `None` while it is asked whether it may be unloaded.
    turn: Option<Instant>,
    /// Whether it was loaded for its only use.
    is_woken: bool,
}

impl Activity {
    /// When the conversation last received a message that concerns it.
    pub(crate) fn used(&self) -> Instant {
        self.used
    }

    /// Whether the conversation was loaded for the only message that concerned it.
    pub(crate) fn is_woken(&self) -> bool {
        self.is_woken
    }

    /// Whether the conversation was asked whether it is idle and nothing was sent to it since.
    pub(crate) fn is_resting(&self) -> bool {
        self.turn.is_none()
    }
}

/// The conversations in memory, in the order in which they may have become idle. Each is listed once, unless it is
/// being asked.
///
/// Using a conversation does not move it in the queue; it is moved only when it reaches the front. So a use costs
/// nothing, and the search for idle conversations costs only as much as the number that reached the front, however many
/// others are in memory.
#[derive(Default)]
pub(crate) struct SleepQueue(DueQueue);

impl SleepQueue {
    /// Adds a conversation at its first use.
    pub(crate) fn add(&mut self, id: &ConversationId, now: Instant) -> Activity {
        self.0.add(now, id);
        Activity { used: now, turn: Some(now), is_woken: false }
    }

    /// Adds a conversation that was unloaded until now.
    pub(crate) fn add_woken(&mut self, id: &ConversationId, now: Instant) -> Activity {
        Activity { is_woken: true, ..self.add(id, now) }
    }

    /// Records the use of a conversation; a conversation that is being asked is queued again.
    pub(crate) fn used(&mut self, id: &ConversationId, activity: &mut Activity, now: Instant) {
        activity.used = now;
        activity.is_woken = false;
        if activity.is_resting() {
            activity.turn = Some(now);
            self.0.add(now, id);
        }
    }

    /// Takes a conversation out of the queue; from now on it counts as being asked.
    pub(crate) fn take_out(&mut self, id: &ConversationId, activity: &mut Activity) {
        self.remove(id, activity);
        activity.turn = None;
    }

    pub(crate) fn remove(&mut self, id: &ConversationId, activity: &Activity) {
        if let Some(turn) = activity.turn {
            self.0.remove(turn, id);
        }
    }

    /// Removes and returns the conversations that were queued at least `after` ago.
    pub(crate) fn take_over(&mut self, now: Instant, after: Duration) -> Vec<ConversationId> {
        self.0.take_due(now, after).into_iter().map(|(_, id)| id).collect()
    }

    /// Queues again a conversation that was removed but must not be unloaded.
    pub(crate) fn stays(&mut self, id: &ConversationId, activity: &mut Activity, now: Instant) {
        activity.turn = Some(now);
        self.0.add(now, id);
    }

    /// Returns whether a removed conversation was idle for `after`; from now on it counts as being asked. Otherwise it
    /// is queued again.
    pub(crate) fn rests(
        &mut self,
        id: &ConversationId,
        activity: &mut Activity,
        now: Instant,
        after: Duration,
    ) -> bool {
        let is_quiet = now.saturating_duration_since(activity.used) >= after;
        activity.turn = (!is_quiet).then_some(activity.used);
        if !is_quiet {
            self.0.add(activity.used, id);
        }
        is_quiet
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    struct Memory {
        queue: SleepQueue,
        activities: BTreeMap<ConversationId, Activity>,
        start: Instant,
    }

    impl Memory {
        /// One conversation for each letter, each first used one second after the previous one.
        fn of(conversations: &str) -> Self {
            let mut memory = Self { queue: SleepQueue::default(), activities: BTreeMap::new(), start: Instant::now() };
            for (second, letter) in (0..).zip(conversations.chars()) {
                let (id, now) = (ConversationId::from(letter.to_string()), memory.at(second));
                let activity = memory.queue.add(&id, now);
                memory.activities.insert(id, activity);
            }
            memory
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        fn used(&mut self, id: &str, second: u64) {
            let (id, now) = (ConversationId::from(id), self.at(second));
            if let Some(activity) = self.activities.get_mut(&id) {
                self.queue.used(&id, activity, now);
            }
        }

        /// Returns the conversations that were checked, and those of them that are being asked from now on.
        fn look(&mut self, second: u64) -> (String, String) {
            let now = self.at(second);
            let taken = self.queue.take_over(now, MINUTE);
            let resting = taken.iter().filter(|id| {
                let activity = self.activities.get_mut(*id);
                activity.is_some_and(|activity| self.queue.rests(id, activity, now, MINUTE))
            });
            let resting: String = resting.map(ConversationId::as_str).collect();
            (taken.iter().map(ConversationId::as_str).collect(), resting)
        }
    }

    fn looked(taken: &str, resting: &str) -> (String, String) {
        (taken.to_owned(), resting.to_owned())
    }

    #[test]
    fn only_conversations_whose_turn_is_over_are_looked_at() {
        let mut memory = Memory::of("abcdefgh");
        assert_eq!(memory.look(59), looked("", ""));
        assert_eq!(memory.look(61), looked("ab", "ab"));
        assert_eq!(memory.look(61), looked("", ""));
        assert_eq!(memory.look(62), looked("c", "c"));
    }

    #[test]
    fn a_conversation_that_was_used_is_looked_at_once_and_again_when_it_was_quiet_for_as_long() {
        let mut memory = Memory::of("abc");
        (1..50).for_each(|second| memory.used("a", second));
        assert_eq!(memory.look(60), looked("a", ""));
        assert_eq!(memory.look(108), looked("bc", "bc"));
        assert_eq!(memory.look(109), looked("a", "a"));
    }

    #[test]
    fn a_resting_conversation_that_is_used_has_one_turn_again() {
        let mut memory = Memory::of("a");
        assert_eq!(memory.look(60), looked("a", "a"));
        memory.used("a", 70);
        memory.used("a", 80);
        assert_eq!(memory.queue.0.len(), 1);
        assert_eq!(memory.look(130), looked("a", ""));
        assert_eq!(memory.look(140), looked("a", "a"));
    }

    #[test]
    fn a_conversation_that_is_removed_leaves_no_turn() {
        let mut memory = Memory::of("ab");
        memory.used("a", 30);
        let id = ConversationId::from("a");
        let activity = memory.activities.remove(&id);
        activity.into_iter().for_each(|activity| memory.queue.remove(&id, &activity));
        assert_eq!(memory.look(90), looked("b", "b"));
        assert_eq!(memory.queue.0.len(), 0);
    }
}
