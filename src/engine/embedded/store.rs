//! The store in a directory, as the actors know it.

use std::{
    fmt,
    ops::Bound,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;
use fjall::Readable as _;
use tertulia_actors::engine::{
    Change, History, LONGEST_KEY, Record, RecordKey, Store, StoreError, StorePart, StoredEvent, Table,
};

use super::{
    acknowledged::{Acknowledged, Said},
    block::{self, BlockKey},
    commit::{self, COMMIT},
    directory::{Directory, OpenError},
    rows::{Failure, Log, Rows},
};

const READ_EVENTS: &str = "read events";
const GET: &str = "get a record";
const SCAN: &str = "scan records";

/// A store in a directory, which one process has open at a time.
///
/// A commit is durable when it returns: it was written to the disk with `fdatasync`. Where the disk refuses one, the
/// next one opens the tables again first. What was refused may then be there after all, as a whole: committing the same
/// again finds it made.
///
/// Its memory is bounded: a cache of 32 MiB, up to 88 MiB of what was written last and is not sorted yet, and about as
/// much again while that is being sorted, by one thread.
pub struct EmbeddedStore {
    /// `None` where they could not be opened again.
    rows: RwLock<Option<Rows>>,
    history: Mutex<History>,
    writer: Mutex<Writer>,
    /// The last to go: whoever gets the directory next finds the tables closed.
    directory: Directory,
}

/// What the one who commits knows.
struct Writer {
    /// The commits that were made.
    commits: u64,
    acknowledged: Acknowledged,
    /// The last changes, if they could not be made: the tables take no others until they are opened again.
    refused: Option<Vec<Change>>,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("directory", &self.directory.path)
            .field("history", &self.history())
            .finish_non_exhaustive()
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
        let unusable = |failure| directory.unusable(failure);
        let (mut acknowledged, said) =
            Acknowledged::open(&directory.acknowledged()).map_err(|error| unusable(Failure::System(error)))?;
        let (rows, log) = Rows::open(&directory.data()).map_err(unusable)?;
        check_acknowledged(&said, &log).map_err(unusable)?;
        acknowledged.begin(&log.history.epoch, log.commits).map_err(|error| unusable(Failure::System(error)))?;
        Ok(Self {
            rows: RwLock::new(Some(rows)),
            history: Mutex::new(log.history),
            writer: Mutex::new(Writer { commits: log.commits, acknowledged, refused: None }),
            directory,
        })
    }

    fn current(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest event once the commit that is being made is over.
    fn oldest_after_commit(&self) -> u64 {
        let _writer = self.writer();
        self.current().oldest
    }

    fn with_rows<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&Rows) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &*self.rows.read().unwrap_or_else(PoisonError::into_inner) {
            Some(rows) => act(rows),
            None => Err(StoreError::new(operation, "its tables could not be opened again")),
        }
    }

    /// Opens the tables again. Answers whether a commit is there that was refused.
    fn open_again(&self, writer: &mut Writer) -> Result<bool, StoreError> {
        let failed = |failure: Failure| StoreError::new(COMMIT, failure);
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        // They are closed before they are opened.
        *rows = None;
        let (opened, log) = Rows::open(&self.directory.data()).map_err(failed)?;
        if log.history.epoch != self.current().epoch || log.commits < writer.commits {
            return Err(failed(lost(log.commits, writer.commits)));
        }
        opened.persist().map_err(|error| failed(error.into()))?;
        *rows = Some(opened);
        let is_there = log.commits > writer.commits;
        writer.commits = log.commits;
        *self.current() = log.history;
        Ok(is_there)
    }
}

