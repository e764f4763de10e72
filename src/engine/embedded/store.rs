//! The store in a directory, behind the port of the actors.

use std::{
    fmt,
    ops::{Bound, RangeInclusive},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;
use fjall::Readable as _;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{
        Cluster, Commit, CommitError, Committed, History, LocalCluster, NewEvent, Record, RecordKey, Retention, Store,
        StoreCopy, StoreError, Table,
    },
};

use super::{
    acknowledged::{Acknowledged, Said},
    backup,
    commit::{self, COMMIT},
    damage::{self, Damaged},
    directory::{Directory, Identity, OpenError},
    housekeeping::{self, KEEP_HOUSE},
    record,
    rows::{Log, Rows, TablesError},
    upgrade,
};
use crate::engine::block::{self, BlockKey};

const READ_EVENTS: &str = "read events";
const GET: &str = "get a record";
const SCAN: &str = "scan records";
const CHECK: &str = "find its files";
const COPY: &str = "copy itself";

/// A store in a directory, which only one process can have open.
///
/// A commit is durable when it returns: it was written to the disk with `fdatasync`. After a failed commit the next
/// commit first opens the tables again. The failed commit may then turn out to be complete; it is not made twice.
///
/// The memory is limited, however large the store is: a cache of 16 MiB, up to 34 MiB of recent writes that are not
/// sorted yet, and about as much again of recently sorted data, which one thread sorts.
pub struct EmbeddedStore {
    /// `None` if reopening failed.
    rows: RwLock<Option<Rows>>,
    history: Mutex<History>,
    writer: Mutex<Writer>,
    identity: Identity,
    damaged: Damaged,
    cluster: LocalCluster,
    /// Dropped last, so that the tables are closed when the next process gets the directory.
    directory: Directory,
}

/// The state of the writer.
struct Writer {
    /// The number of the last commit.
    commits: u64,
    /// The answer to the last commit, if this process made it.
    last: Option<Committed>,
    acknowledged: Acknowledged,
    /// A write failed: the tables must be opened again before the next one.
    failed: Option<Failed>,
}

