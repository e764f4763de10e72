//! The front of lists: a connection's conversations in brief, page by page, without waking any of them.

use std::sync::Arc;

use tertulia_core::id::ConversationId;

use super::ConnectionHandle;
use crate::{
    conversation::{ConversationFilter, ConversationSummary},
    engine::{RecordKey, StoreError, Table},
};

/// Records that are looked at in one read.
const LOOK_AT: usize = 1_000;

/// A part of a connection's conversations.
#[derive(Clone, Debug, Default)]
pub struct SummaryPage {
    /// Those that the filter means, by id.
    pub summaries: Vec<ConversationSummary>,
    /// Behind which the next page begins; `None` on the last one.
    pub next: Option<ConversationId>,
}

impl ConnectionHandle {
    /// The conversations that a connection holds and `filter` means, by id, those behind `after`, at most `limit` of
    /// them. Awake or asleep, they are as they were after their last event that is durable.
    ///
    /// # Errors
    /// [`StoreError`]; also where nothing is kept.
    pub async fn summaries(
        &self,
        filter: &ConversationFilter,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<SummaryPage, StoreError> {
        let (mut summaries, mut next) = (Vec::new(), after);
        loop {
            let (from, filter, wanted) = (next.take(), filter.clone(), limit.saturating_sub(summaries.len()));
            let (directory, connection) = (Arc::clone(&self.system.process.directory), self.id.clone());
            let (found, last) = self
                .system
                .process
                .routing
                .journal()
                .read(move |store| {
                    let prefix = RecordKey::of(&[connection.as_str()]);
                    let after = from.map(|conversation| prefix.with(conversation.as_str()));
                    let records = store.scan(Table::Snapshots, &prefix, after.as_ref(), LOOK_AT)?;
                    let (mut found, mut last) = (Vec::new(), None);
                    for (place, record) in records.iter().enumerate() {
                        // What it holds no more is kept for a while.
                        let id = id_of(&record.key).filter(|id| directory.get(&connection, id).is_some());
                        let is_last = place + 1 == records.len() && records.len() < LOOK_AT;
                        let summary = id.and_then(|_| ConversationSummary::read(record));
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
                return Ok(SummaryPage { summaries, next });
            }
        }
    }

    /// One conversation of a connection, whether the connection still holds it or not; `None` where nothing is known of
    /// it.
    ///
    /// # Errors
    /// [`StoreError`]; also where nothing is kept.
    pub async fn summary(&self, conversation: &ConversationId) -> Result<Option<ConversationSummary>, StoreError> {
        let key = RecordKey::of(&[self.id.as_str(), conversation.as_str()]);
        self.system
            .process
            .routing
            .journal()
            .read(move |store| {
                let value = store.get(Table::Snapshots, &key)?;
                Ok(value.and_then(|value| ConversationSummary::read(&crate::engine::Record { key, value })))
            })
            .await
    }
}

fn id_of(key: &RecordKey) -> Option<ConversationId> {
    key.parts()?.into_iter().nth(1).map(ConversationId::from)
}
