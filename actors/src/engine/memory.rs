//! A store in memory, for systems whose data need not survive the process.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
    ops::Bound,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use bytes::Bytes;

use super::{Change, History, Record, RecordKey, Store, StoreError, StoredEvent, Table};

/// Keeps the newest events and all records until it is dropped, all in memory.
#[derive(Debug)]
pub struct MemoryStore {
    window: NonZeroUsize,
    contents: RwLock<Contents>,
}

#[derive(Debug)]
struct Contents {
    history: History,
    /// The events from `history.oldest` to `history.newest`.
    events: VecDeque<StoredEvent>,
    tables: [BTreeMap<RecordKey, Bytes>; Table::ALL.len()],
}

impl MemoryStore {
    /// Returns an empty store that deletes its oldest events beyond `window`. Its epoch is the present time.
    #[must_use]
    pub fn new(window: NonZeroUsize) -> Self {
        let history = History::begun(jiff::Timestamp::now());
        let contents = Contents { history, events: VecDeque::new(), tables: Default::default() };
        Self { window, contents: RwLock::new(contents) }
    }

    fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn make(&mut self, change: Change) {
        match change {
            Change::Append(event) => {
                self.history.newest = event.offset;
                self.events.push_back(event);
            }
            Change::Put(table, Record { key, value }) => {
                self.tables[table as usize].insert(key, value);
            }
            Change::Remove(table, key) => {
                self.tables[table as usize].remove(&key);
            }
            Change::Trim { oldest } => self.trim(oldest.min(self.history.newest + 1)),
        }
    }

    fn trim(&mut self, oldest: u64) {
        while self.history.oldest < oldest {
            self.events.pop_front();
            self.history.oldest += 1;
        }
    }
}

impl Store for MemoryStore {
    fn history(&self) -> History {
        self.contents().history.clone()
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        contents.history.after(&changes)?;
        for change in changes {
            contents.make(change);
        }
        let window = u64::try_from(self.window.get()).unwrap_or(u64::MAX);
        let oldest = (contents.history.newest + 1).saturating_sub(window);
        contents.trim(oldest);
        Ok(())
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let contents = self.contents();
        let forgotten = after.saturating_add(1).saturating_sub(contents.history.oldest);
        let skipped = usize::try_from(forgotten).unwrap_or(usize::MAX);
        Ok(contents.events.iter().skip(skipped).take(limit).cloned().collect())
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        Ok(self.contents().tables[table as usize].get(key).cloned())
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
        let contents = self.contents();
        let records = contents.tables[table as usize].range::<RecordKey, _>((first, Bound::Unbounded));
        let begins = |key: &RecordKey| key.as_bytes().starts_with(prefix.as_bytes());
        Ok(records
            .take_while(|(key, _)| begins(key))
            .take(limit)
            .map(|(key, value)| Record { key: key.clone(), value: value.clone() })
            .collect())
    }
}
