//! Who can be reached: the conversations in memory, by connection and id.

use dashmap::DashMap;
use tertulia_core::id::{ConnectionId, ConversationId};

use super::ConversationHandle;

/// The conversations in memory. Bounded by what the connections hold; an entry goes when its conversation goes.
#[derive(Default)]
pub struct Directory {
    conversations: DashMap<(ConnectionId, ConversationId), ConversationHandle>,
}

impl Directory {
    /// The conversation as this connection sees it.
    #[must_use]
    pub fn get(&self, connection: &ConnectionId, conversation: &ConversationId) -> Option<ConversationHandle> {
        self.conversations.get(&(connection.clone(), conversation.clone())).map(|entry| entry.clone())
    }

    /// Every conversation of a connection.
    #[must_use]
    pub fn of(&self, connection: &ConnectionId) -> Vec<ConversationHandle> {
        let own = |handle: &ConversationHandle| handle.connection() == connection;
        self.conversations.iter().filter(|entry| own(entry)).map(|entry| entry.clone()).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.conversations.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
    }

    pub(crate) fn add(&self, handle: ConversationHandle) {
        self.conversations.insert((handle.connection().clone(), handle.id().clone()), handle);
    }

    pub(crate) fn remove(&self, connection: &ConnectionId, conversation: &ConversationId) {
        self.conversations.remove(&(connection.clone(), conversation.clone()));
    }
}