/// What failed, and may turn out to be complete.
struct Failed {
    /// The answer to the commit, if it was one.
    commit: Option<Committed>,
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
    /// Opens the store in `directory`, or creates it, and checks that its log is complete. Blocks on the disk.
    ///
    /// # Errors
    /// [`OpenError`]: the store is already open, has an unknown format, is damaged, or the system refused.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_keeping(directory, Retention::default())
    }

    /// Opens the store like [`Self::open`]. If an earlier version wrote it, its records get the times of `retention`
    /// until which they are kept.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_keeping(directory: &Path, retention: Retention) -> Result<Self, OpenError> {
        let directory = Directory::claim(directory)?;
        let opened = || -> Result<_, TablesError> {
            let (rows, log) = open_or_begin(&directory)?;
            directory.upgrade(|| upgrade::upgrade_records(&rows, retention))?;
            let acknowledged = Acknowledged::begin(&directory.acknowledged(), &log.history.epoch, log.commits)?;
            Ok((rows, log, acknowledged, directory.identity()?))
        };
        let (rows, log, acknowledged, identity) = opened().map_err(|failure| directory.unusable(failure))?;
        Ok(Self {
            rows: RwLock::new(Some(rows)),
            history: Mutex::new(log.history),
            writer: Mutex::new(Writer { commits: log.commits, last: None, acknowledged, failed: None }),
            identity,
            damaged: Damaged::default(),
            cluster: LocalCluster::default(),
            directory,
        })
    }

    /// Fails if the store's files were deleted or replaced since they were opened.
    fn check_identity(&self, operation: &'static str) -> Result<(), StoreError> {
        let lost = |reason: &dyn fmt::Display| {
            let directory = self.directory.path.display();
            StoreError::new(operation, format!("its directory {directory} was deleted or replaced ({reason})"))
        };
        match self.directory.identity() {
            Ok(identity) if identity == self.identity => Ok(()),
            Ok(_) => Err(lost(&"other files are in their place")),
            Err(error) => Err(lost(&error)),
        }
    }

    fn current(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest event after the current commit, for which it waits.
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

    /// Writes to the tables as the only writer. After a failure, the next write opens the tables again.
    fn write<T>(&self, act: impl FnOnce(&Rows, &Writer) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer();
        self.recover(&mut writer)?;
        self.check_identity(KEEP_HOUSE)?;
        let written = self.with_rows(KEEP_HOUSE, |rows| act(rows, &writer));
        if written.is_err() {
            writer.failed = Some(Failed { commit: None });
        }
        written
    }

    /// Opens the tables again after a failed write, if there was one.
    fn recover(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let Some(failed) = writer.failed.take() else { return Ok(()) };
        match self.open_again(writer) {
            Ok(true) => {
                writer.last = failed.commit;
                writer.acknowledge();
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                writer.failed = Some(failed);
                Err(error)
            }
        }
    }

    /// Opens the tables again. Returns whether a failed commit turned out to be complete.
    fn open_again(&self, writer: &mut Writer) -> Result<bool, StoreError> {
        let failed = |failure: TablesError| StoreError::new(COMMIT, failure);
        self.check_identity(COMMIT)?;
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        // The tables must be closed before they are opened.
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

    /// The duties of this process, because no other has the store open.
    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::new(self.cluster.clone())
    }

    fn last_commit(&self) -> u64 {
        self.writer().commits
    }

    fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        commit.check()?;
        let mut writer = self.writer();
        self.recover(&mut writer)?;
        if commit.number <= writer.commits {
            return match &writer.last {
                Some(committed) if commit.number == writer.commits => Ok(committed.clone()),
                _ => Err(commit.late(writer.commits).into()),
            };
        }
        self.cluster.check(&commit.acting)?;
        self.check_identity(COMMIT)?;
        let (result, log, committed) = self.with_rows(COMMIT, |rows| {
            let (batch, log, committed) = commit::batch(rows, commit, self.history())?;
            Ok((batch.commit(), log, committed))
        })?;
        // A write into deleted or replaced files would be lost.
        let result = result.map_err(|error| StoreError::new(COMMIT, error)).and_then(|()| self.check_identity(COMMIT));
        if let Err(error) = result {
            writer.failed = Some(Failed { commit: Some(committed) });
            return Err(error.into());
        }
        writer.commits = log.commits;
        writer.last = Some(committed.clone());
        *self.current() = log.history;
        writer.acknowledge();
        Ok(committed)
    }

    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
        let (mut removed, mut after) = (0, None);
        loop {
            let (expired, last) = self.write(|rows, _| housekeeping::remove_expired(rows, now, after.as_deref()))?;
            removed += expired;
            if last.is_none() {
                break;
            }
            after = last;
        }
        removed += self.write(|rows, _| housekeeping::remove_letters(rows, letters))?;
        self.write(|rows, writer| {
            let before = self.history();
            let oldest = before.oldest.max(oldest.min(before.newest + 1));
            if oldest > before.oldest {
                let log = Log { history: History { oldest, ..before.clone() }, commits: writer.commits };
                housekeeping::forget_events(rows, before.oldest, &log)
                    .map_err(|failure| StoreError::new(KEEP_HOUSE, failure))?;
                *self.current() = log.history;
            }
            Ok(())
        })?;
        Ok(removed)
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
        let damaged = |offset| StoreError::new(READ_EVENTS, format!("the events at {offset} are damaged"));
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
                events.extend(block.into_iter().filter(|(offset, _)| *offset >= first).take(limit - events.len()));
                next = key.last.saturating_add(1);
            }
            Ok(())
        })?;
        // If the first events are missing, they are damaged, unless the log has dropped them since.
        match events.first() {
            Some((found, _)) if *found > first && *found > self.oldest_after_commit() => Err(damaged(first)),
            _ => Ok(events),
        }
    }

    fn damage(&self, after: u64) -> Result<Option<RangeInclusive<u64>>, StoreError> {
        let first = after.saturating_add(1).max(self.current().oldest);
        let newest = self.current().newest;
        let found = self.with_rows(READ_EVENTS, |rows| {
            damage::first(rows, first..=newest).map_err(|failure| StoreError::new(READ_EVENTS, failure))
        })?;
        // The log may have dropped the events since.
        let found = found.filter(|found| *found.end() >= self.oldest_after_commit());
        if let Some(found) = &found {
            self.damaged.note(found.clone());
        }
        Ok(found)
    }

    fn damaged(&self) -> u64 {
        self.damaged.events()
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        if !(1..=RecordKey::MAX_BYTES).contains(&key.as_bytes().len()) {
            return Ok(None);
        }
        self.with_rows(GET, |rows| {
            let value = rows.of(table).get(key.as_bytes()).map_err(|error| StoreError::new(GET, error))?;
            value.map(|value| Ok(decode(GET, &value)?.1)).transpose()
        })
    }

    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        if prefix.as_bytes().len() > RecordKey::MAX_BYTES {
            return Ok(Vec::new());
        }
        let first = match after {
            // No key is longer, so no key lies between a full-length key and its beginning.
            Some(after) if after >= prefix => Bound::Excluded(beginning(after)),
            _ => Bound::Included(prefix.as_bytes()),
        };
        // Without an upper bound, the table would read past all removed records up to the next existing one.
        let end = end(prefix.as_bytes());
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.with_rows(SCAN, |rows| {
            let mut records = Vec::new();
            for row in rows.snapshot().range::<&[u8], _>(rows.of(table), (first, end)) {
                if records.len() >= limit {
                    break;
                }
                let (key, value) = row.into_inner().map_err(|error| StoreError::new(SCAN, error))?;
                let (keep_until, value) = decode(SCAN, &value)?;
                records.push(Record { key: RecordKey::from_bytes(&key), value, keep_until });
            }
            Ok(records)
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        self.check_identity(CHECK)
    }

    fn copy(&self) -> Result<StoreCopy, StoreError> {
        self.check_identity(COPY)?;
        let copy = StoreCopy::new(self.directory.next_copy());
        let writer = self.writer();
        self.with_rows(COPY, |rows| {
            // A snapshot taken during a commit could have a part of it.
            let snapshot = rows.snapshot();
            drop(writer);
            backup::copy(rows, &snapshot, copy.directory()).map_err(|failure| StoreError::new(COPY, failure))
        })?;
        Ok(copy)
    }

    fn memory(&self) -> Vec<(&'static str, u64)> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.as_ref().map_or_else(Vec::new, Rows::memory)
    }
}

