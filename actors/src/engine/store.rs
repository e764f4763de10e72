//! The interface of the store for events and records.

use std::{borrow::Cow, fmt, ops::RangeInclusive, sync::Arc};

use bytes::Bytes;

use super::{RecordKey, StoreCopy};

/// A table of records. Records are small and found by key; their content is defined by their writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Conversations as they were after their last logged event, by connection and conversation.
    Snapshots,
    /// Accepted commands without an outcome, by connection, conversation and command key.
    Outbox,
    /// The outcomes of commands with a caller's key, by connection, conversation and command key.
    Answers,
    /// Notifications, commands and deliveries that could not be handled, by id, which grows with time.
    DeadLetters,
    /// The system's own records, such as the identities of anonymous consumers, by kind and name.
    Notes,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 5] = [Self::Snapshots, Self::Outbox, Self::Answers, Self::DeadLetters, Self::Notes];

    /// The table's name, also used in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshots => "snapshots",
            Self::Outbox => "outbox",
            Self::Answers => "answers",
            Self::DeadLetters => "dead-letters",
            Self::Notes => "notes",
        }
    }
}

/// One event of the log, serialized as the CloudEvents object that every reader gets. The other fields repeat what
/// readers filter by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// The offset in the log.
    pub offset: u64,
    /// The connection.
    pub connection: Arc<str>,
    /// The conversation, if the event belongs to one.
    pub conversation: Option<Arc<str>>,
    /// The event's name after `tertulia.`.
    pub name: Cow<'static, str>,
    /// The CloudEvents object.
    pub json: Bytes,
}

/// One record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: RecordKey,
    /// The content.
    pub value: Bytes,
}

impl fmt::Debug for Record {
    /// Omits the content, which may be a consumer's words or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("key", &self.key).field("bytes", &self.value.len()).finish()
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Appends an event; its offset is one above the last offset.
    Append(StoredEvent),
    /// Writes a record, replacing a record with the same key.
    Put(Table, Record),
    /// Removes a record, if it exists.
    Remove(Table, RecordKey),
    /// Deletes the events below an offset.
    Trim {
        /// The oldest event that stays.
        oldest: u64,
    },
}

/// The extent of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Identifies this log for its whole existence.
    pub epoch: Arc<str>,
    /// The oldest event kept; `newest + 1` if no event is kept.
    pub oldest: u64,
    /// The newest event; 0 before the first event.
    pub newest: u64,
}

/// A failed operation of the store.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store could not {operation}: {reason}")]
pub struct StoreError {
    /// The operation.
    pub operation: &'static str,
    /// The reason.
    pub reason: Arc<str>,
}

impl StoreError {
    /// Returns the failure of `operation`.
    pub fn new(operation: &'static str, reason: impl fmt::Display) -> Self {
        Self { operation, reason: reason.to_string().into() }
    }
}

/// The store of events and records. Every call may block on the disk, so no call is made on an arbiter's thread. There
/// may be any number of concurrent readers and one writer.
pub trait Store: Send + Sync + 'static {
    /// The extent of the log.
    fn history(&self) -> History;

    /// Makes all changes in order, or none of them. The changes are durable when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; then no reader sees any of the changes.
    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// Returns at most `limit` events after the offset `after`, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError>;

    /// Returns the offsets of the first damaged events after `after`; `None` if all can be read. Called after
    /// [`Store::events`] failed.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read at all.
    fn damage(&self, after: u64) -> Result<Option<RangeInclusive<u64>>, StoreError> {
        let _ = after;
        Ok(None)
    }

    /// The number of events found damaged since the store was opened.
    fn damaged(&self) -> u64 {
        0
    }

    /// Returns the event at `offset`; `None` if it was deleted or is damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    fn event(&self, offset: u64) -> Result<Option<StoredEvent>, StoreError> {
        let before = offset.saturating_sub(1);
        match self.events(before, 1) {
            Ok(events) => Ok(events.into_iter().next().filter(|event| event.offset == offset)),
            Err(error) => match self.damage(before)? {
                Some(damaged) if damaged.contains(&offset) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Returns the content of the record with this key.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError>;

    /// Returns at most `limit` records whose keys begin with `prefix` and are above `after`, in the order of their
    /// keys.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// Fails if the store's files are no longer in place. Called while nothing is committed.
    ///
    /// # Errors
    /// [`StoreError`].
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes a consistent copy, from which a store can be opened. It has everything committed before this call. Commits
    /// continue meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be copied or the copy cannot be written.
    fn copy(&self) -> Result<StoreCopy, StoreError> {
        Err(StoreError::new("copy itself", "this kind of store has no copies"))
    }

    /// The name of each part of the store, such as `cache`, and its memory in bytes. Empty if the store does not
    /// measure it.
    fn memory(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}
