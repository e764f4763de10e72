//! A store in memory, for systems whose data need not survive the process.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
    ops::Bound,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tertulia_core::time::Timestamp;

use super::{Change, Commit, CommitError, Committed, History, NewEvent, Record, RecordKey, Store, StoreError, Table};

/// Keeps the newest events and all records until it is dropped, all in memory.
#[derive(Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    is_shared: bool,
    /// The last commit of this writer, to answer its repetition.
    last: Mutex<(u64, Committed)>,
}

#[derive(Debug)]
struct Shared {
    window: NonZeroUsize,
    contents: Mutex<Contents>,
    /// Signals new events.
    grown: Condvar,
}

#[derive(Debug)]
struct Contents {
    history: History,
    /// The events from `history.oldest` to `history.newest`.
    events: VecDeque<NewEvent>,
    tables: [BTreeMap<RecordKey, Kept>; Table::ALL.len()],
}

#[derive(Debug)]
struct Kept {
    value: Bytes,
    until: Option<Timestamp>,
}

impl MemoryStore {
    /// Returns an empty store that deletes its oldest events beyond `window`. Its epoch is the present time.
    #[must_use]
    pub fn new(window: NonZeroUsize) -> Self {
        let history = History::begun(jiff::Timestamp::now());
        let contents = Contents { history, events: VecDeque::new(), tables: Default::default() };
        let shared = Shared { window, contents: Mutex::new(contents), grown: Condvar::new() };
        Self { shared: Arc::new(shared), is_shared: false, last: Mutex::default() }
    }

    /// Returns `writers` stores with the same content, for as many journals: what one commits, all read. Begins as an
    /// empty store like [`Self::new`].
    #[must_use]
    pub fn shared(window: NonZeroUsize, writers: usize) -> Vec<Self> {
        let shared = Self::new(window).shared;
        let store = |_| Self { shared: Arc::clone(&shared), is_shared: true, last: Mutex::default() };
        (0..writers).map(store).collect()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.shared.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn table(&mut self, table: Table) -> &mut BTreeMap<RecordKey, Kept> {
        &mut self.tables[table as usize]
    }

    /// Makes a change; `false` if it was a [`Change::PutNew`] that found a record.
    fn make(&mut self, change: &Change) -> bool {
        match change {
            Change::PutNew(table, Record { key, .. }) if self.table(*table).contains_key(key) => return false,
            Change::Put(table, record) | Change::PutNew(table, record) => {
                let Record { key, value, keep_until } = record.clone();
                self.table(*table).insert(key, Kept { value, until: keep_until });
            }
            Change::Remove(table, key) => {
                self.table(*table).remove(key);
            }
        }
        true
    }

    fn trim(&mut self, oldest: u64) {
        while self.history.oldest < oldest.min(self.history.newest + 1) {
            self.events.pop_front();
            self.history.oldest += 1;
        }
    }
}

impl Store for MemoryStore {
    fn history(&self) -> History {
        self.contents().history.clone()
    }

    fn last_commit(&self) -> u64 {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        commit.check()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if commit.number <= last.0 {
            return if commit.number == last.0 { Ok(last.1.clone()) } else { Err(commit.late(last.0).into()) };
        }
        let mut contents = self.contents();
        let first = contents.history.newest + 1;
        contents.events.extend(commit.events.iter().cloned());
        contents.history.newest += commit.events.len() as u64;
        let is_refused = |(place, change)| (!contents.make(change)).then_some(place);
        let not_new = commit.changes.iter().enumerate().filter_map(is_refused).collect();
        let window = u64::try_from(self.shared.window.get()).unwrap_or(u64::MAX);
        let oldest = (contents.history.newest + 1).saturating_sub(window);
        contents.trim(oldest);
        self.shared.grown.notify_all();
        *last = (commit.number, Committed { first, not_new });
        Ok(last.1.clone())
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
        let contents = self.contents();
        let first = after.saturating_add(1).max(contents.history.oldest);
        let skipped = usize::try_from(first - contents.history.oldest).unwrap_or(usize::MAX);
        Ok((first..).zip(contents.events.iter().skip(skipped).take(limit).cloned()).collect())
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn newer(&self, after: u64, within: Duration) -> Result<u64, StoreError> {
        let is_old = |contents: &mut Contents| contents.history.newest <= after;
        let waited = self.shared.grown.wait_timeout_while(self.contents(), within, is_old);
        Ok(waited.unwrap_or_else(PoisonError::into_inner).0.history.newest)
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        Ok(self.contents().table(table).get(key).map(|kept| kept.value.clone()))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let first = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut contents = self.contents();
        let records = contents.table(table).range::<RecordKey, _>((first, Bound::Unbounded));
        let begins = |key: &RecordKey| key.as_bytes().starts_with(prefix.as_bytes());
        let record = |(key, kept): (&RecordKey, &Kept)| Record {
            key: key.clone(),
            value: kept.value.clone(),
            keep_until: kept.until,
        };
        Ok(records.take_while(|(key, _)| begins(key)).take(limit).map(record).collect())
    }

    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
        let mut contents = self.contents();
        contents.trim(oldest);
        let count = |contents: &Contents| contents.tables.iter().map(BTreeMap::len).sum::<usize>();
        let before = count(&contents);
        for table in &mut contents.tables {
            table.retain(|_, kept| kept.until.is_none_or(|until| until > now));
        }
        let dead_letters = contents.table(Table::DeadLetters);
        while dead_letters.len() > letters {
            dead_letters.pop_first();
        }
        Ok(before - count(&contents))
    }
}