impl Writer {
    /// Writes the count of commits.
    fn acknowledge(&self) {
        if let Err(error) = self.acknowledged.write(self.commits) {
            tracing::warn!(%error, "a commit of the store succeeded, but the count of commits could not be written");
        }
    }
}

/// Opens the tables. Creates them if no commit was ever acknowledged and they are missing or unusable.
fn open_or_begin(directory: &Directory) -> Result<(Rows, Log), TablesError> {
    let (data, said) = (directory.data(), Said::read(&directory.acknowledged())?);
    let has_data = data.try_exists()?;
    let has_acknowledged = match said {
        Said::Missing => has_data,
        Said::Nothing | Said::Commits { count: 0, .. } => false,
        Said::Commits { .. } | Said::Nonsense => true,
    };
    match has_data.then(|| Rows::open(&data)) {
        Some(Ok((rows, log))) => {
            check_acknowledged(&said, &log)?;
            return Ok((rows, log));
        }
        Some(Err(TablesError::Damaged(what))) if !has_acknowledged => {
            tracing::warn!(
                what,
                "the creation of the store was interrupted before the first commit; the store is created again"
            );
        }
        Some(failed) => return failed,
        None if has_acknowledged => return Err(TablesError::Damaged("its data is missing".to_owned())),
        None => {}
    }
    directory.begin(Rows::make)?;
    Rows::open(&data)
}

/// Checks that the tables hold every acknowledged commit.
fn check_acknowledged(said: &Said, log: &Log) -> Result<(), TablesError> {
    match said {
        Said::Missing | Said::Nothing | Said::Commits { count: 0, .. } if log.commits == 0 => Ok(()),
        Said::Commits { epoch, count } if **epoch == *log.history.epoch && *count <= log.commits => Ok(()),
        Said::Commits { epoch, count } if **epoch == *log.history.epoch => Err(lost(log.commits, *count)),
        Said::Commits { epoch, .. } => Err(TablesError::Damaged(format!("the log with the epoch {epoch} is lost"))),
        Said::Missing | Said::Nothing => Err(TablesError::Damaged("the count of its commits is missing".to_owned())),
        Said::Nonsense => Err(TablesError::Damaged("the count of its commits cannot be read".to_owned())),
    }
}

fn lost(there: u64, acknowledged: u64) -> TablesError {
    TablesError::Damaged(format!("{acknowledged} commits were acknowledged, but only the first {there} are there"))
}

/// The first key after all keys that begin with `prefix`; `None` if no such key exists.
fn end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}

/// The time and the value of a stored record.
fn decode(operation: &'static str, bytes: &[u8]) -> Result<(Option<Timestamp>, Bytes), StoreError> {
    let (until, value) = record::from_bytes(bytes).ok_or_else(|| StoreError::new(operation, "a record is damaged"))?;
    Ok((until, Bytes::copy_from_slice(value)))
}

fn beginning(key: &RecordKey) -> &[u8] {
    let bytes = key.as_bytes();
    bytes.get(..RecordKey::MAX_BYTES).unwrap_or(bytes)
}

