//! Who is in which subscription, by what the notifications tell.

use super::{
    SubscriptionKey, Subscriptions,
    entry::{Entry, Life, Purpose},
};
use crate::{id::ConversationId, session::Millis, time::Timestamp, ums::ChangeKind};

/// What a notification tells of a conversation's place in the subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is in one of them.
    Held,
    /// It is in none any more.
    Left,
    /// Nothing: it came for a subscription that has ended, or for a question.
    Unknown,
}

/// For whom a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A subscription of this socket.
    Subscription(SubscriptionKey),
    /// One that is not known: it has ended, or its answer is still on its way.
    Stranger,
    /// It names none.
    Everybody,
}

impl<N> Subscriptions<N> {
    /// For whom a notification is that names this subscription.
    #[must_use]
    pub fn told(&self, subscription_id: Option<&str>) -> Told {
        match subscription_id {
            None => Told::Everybody,
            Some(id) => self.key_of(id).map_or(Told::Stranger, Told::Subscription),
        }
    }

    /// Takes one change of a notification. `None` where it is nothing to anybody: a conversation that is not known and
    /// is gone already, or was seen by nobody who stayed. `updated` says when the state is from.
    pub fn change(
        &mut self,
        told: Told,
        id: &ConversationId,
        kind: &ChangeKind,
        is_known: bool,
        updated: impl FnOnce() -> Option<Timestamp>,
        now: Millis,
    ) -> Option<Presence> {
        let is_gone = *kind == ChangeKind::Delete;
        if !is_gone && self.asks_for_stranger(told, id) {
            return Some(Presence::Held);
        }
        let mut is_late = told == Told::Stranger || self.is_question(told);
        if is_gone {
            if !is_late && let Some(updated) = updated() {
                self.departures.add(id, updated, now);
            }
        } else {
            // A snapshot that was overtaken by the change that it should have told before.
            is_late |= self.departures.is_stale(id, updated);
        }
        if (is_gone || is_late) && !is_known {
            return None;
        }
        let presence = match is_gone {
            _ if is_late => Presence::Unknown,
            true if self.left(told, id) => Presence::Held,
            true => Presence::Left,
            false => {
                self.joined(told, id);
                Presence::Held
            }
        };
        match presence {
            Presence::Held => self.leaving.remove(id),
            Presence::Left => self.leaving.add(id, now),
            Presence::Unknown => {}
        }
        Some(presence)
    }

    /// A state was told again as it came before: whose it is, is still there.
    pub fn repeated(&mut self, id: &ConversationId) {
        self.leaving.remove(id);
    }

    /// Whether a subscription that stands has a conversation.
    #[must_use]
    pub fn has(&self, id: &ConversationId) -> bool {
        self.entries.values().any(|entry| entry.life.has(id))
    }

    /// Whether a notification only says what became of a conversation that other subscriptions have or had.
    #[must_use]
    pub fn is_question(&self, told: Told) -> bool {
        matches!(self.entry(told), Some(Entry { life: Life::Once { page_of: None }, .. }))
    }

    /// Whether a notification answers the question for this conversation, of which only a message was known.
    fn asks_for_stranger(&self, told: Told, id: &ConversationId) -> bool {
        let snapshot = self.entry(told).and_then(|entry| entry.snapshot.as_ref());
        snapshot.is_some_and(|snapshot| matches!(&snapshot.purpose, Purpose::Stranger(asked) if asked == id))
    }

    fn joined(&mut self, told: Told, id: &ConversationId) {
        let Told::Subscription(key) = told else { return };
        let root = match self.entries.get(&key).map(|entry| &entry.life) {
            Some(Life::Once { page_of: Some(root) }) => *root,
            _ => key,
        };
        if let Some(Entry { life: Life::Standing { members, .. }, .. }) = self.entries.get_mut(&root)
            && !members.contains(id)
        {
            members.insert(id.clone());
        }
    }

    /// Notes that a conversation left a subscription, or all where none is named; whether another one has it still.
    fn left(&mut self, told: Told, id: &ConversationId) -> bool {
        let mut is_held = false;
        for (own, entry) in &mut self.entries {
            match &mut entry.life {
                Life::Standing { members, .. } if told == Told::Everybody || told == Told::Subscription(*own) => {
                    members.remove(id);
                }
                life => is_held |= life.has(id),
            }
        }
        is_held
    }

    pub(super) fn entry(&self, told: Told) -> Option<&Entry> {
        match told {
            Told::Subscription(key) => self.entries.get(&key),
            Told::Stranger | Told::Everybody => None,
        }
    }
}