impl Store for EmbeddedStore {
    fn history(&self) -> History {
        self.current().clone()
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if let Some(refused) = writer.refused.take() {
            match self.open_again(&mut writer) {
                Ok(true) if refused == changes => {
                    writer.acknowledge();
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => {
                    writer.refused = Some(refused);
                    return Err(error);
                }
            }
        }
        let before = self.history();
        let after = Log { history: before.after(&changes)?, commits: writer.commits + 1 };
        let committed = self.with_rows(COMMIT, |rows| {
            let batch = commit::batch(rows, &changes, &before, &after)?;
            Ok(batch.commit())
        })?;
        if let Err(error) = committed {
            writer.refused = Some(changes);
            return Err(StoreError::new(COMMIT, error));
        }
        writer.commits = after.commits;
        *self.current() = after.history;
        writer.acknowledge();
        Ok(())
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let damaged = |offset| StoreError::new(READ_EVENTS, format!("those at {offset} are damaged"));
        let first = after.saturating_add(1).max(self.current().oldest);
        let (mut events, mut next) = (Vec::new(), first);
        self.with_rows(READ_EVENTS, |rows| {
            for row in rows.snapshot().range(&rows.events, first.to_be_bytes()..) {
                if events.len() >= limit {
                    break;
                }
                let (key, bytes) = row.into_inner().map_err(|error| StoreError::new(READ_EVENTS, error))?;
                let key = BlockKey::from_bytes(&key).ok_or_else(|| damaged(next))?;
                let block = block::read(key, &bytes).ok_or_else(|| damaged(next))?;
                if !events.is_empty() && key.first() != next {
                    return Err(damaged(next));
                }
                events.extend(block.into_iter().filter(|event| event.offset >= first).take(limit - events.len()));
                next = key.last.saturating_add(1);
            }
            Ok(())
        })?;
        // That the first ones are not there is damage, unless they have been forgotten since.
        match events.first() {
            Some(found) if found.offset > first && found.offset > self.oldest_after_commit() => Err(damaged(first)),
            _ => Ok(events),
        }
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        if !(1..=LONGEST_KEY).contains(&key.as_bytes().len()) {
            return Ok(None);
        }
        self.with_rows(GET, |rows| {
            let value = rows.of(table).get(key.as_bytes()).map_err(|error| StoreError::new(GET, error))?;
            Ok(value.map(|value| Bytes::copy_from_slice(&value)))
        })
    }

    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        if prefix.as_bytes().len() > LONGEST_KEY {
            return Ok(Vec::new());
        }
        let first = match after {
            // No key is longer, so none lies between the whole of it and its beginning.
            Some(after) if after >= prefix => Bound::Excluded(beginning(after)),
            _ => Bound::Included(prefix.as_bytes()),
        };
        self.with_rows(SCAN, |rows| {
            let mut records = Vec::new();
            for row in rows.snapshot().range::<&[u8], _>(rows.of(table), (first, Bound::Unbounded)) {
                if records.len() >= limit {
                    break;
                }
                let (key, value) = row.into_inner().map_err(|error| StoreError::new(SCAN, error))?;
                if !key.starts_with(prefix.as_bytes()) {
                    break;
                }
                records.push(Record { key: RecordKey::from_bytes(&key), value: Bytes::copy_from_slice(&value) });
            }
            Ok(records)
        })
    }

    fn memory(&self) -> Vec<StorePart> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.as_ref().map_or_else(Vec::new, Rows::memory)
    }
}

impl Writer {
    /// Counts the commit that was made.
    fn acknowledge(&self) {
        if let Err(error) = self.acknowledged.write(self.commits) {
            tracing::warn!(%error, "a commit of the store was made and could not be counted");
        }
    }
}

/// The tables hold every commit that was acknowledged.
fn check_acknowledged(said: &Said, log: &Log) -> Result<(), Failure> {
    match said {
        Said::Nothing if log.commits == 0 => Ok(()),
        Said::Commits { epoch, count } if **epoch == *log.history.epoch && *count <= log.commits => Ok(()),
        Said::Commits { epoch, count } if **epoch == *log.history.epoch => Err(lost(log.commits, *count)),
        Said::Commits { epoch, .. } => Err(Failure::Damaged(format!("it has lost the log with the epoch {epoch}"))),
        Said::Nothing => Err(Failure::Damaged("the count of its commits is missing".to_owned())),
        Said::Nonsense => Err(Failure::Damaged("the count of its commits makes no sense".to_owned())),
    }
}

fn lost(there: u64, acknowledged: u64) -> Failure {
    Failure::Damaged(format!("of {acknowledged} acknowledged commits, it holds the first {there}"))
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
