//! The interface of the store for events and records.

use std::{borrow::Cow, fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use bytes::Bytes;

use tertulia_core::{
    placement::{Acting, DutyName},
    time::Timestamp,
};

use super::{Cluster, RecordKey, StoreCopy};

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
    /// Bodies of the platform's webhooks that a node has accepted in the place of the connection's holder, by connection
    /// and id, which grows with time. Written without a duty, and removed by the holder.
    Inbox,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 6] =
        [Self::Snapshots, Self::Outbox, Self::Answers, Self::DeadLetters, Self::Notes, Self::Inbox];

    /// The table's name, also used in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshots => "snapshots",
            Self::Outbox => "outbox",
            Self::Answers => "answers",
            Self::DeadLetters => "dead-letters",
            Self::Notes => "notes",
            Self::Inbox => "inbox",
        }
    }
}

/// Records that [`Store::measure`] reads at a time.
const MEASURED_TOGETHER: usize = 256;

/// What precedes the members of a stored event in the CloudEvents object.
const SPECVERSION: &str = r#"{"specversion":"1.0","#;

/// An event as the store keeps it. Its id contains its offset, which only the commit determines, so it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The connection.
    pub connection: Arc<str>,
    /// The conversation, if the event belongs to one.
    pub conversation: Option<Arc<str>>,
    /// The event's name after `tertulia.`.
    pub name: Cow<'static, str>,
    /// The CloudEvents object without its first members `specversion` and `id`. A log that an earlier version wrote has
    /// events with both.
    pub json: Bytes,
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

impl StoredEvent {
    /// Returns the event at `offset` of the log `epoch`, with its id.
    #[must_use]
    pub fn new(epoch: &str, offset: u64, event: NewEvent) -> Self {
        let NewEvent { connection, conversation, name, json } = event;
        let json = match json.strip_prefix(b"{") {
            Some(members) if !json.starts_with(SPECVERSION.as_bytes()) => {
                let mut whole = format!(r#"{SPECVERSION}"id":"{epoch}-{offset}""#).into_bytes();
                whole.reserve_exact(members.len() + 1);
                if members != b"}" {
                    whole.push(b',');
                }
                whole.extend_from_slice(members);
                whole.into()
            }
            _ => json,
        };
        Self { offset, connection, conversation, name, json }
    }
}

/// One record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: RecordKey,
    /// The content.
    pub value: Bytes,
    /// When the record is of no use any more, and [`Store::keep_house`] removes it; `None` if only a change removes it.
    pub keep_until: Option<Timestamp>,
}

impl Record {
    /// Returns a record that stays until a change removes it.
    #[must_use]
    pub fn new(key: RecordKey, value: impl Into<Bytes>) -> Self {
        Self { key, value: value.into(), keep_until: None }
    }

    /// Returns the same record, which housekeeping removes after `time`.
    #[must_use]
    pub fn until(self, time: Timestamp) -> Self {
        Self { keep_until: Some(time), ..self }
    }
}

impl fmt::Debug for Record {
    /// Omits the content, which may be a consumer's words or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("bytes", &self.value.len())
            .field("keep_until", &self.keep_until)
            .finish()
    }
}

/// One change of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes a record, replacing a record with the same key.
    Put(Table, Record),
    /// Writes a record, unless there is one with the same key.
    PutNew(Table, Record),
    /// Removes a record, if it exists.
    Remove(Table, RecordKey),
}

/// Events and changes that become durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Counts the commits of one writer. A commit whose outcome is not known is repeated with its number.
    pub number: u64,
    /// The duties for which the commit is made.
    pub acting: Vec<Acting>,
    /// The next events of the log.
    pub events: Vec<NewEvent>,
    /// Changes of records, made in order.
    pub changes: Vec<Change>,
}

/// What a commit has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the first event; that of the next event if the commit had none.
    pub first: u64,
    /// The indexes of the [`Change::PutNew`]s that found a record with their key and changed nothing.
    pub not_new: Vec<usize>,
}

/// Why a commit was not made.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// These duties have other holders now. Nothing was committed; the commit can be made without what it has for them.
    #[error("other nodes do {}", names(.0))]
    Lost(Vec<DutyName>),
    /// This node may write nothing any more.
    #[error("this node was fenced")]
    Fenced,
    /// It is unknown whether the commit was made. It can be repeated with the same number.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

fn names(duties: &[DutyName]) -> String {
    duties.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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
/// may be any number of concurrent readers and one writer in each process.
pub trait Store: Send + Sync + 'static {
    /// The extent of the log.
    fn history(&self) -> History;

    /// The nodes that share this store. Their duties are checked by [`Store::commit`].
    fn cluster(&self) -> Arc<dyn Cluster>;

    /// The number of this writer's last commit; 0 before the first one.
    fn last_commit(&self) -> u64;

    /// Appends all events and makes all changes, or nothing of it. Everything is durable when this returns. The number
    /// of a new commit is above that of the last one. The last commit, repeated with its number, is made once and
    /// answered as the first time.
    ///
    /// # Errors
    /// [`CommitError`]; then no reader sees any of it.
    fn commit(&self, commit: &Commit) -> Result<Committed, CommitError>;

    /// Returns at most `limit` events after the offset `after` with their offsets, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError>;

    /// Whether other writers commit to the same log. Only then is [`Store::newer`] called.
    fn is_shared(&self) -> bool {
        false
    }

    /// Waits, at most `within`, until any writer has committed an event after the offset `after`. Returns the offset of the
    /// newest event.
    ///
    /// # Errors
    /// [`StoreError`].
    fn newer(&self, after: u64, within: Duration) -> Result<u64, StoreError> {
        let _ = (after, within);
        Ok(self.history().newest)
    }

    /// Deletes the events below the offset `oldest`, the records that were to be kept until `now` or less, and then the
    /// oldest dead letters beyond `letters`. Returns the number of deleted records.
    ///
    /// # Errors
    /// [`StoreError`]; what was deleted before stays deleted.
    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError>;

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

    /// How often the store was found to have lost commits that it had acknowledged, since this process began.
    fn lost_commits(&self) -> u64 {
        0
    }

    /// Returns the event at `offset`; `None` if it was deleted or is damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    fn event(&self, offset: u64) -> Result<Option<StoredEvent>, StoreError> {
        let before = offset.saturating_sub(1);
        match self.events(before, 1) {
            Ok(events) => {
                let found = events.into_iter().next().filter(|(found, _)| *found == offset);
                Ok(found.map(|(offset, event)| StoredEvent::new(&self.history().epoch, offset, event)))
            }
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

    /// Returns the number of records whose keys begin with `prefix`, and about how many bytes their contents have together.
    /// Counts at most `limit` records.
    ///
    /// # Errors
    /// [`StoreError`].
    fn measure(&self, table: Table, prefix: &RecordKey, limit: usize) -> Result<(usize, u64), StoreError> {
        let (mut records, mut bytes, mut after) = (0, 0, None);
        while records < limit {
            let page = self.scan(table, prefix, after.as_ref(), MEASURED_TOGETHER.min(limit - records))?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            records += page.len();
            bytes += page.iter().map(|record| record.value.len() as u64).sum::<u64>();
        }
        Ok((records, bytes))
    }

    /// Returns the number of records of a table.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count(&self, table: Table) -> Result<usize, StoreError> {
        self.scan(table, &RecordKey::of(&[]), None, usize::MAX).map(|records| records.len())
    }

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
