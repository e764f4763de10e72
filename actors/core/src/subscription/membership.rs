//! Which conversations are in which subscription, as known from notifications.

use super::{
    Addressee, Subscriptions,
    entry::{Entry, Life, Purpose},
};
use crate::{id::ConversationId, session::Millis, time::Timestamp, ums::ChangeKind};

/// A conversation's membership after a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is in a subscription.
    Held,
    /// It is no longer in any subscription.
    Left,
    /// Unknown: the notification was for an ended subscription, or for a question.
    Unknown,
}

impl<N> Subscriptions<N> {
    /// Returns to which subscription a notification with this id belongs.
    #[must_use]
    pub fn addressee(&self, subscription_id: Option<&str>) -> Addressee {
        match subscription_id {
            None => Addressee::Everybody,
            Some(id) => self.key_of(id).map_or(Addressee::Stranger, Addressee::Subscription),
        }
    }

    /// Processes one change of a notification. `updated` returns the time of the state.
    ///
    /// Returns `None` for an unknown conversation that has left, or whose state does not show that a subscription
    /// contains it. Such a state responds to a question, belongs to an unknown subscription, or is from before the
    /// conversation left. The question that a message of this conversation caused is an exception.
    pub fn change(
        &mut self,
        addressee: Addressee,
        id: &ConversationId,
        kind: &ChangeKind,
        is_known: bool,
        updated: impl FnOnce() -> Option<Timestamp>,
        now: Millis,
    ) -> Option<Presence> {
        let is_gone = *kind == ChangeKind::Delete;
        if !is_gone && self.asks_for_stranger(addressee, id) {
            return Some(Presence::Held);
        }
        let mut is_late = addressee == Addressee::Stranger || self.is_question(addressee);
        if is_gone {
            if !is_late && let Some(updated) = updated() {
                self.departures.add(id, updated, now);
            }
        } else {
            // The change with which the conversation left overtook this older state.
            is_late |= self.departures.is_stale(id, updated);
        }
        if (is_gone || is_late) && !is_known {
            return None;
        }
        let presence = match is_gone {
            _ if is_late => Presence::Unknown,
            true if self.left(addressee, id) => Presence::Held,
            true => Presence::Left,
            false => {
                self.joined(addressee, id);
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

    /// A state arrived again unchanged: the conversation is still in its subscription.
    pub fn repeated(&mut self, id: &ConversationId) {
        self.leaving.remove(id);
    }

    /// Returns whether a standing subscription contains a conversation.
    #[must_use]
    pub fn has(&self, id: &ConversationId) -> bool {
        self.entries.values().any(|entry| entry.life.has(id))
    }

    /// Returns whether a notification only responds to a question about a conversation that is or was in other
    /// subscriptions.
    #[must_use]
    pub fn is_question(&self, addressee: Addressee) -> bool {
        matches!(self.entry(addressee), Some(Entry { life: Life::Once { page_of: None }, .. }))
    }

    /// Whether a notification responds to the question about this conversation, of which only a message was known.
    fn asks_for_stranger(&self, addressee: Addressee, id: &ConversationId) -> bool {
        let snapshot = self.entry(addressee).and_then(|entry| entry.snapshot.as_ref());
        snapshot.is_some_and(|snapshot| matches!(&snapshot.purpose, Purpose::Stranger(asked) if asked == id))
    }

    fn joined(&mut self, addressee: Addressee, id: &ConversationId) {
        let Addressee::Subscription(key) = addressee else { return };
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

    /// Records that a conversation left a subscription, or all if none is named; returns whether another one still
    /// contains it.
    fn left(&mut self, addressee: Addressee, id: &ConversationId) -> bool {
        let mut is_held = false;
        for (own, entry) in &mut self.entries {
            match &mut entry.life {
                Life::Standing { members, .. }
                    if addressee == Addressee::Everybody || addressee == Addressee::Subscription(*own) =>
                {
                    members.remove(id);
                }
                life => is_held |= life.has(id),
            }
        }
        is_held
    }

    pub(super) fn entry(&self, addressee: Addressee) -> Option<&Entry> {
        match addressee {
            Addressee::Subscription(key) => self.entries.get(&key),
            Addressee::Stranger | Addressee::Everybody => None,
        }
    }
}
