//! The port to what keeps events and records.

use std::{borrow::Cow, fmt, ops::RangeInclusive, sync::Arc};

use bytes::Bytes;

use super::{RecordKey, StoreCopy};

/// A table of records. Each is small and known by its key; what a record says is its writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Conversations as they were after their last logged event, by connection and conversation.
    Snapshots,
    /// Commands that were accepted and are not answered, by connection, conversation and command key.
    Outbox,
    /// What became of commands with a key of their caller's, by connection, conversation and command key.
    Answers,
    /// Notifications and deliveries that could not be handled, by id, which grows with time.
    DeadLetters,
    /// What the system notes of itself, such as the identities of anonymous consumers, by kind and name.
    Notes,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 5] = [Self::Snapshots, Self::Outbox, Self::Answers, Self::DeadLetters, Self::Notes];

    /// Its name, also where it is stored.
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

/// One event of the log, written as the CloudEvents object it is for every reader, with what readers filter by beside
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the log.
    pub offset: u64,
    /// On which connection.
    pub connection: Arc<str>,
    /// In which conversation, if in one.
    pub conversation: Option<Arc<str>>,
    /// Its name behind `tertulia.`.
    pub name: Cow<'static, str>,
    /// The object.
    pub json: Bytes,
}

/// One record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: RecordKey,
    /// What it says.
    pub value: Bytes,
}

impl fmt::Debug for Record {
    /// Leaves out what the record says: a consumer's words, or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("key", &self.key).field("bytes", &self.value.len()).finish()
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Appends an event; its offset is one above the last one's.
    Append(StoredEvent),
    /// Writes a record, in the place of the one with its key.
    Put(Table, Record),
    /// Removes a record, if it is there.
    Remove(Table, RecordKey),
    /// Forgets the events below an offset.
    Trim {
        /// The oldest event that stays.
        oldest: u64,
    },
}

/// What of the log there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Tells this log from any other. Lives as long as the log.
    pub epoch: Arc<str>,
    /// The oldest event that is kept; one above `newest` where there is none.
    pub oldest: u64,
    /// The newest event; 0 where there was none yet.
    pub newest: u64,
}

/// Why the store could not do it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store could not {operation}: {reason}")]
pub struct StoreError {
    /// What was asked of it.
    pub operation: &'static str,
    /// What went wrong.
    pub reason: Arc<str>,
}

impl StoreError {
    /// A failure of `operation`.
    pub fn new(operation: &'static str, reason: impl fmt::Display) -> Self {
        Self { operation, reason: reason.to_string().into() }
    }
}

/// What keeps events and records. Every call may block for as long as a disk does, so none is made on an arbiter's
/// thread. Readers are any number at a time; there is one writer.
pub trait Store: Send + Sync + 'static {
    /// What of the log there is.
    fn history(&self) -> History;

    /// Makes all the changes, in order, or none of them. They are durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed, as far as any reader can see.
    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// The events after `after`, in order, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`].
    fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError>;

    /// The first events after `after` that are damaged, by offset; `None` where all can be read. Asked after
    /// [`Store::events`] failed.
    ///
    /// # Errors
    /// [`StoreError`]: the store cannot be read at all.
    fn damage(&self, after: u64) -> Result<Option<RangeInclusive<u64>>, StoreError> {
        let _ = after;
        Ok(None)
    }

    /// The events that were found to be damaged since the store was opened.
    fn damaged(&self) -> u64 {
        0
    }

    /// The event at `offset`; `None` where it is forgotten or damaged.
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

    /// The record with this key.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError>;

    /// The records whose keys begin with `prefix`, by key, those after `after` only, at most `limit` of them.
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

    /// Fails where what was kept is not where it was any more. Asked while nothing is committed.
    ///
    /// # Errors
    /// [`StoreError`].
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes a consistent copy of the store, from which a store can be opened: what was committed when this was called.
    /// Commits go on beside it.
    ///
    /// # Errors
    /// [`StoreError`]: the store cannot be copied, or the disk does not take the copy.
    fn copy(&self) -> Result<StoreCopy, StoreError> {
        Err(StoreError::new("copy itself", "this kind of store has no copies"))
    }

    /// The memory that each part of the store takes now, in bytes. Empty where the store does not account for it.
    fn memory(&self) -> Vec<StorePart> {
        Vec::new()
    }
}

/// The memory of one part of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorePart {
    /// The part's name, such as `cache`.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
}
