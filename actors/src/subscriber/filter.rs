//! Which events a subscriber wants.

use std::collections::HashSet;

use tertulia_core::id::{ConnectionId, ConversationId};

use super::EventData;
use crate::engine::StoredEvent;

/// Which events a subscriber wants. What is empty does not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub(super) connections: HashSet<ConnectionId>,
    pub(super) conversations: HashSet<ConversationId>,
    names: HashSet<Box<str>>,
}

impl Filter {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Only what happens on this connection, beside others named so.
    #[must_use]
    pub fn connection(mut self, connection: impl Into<ConnectionId>) -> Self {
        self.connections.insert(connection.into());
        self
    }

    /// Only what happens in this conversation, beside others named so.
    #[must_use]
    pub fn conversation(mut self, conversation: impl Into<ConversationId>) -> Self {
        self.conversations.insert(conversation.into());
        self
    }

    /// Only events of this name, such as `message` or `tertulia.message`, beside others named so.
    #[must_use]
    pub fn kind(mut self, name: &str) -> Self {
        self.names.insert(name.strip_prefix("tertulia.").unwrap_or(name).into());
        self
    }

    /// Whether an event of the log is wanted.
    #[must_use]
    pub fn takes(&self, event: &StoredEvent) -> bool {
        (self.names.is_empty() || self.names.contains(&*event.name))
            && (self.connections.is_empty() || self.connections.contains(&*event.connection))
            && (self.conversations.is_empty()
                || event.conversation.as_ref().is_some_and(|id| self.conversations.contains(&**id)))
    }

    pub(super) fn wants(
        &self,
        connection: &ConnectionId,
        conversation: Option<&ConversationId>,
        data: &EventData,
    ) -> bool {
        (self.names.is_empty() || self.names.contains(data.name()))
            && (self.connections.is_empty() || self.connections.contains(connection))
            && (self.conversations.is_empty()
                || conversation.is_some_and(|conversation| self.conversations.contains(conversation)))
    }
}
