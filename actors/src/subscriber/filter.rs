//! Selects the events of a subscriber.

use std::collections::HashSet;

use tertulia_core::id::{ConnectionId, ConversationId};

use super::{EventData, EventKind};
use crate::engine::StoredEvent;

/// Selects the events of a subscriber. An empty condition does not filter.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
/// # fn main() { stage::run(async |tertulia, emulator| {
/// use tertulia_actors::subscriber::{EventKind, Filter};
///
/// let kinds = [EventKind::Message, EventKind::Close];
/// let mut events = tertulia.events(Filter::everything().connection("ann").kinds(kinds));
/// # let bot = stage::bot(tertulia).await;
/// # let ann = stage::ann(tertulia).await;
/// # let conversation = ann.create_conversation(Default::default()).await?;
/// # conversation.send_text("hello").await?;
/// let event = events.next().await.ok_or("the system was stopped")??;
/// assert_eq!(event.origin.connection, *"ann");
/// # Ok(())
/// # }) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub(super) connections: HashSet<ConnectionId>,
    pub(super) conversations: HashSet<ConversationId>,
    /// The kinds wanted; `None` does not filter.
    kinds: Option<HashSet<EventKind>>,
}

impl Filter {
    /// Returns a filter that accepts every event.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Accepts only events of this connection, and of the connections named before.
    #[must_use]
    pub fn connection(mut self, connection: impl Into<ConnectionId>) -> Self {
        self.connections.insert(connection.into());
        self
    }

    /// Accepts only events of this conversation, and of the conversations named before.
    #[must_use]
    pub fn conversation(mut self, conversation: impl Into<ConversationId>) -> Self {
        self.conversations.insert(conversation.into());
        self
    }

    /// Accepts only events of this kind, and of the kinds named before.
    #[must_use]
    pub fn kind(self, kind: EventKind) -> Self {
        self.kinds([kind])
    }

    /// Accepts only events of these kinds, and of the kinds named before. An empty list accepts no event.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.kinds.get_or_insert_default().extend(kinds);
        self
    }

    /// Returns whether the filter accepts an event of the log.
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
