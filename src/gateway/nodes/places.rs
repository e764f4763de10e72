//! Which connection was found to have a conversation: the newest of many conversations. Pure.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tertulia_actors::core::id::{ConnectionId, ConversationId};

/// The most conversations whose connections are remembered.
const MOST: usize = 100_000;

/// The connections of the conversations that were named last.
#[derive(Default)]
pub(super) struct Places(Mutex<Halves>);

/// Conversations move from the old half to the new one when they are named. The old half is dropped when the new one is full.
#[derive(Default)]
struct Halves {
    new: HashMap<ConversationId, ConnectionId>,
    old: HashMap<ConversationId, ConnectionId>,
}

impl Places {
    pub(super) fn get(&self, conversation: &ConversationId) -> Option<ConnectionId> {
        let mut halves = self.halves();
        if let Some(connection) = halves.new.get(conversation) {
            return Some(connection.clone());
        }
        let connection = halves.old.remove(conversation)?;
        halves.put(conversation.clone(), connection.clone());
        Some(connection)
    }

    pub(super) fn put(&self, conversation: ConversationId, connection: ConnectionId) {
        self.halves().put(conversation, connection);
    }

    pub(super) fn forget(&self, conversation: &ConversationId) {
        let mut halves = self.halves();
        halves.new.remove(conversation);
        halves.old.remove(conversation);
    }

    fn halves(&self) -> MutexGuard<'_, Halves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halves {
    fn put(&mut self, conversation: ConversationId, connection: ConnectionId) {
        if self.new.len() >= MOST / 2 {
            self.old = mem::take(&mut self.new);
        }
        self.new.insert(conversation, connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ConversationId {
        ConversationId::from(format!("c{number}"))
    }

    #[test]
    fn the_newest_conversations_are_remembered() {
        let places = Places::default();
        for number in 0..MOST {
            places.put(id(number), "bots-1".into());
            // Named again and again.
            assert!(places.get(&id(0)).is_some(), "{number}");
        }
        let halves = places.halves();
        assert!(halves.new.len() + halves.old.len() <= MOST);
        drop(halves);
        assert_eq!(places.get(&id(1)), None);
        assert_eq!(places.get(&id(MOST - 1)), Some("bots-1".into()));
    }

    #[test]
    fn a_conversation_that_is_not_there_any_more_is_forgotten() {
        let places = Places::default();
        places.put(id(1), "bots-1".into());
        places.put(id(1), "bots-2".into());
        assert_eq!(places.get(&id(1)), Some("bots-2".into()));
        places.forget(&id(1));
        assert_eq!(places.get(&id(1)), None);
    }
}
