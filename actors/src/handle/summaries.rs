//! Lists of a connection's conversations in brief, page by page, read from the store without loading a conversation.

use tertulia_core::id::ConversationId;

use super::ConnectionHandle;
use crate::{
    conversation::{ConversationFilter, ConversationSummary},
    engine::{RecordKey, StoreError, Table},
};

/// Records read from the store at once.
const LOOK_AT: usize = 1_000;

impl ConnectionHandle {
    /// Returns the conversations that [belong](ConversationSummary::belongs) to the connection and that match `filter`,
    /// sorted by id: at most `limit` of them after the id `after`. Fewer than `limit` are the last ones. Each is in the
    /// state after its last durable event, whether it is in memory or not.
    ///
    /// # Errors
    /// [`StoreError`]; also without a journal.
    pub async fn summaries(
        &self,
        filter: &ConversationFilter,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let (mut summaries, mut next) = (Vec::new(), after);
        loop {
            let (from, filter, wanted) = (next.take(), filter.clone(), limit.saturating_sub(summaries.len()));
            let connection = self.id.clone();
            let (found, last) = self
                .system
                .process
                .journal
                .read(move |store| {
                    let prefix = RecordKey::of(&[connection.as_str()]);
                    let after = from.map(|conversation| prefix.with(conversation.as_str()));
                    let records = store.scan(Table::Snapshots, &prefix, after.as_ref(), LOOK_AT)?;
                    let (mut found, mut last) = (Vec::new(), None);
                    for (place, record) in records.iter().enumerate() {
                        let is_last = place + 1 == records.len() && records.len() < LOOK_AT;
                        // The store keeps conversations for a while after they have left the connection.
                        let summary = ConversationSummary::read(record).filter(ConversationSummary::belongs);
                        found.extend(summary.filter(|summary| filter.matches(&summary.outline)));
                        last = id_of(&record.key).filter(|_| !is_last);
                        if found.len() >= wanted {
                            break;
                        }
                    }
                    Ok((found, last))
                })
                .await?;
            summaries.extend(found);
            next = last;
            if next.is_none() || summaries.len() >= limit {
                return Ok(summaries);
            }
        }
    }

    /// Returns one conversation of the connection, even if the connection no longer holds it; `None` if the store does
    /// not have it.
    ///
    /// # Errors
    /// [`StoreError`]; also without a journal.
    pub async fn summary(&self, conversation: &ConversationId) -> Result<Option<ConversationSummary>, StoreError> {
        let key = RecordKey::of(&[self.id.as_str(), conversation.as_str()]);
        self.system
            .process
            .journal
            .read(move |store| {
                let value = store.get(Table::Snapshots, &key)?;
                Ok(value.and_then(|value| ConversationSummary::read(&crate::engine::Record::new(key, value))))
            })
            .await
    }
}

fn id_of(key: &RecordKey) -> Option<ConversationId> {
    key.parts()?.into_iter().nth(1).map(ConversationId::from)
}
