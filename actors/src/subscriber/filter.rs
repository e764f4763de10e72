//! Which events a subscriber wants.

use std::collections::HashSet;

use tertulia_core::id::{ConnectionId, ConversationId};

use super::{EventData, EventKind};
use crate::engine::StoredEvent;

/// Which events a subscriber wants. What is empty does not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub(super) connections: HashSet<ConnectionId>,
    pub(super) conversations: HashSet<ConversationId>,
    /// `None` does not filter.
    kinds: Option<HashSet<EventKind>>,
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

    /// Only events of this kind, and of the kinds that were named so before.
    #[must_use]
    pub fn kind(self, kind: EventKind) -> Self {
        self.kinds([kind])
    }

    /// Only events of these kinds, and of the kinds that were named so before; without any, no event.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.kinds.get_or_insert_default().extend(kinds);
        self
    }

    /// Whether an event of the log is wanted.
    #[must_use]
    pub fn takes(&self, event: &StoredEvent) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind.name() == event.name))
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
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&data.kind()))
            && (self.connections.is_empty() || self.connections.contains(connection))
            && (self.conversations.is_empty()
                || conversation.is_some_and(|conversation| self.conversations.contains(conversation)))
    }
}
