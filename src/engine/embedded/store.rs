//! The store in a directory, as the actors know it.

use std::{
    collections::HashMap,
    fmt,
    ops::Bound,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use fjall::Readable as _;
use tertulia_actors::engine::{Change, History, LONGEST_KEY, Record, RecordKey, Store, StoreError, StoredEvent, Table};

use super::{
    block::{self, Block, BlockKey},
    directory::{Directory, OpenError},
    rows::{Failure, Rows},
};

const COMMIT: &str = "commit";
const READ_EVENTS: &str = "read events";
const GET: &str = "get a record";
const SCAN: &str = "scan records";

/// A store in a directory, which one process has open at a time.
///
/// A commit is durable when it returns: it was written to the disk with `fdatasync`. Where the disk refuses one, every
/// later commit is refused as well, until the store is opened again; then what was refused may be there, as a whole.
///
/// Its memory is bounded: a cache of 32 MiB, up to 80 MiB of what was written last and is not sorted yet, and about as
/// much again while that is being sorted, by one thread.
pub struct EmbeddedStore {
    history: Mutex<History>,
    /// Held while a commit is made.
    writer: Mutex<()>,
    rows: Rows,
    /// The last to go: whoever gets the directory next finds the tables closed.
    _directory: Directory,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("history", &self.history()).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in `directory`, which is made when there is none, and checks that its log is whole. Blocks for
    /// as long as the disk does.
    ///
    /// # Errors
    /// [`OpenError`]: it is open already, its format is not known, it is damaged, or the system did not allow it.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let directory = Directory::claim(directory)?;
        let (rows, history) = Rows::open(&directory.data()).map_err(|failure| directory.unusable(failure))?;
        Ok(Self { history: Mutex::new(history), writer: Mutex::default(), rows, _directory: directory })
    }

    /// The oldest event once the commit that is being made is over.
    fn oldest_after_commit(&self) -> u64 {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.current().oldest
    }

    fn current(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for EmbeddedStore {
    fn history(&self) -> History {
        self.current().clone()
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let failed = |error| StoreError::new(COMMIT, error);
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.history();
        let after = before.after(&changes)?;
        let mut batch = self.rows.batch();
        let (mut blocks, mut block, mut records) = (Vec::new(), Block::default(), HashMap::new());
        for change in changes {
            match change {
                // What is forgotten with the same changes is not written.
                Change::Append(event) if event.offset >= after.oldest => {
                    block.push(&event).map_err(|error| StoreError::new(COMMIT, error))?;
                    if block.is_full() {
                        blocks.push(std::mem::take(&mut block));
                    }
                }
                Change::Append(_) | Change::Trim { .. } => {}
                // A batch has one place for each key: the last change stands.
                Change::Put(table, Record { key, value }) => {
                    records.insert((table, key), Some(value));
                }
                Change::Remove(table, key) => {
                    records.insert((table, key), None);
                }
            }
        }
        blocks.push(block);
        for (key, bytes) in blocks.into_iter().filter_map(Block::into_row) {
            batch.insert(&self.rows.events, key.to_bytes(), bytes);
        }
        for ((table, key), value) in records {
            match value {
                Some(value) => batch.insert(self.rows.of(table), key.as_bytes(), value.as_ref()),
                None => batch.remove(self.rows.of(table), key.as_bytes()),
            }
        }
        let forgotten = before.oldest.to_be_bytes()..after.oldest.to_be_bytes();
        for row in self.rows.events.range(forgotten) {
            batch.remove(&self.rows.events, row.key().map_err(failed)?);
        }
        if after != before {
            self.rows.put_history(&mut batch, &after);
        }
        batch.commit().map_err(failed)?;
        *self.current() = after;
        Ok(())
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let failed = |error| StoreError::new(READ_EVENTS, error);
        let damaged = |offset| StoreError::new(READ_EVENTS, format!("those at {offset} are damaged"));
        let first = after.saturating_add(1).max(self.current().oldest);
        let (mut events, mut next) = (Vec::new(), first);
        for row in self.rows.snapshot().range(&self.rows.events, first.to_be_bytes()..) {
            if events.len() >= limit {
                break;
            }
            let (key, bytes) = row.into_inner().map_err(failed)?;
            let key = BlockKey::from_bytes(&key).ok_or_else(|| damaged(next))?;
            let block = block::read(key, &bytes).ok_or_else(|| damaged(next))?;
            // A hole is damage, unless its events have been forgotten since.
            if key.first() > next && !(events.is_empty() && key.first() <= self.oldest_after_commit()) {
                return Err(damaged(next));
            }
            events.extend(block.into_iter().filter(|event| event.offset >= first).take(limit - events.len()));
            next = key.last.saturating_add(1);
        }
        Ok(events)
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        if !(1..=LONGEST_KEY).contains(&key.as_bytes().len()) {
            return Ok(None);
        }
        let value = self.rows.of(table).get(key.as_bytes()).map_err(|error| StoreError::new(GET, error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let failed = |error| StoreError::new(SCAN, error);
        if prefix.as_bytes().len() > LONGEST_KEY {
            return Ok(Vec::new());
        }
        let first = match after {
            // No key is longer, so none lies between the whole of it and its beginning.
            Some(after) if after >= prefix => Bound::Excluded(beginning(after)),
            _ => Bound::Included(prefix.as_bytes()),
        };
        let mut records = Vec::new();
        for row in self.rows.snapshot().range::<&[u8], _>(self.rows.of(table), (first, Bound::Unbounded)) {
            if records.len() >= limit {
                break;
            }
            let (key, value) = row.into_inner().map_err(failed)?;
            if !key.starts_with(prefix.as_bytes()) {
                break;
            }
            records.push(Record { key: RecordKey::from_bytes(&key), value: Bytes::copy_from_slice(&value) });
        }
        Ok(records)
    }
}

fn beginning(key: &RecordKey) -> &[u8] {
    let bytes = key.as_bytes();
    bytes.get(..LONGEST_KEY).unwrap_or(bytes)
}

impl Directory {
    fn unusable(&self, failure: Failure) -> OpenError {
        let directory = self.path.clone();
        match failure {
            Failure::Damaged(what) => OpenError::Damaged { directory, what },
            Failure::System(source) => OpenError::System { directory, operation: "open", source },
        }
    }
}
