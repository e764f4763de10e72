//! Who can be reached: the conversations in memory, by connection and id.

use std::collections::HashMap;

use dashmap::DashMap;
use tertulia_core::id::{ConnectionId, ConversationId};

use super::ConversationHandle;

/// The conversations in memory. Bounded by what the connections hold; an entry goes when its conversation goes.
#[derive(Default)]
pub struct Directory {
    conversations: DashMap<ConnectionId, HashMap<ConversationId, ConversationHandle>>,
}

impl Directory {
    /// The conversation as this connection sees it.
    #[must_use]
    pub fn get(&self, connection: &ConnectionId, conversation: &ConversationId) -> Option<ConversationHandle> {
        self.conversations.get(connection)?.get(conversation).cloned()
    }

    /// Every conversation of a connection, in no order.
    #[must_use]
    pub fn of(&self, connection: &ConnectionId) -> Vec<ConversationHandle> {
        self.conversations.get(connection).map(|own| own.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn add(&self, handle: ConversationHandle) {
        let connection = handle.connection().clone();
        self.conversations.entry(connection).or_default().insert(handle.id().clone(), handle);
    }

    pub(crate) fn remove(&self, connection: &ConnectionId, conversation: &ConversationId) {
        if let Some(mut own) = self.conversations.get_mut(connection) {
            own.remove(conversation);
        }
        self.conversations.remove_if(connection, |_, own| own.is_empty());
    }
}
