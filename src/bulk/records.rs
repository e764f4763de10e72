//! The records of jobs and their items, and their keys.

use serde::{Deserialize, Serialize};
use tertulia_actors::{
    core::id::{ConnectionId, ConversationId},
    engine::{Change, Journal, Record, RecordKey, Store, StoreError, Table},
};

use super::{
    counts::Counts,
    job::{Job, JobId},
    outcome::ItemOutcome,
};

/// Records per read, and per commit when removing.
const PAGE: usize = 1_000;

/// One conversation of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The conversation's id, which in a record is part of the key.
    #[serde(skip, default = "nobody")]
    pub conversation: ConversationId,
    /// The connection that acts; `None` if no connection sees the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// The outcome; `None` if the item is not processed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// The outcome of an item and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The outcome.
    #[serde(flatten)]
    pub outcome: ItemOutcome,
    /// The time.
    pub at: jiff::Timestamp,
}

fn nobody() -> ConversationId {
    ConversationId::from("")
}

fn jobs() -> RecordKey {
    RecordKey::of(&["bulk", "job"])
}

fn items(job: &JobId) -> RecordKey {
    RecordKey::of(&["bulk", "item", job.as_str()])
}

fn put(key: RecordKey, value: &impl Serialize) -> Option<Change> {
    // Both kinds of records can always be serialized.
    let value = serde_json::to_vec(value).ok()?;
    Some(Change::Put(Table::Notes, Record::new(key, value)))
}

pub(super) fn put_job(job: &Job) -> Option<Change> {
    put(jobs().with(job.id.as_str()), job)
}

pub(super) fn remove_job(job: &JobId) -> Change {
    Change::Remove(Table::Notes, jobs().with(job.as_str()))
}

pub(super) fn put_item(job: &JobId, item: &Item) -> Option<Change> {
    put(items(job).with(item.conversation.as_str()), item)
}

fn read_item(record: &Record) -> Option<Item> {
    let conversation = record.key.parts()?.pop()?.into();
    let item: Item = serde_json::from_slice(&record.value).ok()?;
    Some(Item { conversation, ..item })
}

/// Reads every job, the oldest first. Records of an unknown shape are skipped.
pub(super) async fn read_jobs(journal: &Journal) -> Result<Vec<Job>, StoreError> {
    journal
        .read(|store| {
            let (mut found, mut after) = (Vec::new(), None);
            while let Some(page) = page(store, &jobs(), &mut after)? {
                for record in page {
                    match serde_json::from_slice(&record.value) {
                        Ok(job) => found.push(job),
                        Err(error) => tracing::error!(key = ?record.key, %error, "a bulk job cannot be read"),
                    }
                }
            }
            Ok(found)
        })
        .await
}

/// Counts a job's items by outcome.
pub(super) async fn count(journal: &Journal, job: &JobId) -> Result<Counts, StoreError> {
    let prefix = items(job);
    journal
        .read(move |store| {
            let (mut counts, mut after) = (Counts::default(), None);
            while let Some(page) = page(store, &prefix, &mut after)? {
                for item in page.iter().filter_map(read_item) {
                    counts.matched += 1;
                    if let Some(settled) = &item.settled {
                        counts.settle(&settled.outcome);
                    }
                }
            }
            Ok(counts)
        })
        .await
}

/// Reads a page of the items that `wanted` accepts, by conversation, and the position of the next page.
pub(super) async fn read_items(
    journal: &Journal,
    job: &JobId,
    after: Option<ConversationId>,
    limit: usize,
    wanted: impl Fn(&Item) -> bool + Send + 'static,
) -> Result<(Vec<Item>, Option<ConversationId>), StoreError> {
    let prefix = items(job);
    journal
        .read(move |store| {
            let mut found: Vec<Item> = Vec::new();
            let mut after = after.map(|conversation| prefix.with(conversation.as_str()));
            while let Some(page) = page(store, &prefix, &mut after)? {
                for item in page.iter().filter_map(read_item).filter(&wanted) {
                    // One item beyond the limit shows that another page exists.
                    if found.len() == limit {
                        let next = found.last().map(|item| item.conversation.clone());
                        return Ok((found, next));
                    }
                    found.push(item);
                }
            }
            Ok((found, None))
        })
        .await
}

/// The changes that remove some of a job's items; empty if none are left.
pub(super) async fn remove_some_items(journal: &Journal, job: &JobId) -> Result<Vec<Change>, StoreError> {
    let prefix = items(job);
    let page = journal.read(move |store| store.scan(Table::Notes, &prefix, None, PAGE)).await?;
    Ok(page.into_iter().map(|record| Change::Remove(Table::Notes, record.key)).collect())
}

/// The next records; `None` if none are left.
fn page(
    store: &dyn Store,
    prefix: &RecordKey,
    after: &mut Option<RecordKey>,
) -> Result<Option<Vec<Record>>, StoreError> {
    let page = store.scan(Table::Notes, prefix, after.as_ref(), PAGE)?;
    match page.last() {
        Some(last) => {
            *after = Some(last.key.clone());
            Ok(Some(page))
        }
        None => Ok(None),
    }
}