impl Directory {
    fn unusable(&self, failure: TablesError) -> OpenError {
        let directory = self.path.clone();
        match failure {
            TablesError::Damaged(what) => OpenError::Damaged { directory, what },
            TablesError::System(source) => OpenError::System { directory, operation: "open", source },
        }
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::engine::Change;

    use super::*;

    /// A commit with an answer of its own.
    fn commit(number: u64) -> Commit {
        let record = Record::new(RecordKey::of(&["a"]), number.to_string());
        let event = |text: &str| NewEvent {
            connection: "bots-1".into(),
            conversation: None,
            name: "message".into(),
            json: text.to_owned().into(),
        };
        let changes = vec![Change::PutNew(Table::Notes, record.clone()), Change::PutNew(Table::Notes, record)];
        Commit { number, events: vec![event("one"), event("two")], changes, ..Commit::default() }
    }

    /// Leaves the store as after a failed write of `commit`, which reached the disk if `is_complete`.
    fn fail(store: &EmbeddedStore, commit: &Commit, is_complete: bool) {
        let mut writer = store.writer();
        let rows = store.rows.read().unwrap();
        let (batch, _, committed) = commit::batch(rows.as_ref().unwrap(), commit, store.history()).unwrap();
        if is_complete {
            batch.commit().unwrap();
        }
        writer.failed = Some(Failed { commit: Some(committed) });
    }

    #[test]
    fn a_failed_commit_is_made_once_whether_or_not_it_was_complete() {
        for is_complete in [false, true] {
            for has_kept_house in [false, true] {
                let directory = tempfile::tempdir().unwrap();
                let store = EmbeddedStore::open(directory.path()).unwrap();
                store.commit(&commit(1)).unwrap();
                let failed = Commit { number: 2, ..commit(2) };
                fail(&store, &failed, is_complete);
                assert_eq!((store.last_commit(), store.history().newest), (1, 2), "nobody sees it");
                if has_kept_house {
                    store.keep_house(Timestamp(0), 2, usize::MAX).unwrap();
                }
                for _ in 0..2 {
                    let answer = store.commit(&failed).unwrap();
                    assert_eq!(answer, Committed { first: 3, not_new: vec![0, 1] });
                }
                assert_eq!((store.last_commit(), store.history().newest), (2, 4));
                let texts: Vec<_> = store.events(2, 10).unwrap().into_iter().map(|(_, event)| event.json).collect();
                assert_eq!(texts, ["one", "two"]);
                assert_eq!(store.get(Table::Notes, &RecordKey::of(&["a"])).unwrap().unwrap(), "1");
            }
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_after_every_key_with_it_and_before_every_other() {
        for (prefix, after) in [(&b"a"[..], Some(&b"b"[..])), (b"a\0\x01", Some(b"a\0\x02")), (b"a\xff", Some(b"b"))] {
            assert_eq!(end(prefix).as_deref(), after);
        }
        for prefix in [&b""[..], b"\xff\xff"] {
            assert_eq!(end(prefix), None);
        }
    }

    /// A durable command has a record for seconds, and the index would keep its entry for days.
    #[test]
    fn a_removed_record_leaves_no_entry_in_the_index_of_times() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let (key, until) = (RecordKey::of(&["key"]), Timestamp(i64::MAX));
        let put = Change::Put(Table::Outbox, Record::new(key.clone(), "{}").until(until));
        let entries = || store.with_rows(GET, |rows| Ok(rows.snapshot().iter(&rows.expiries).count())).unwrap();
        for (number, change, count) in [(1, put.clone(), 1), (2, put, 1), (3, Change::Remove(Table::Outbox, key), 0)] {
            store.commit(&Commit { number, changes: vec![change], ..Commit::default() }).unwrap();
            assert_eq!(entries(), count);
        }
    }

    /// The process may be killed between the mark of the format and the last record.
    #[test]
    fn an_interrupted_upgrade_is_made_again() {
        let path = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(path.path()).unwrap();
        let answer = Record::new(RecordKey::of(&["a"]), r#"{"at":1}"#);
        let changes = vec![Change::Put(Table::Answers, answer.clone())];
        store.commit(&Commit { number: 1, changes, ..Commit::default() }).unwrap();
        std::fs::write(path.path().join("format"), "tertulia store 1\n").unwrap();
        let interrupted = store.directory.upgrade(|| Err(std::io::Error::other("killed")));
        interrupted.unwrap_err();
        drop(store);

        let store = EmbeddedStore::open_keeping(path.path(), Retention::default()).unwrap();
        let until = Timestamp(1).after(Retention::default().answers);
        let records = || store.scan(Table::Answers, &RecordKey::of(&[]), None, 10).unwrap();
        assert_eq!(records(), [answer.until(until)]);
        assert_eq!(store.keep_house(until, 0, usize::MAX).unwrap(), 1);
        assert_eq!(records(), []);
    }

    #[test]
    fn records_of_an_older_format_with_keys_that_are_too_long_are_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let upgraded = store.with_rows("upgrade", |rows| {
            let mut batch = rows.batch();
            for length in [RecordKey::MAX_BYTES, RecordKey::MAX_BYTES + 1, 65_535] {
                batch.insert(rows.of(Table::Notes), vec![b'a'; length], b"{}");
            }
            batch.commit().unwrap();
            Ok(upgrade::upgrade_records(rows, Retention::default()))
        });
        upgraded.unwrap().unwrap();
        let left = store.scan(Table::Notes, &RecordKey::of(&[]), None, 10).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].key.as_bytes().len(), RecordKey::MAX_BYTES);
    }
}
