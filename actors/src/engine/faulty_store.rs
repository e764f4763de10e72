//! A store in memory that refuses commits or stands still, for tests.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Condvar, Mutex},
};

use bytes::Bytes;
use tertulia_core::time::Timestamp;

use super::{
    Cluster, Commit, CommitError, Committed, History, MemoryStore, NewEvent, Record, RecordKey, Store, StoreError,
    Table,
};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFault {
    None,
    /// Every commit fails.
    Refuses,
    /// No commit ends.
    StandsStill,
}

/// A store in memory with a fault.
pub(crate) struct FaultyStore {
    store: MemoryStore,
    fault: Mutex<StoreFault>,
    changed: Condvar,
}

impl FaultyStore {
    pub(crate) fn new(fault: StoreFault) -> Self {
        Self { store: MemoryStore::new(NonZeroUsize::MIN), fault: Mutex::new(fault), changed: Condvar::new() }
    }

    pub(crate) fn set(&self, fault: StoreFault) {
        *self.fault.lock().unwrap() = fault;
        self.changed.notify_all();
    }
}

impl Store for FaultyStore {
    fn history(&self) -> History {
        self.store.history()
    }

    fn cluster(&self) -> Arc<dyn Cluster> {
        self.store.cluster()
    }

    fn last_commit(&self) -> u64 {
        self.store.last_commit()
    }

    fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let stands_still = |fault: &mut StoreFault| *fault == StoreFault::StandsStill;
        let fault = *self.changed.wait_while(self.fault.lock().unwrap(), stands_still).unwrap();
        match fault {
            StoreFault::Refuses => Err(StoreError::new("commit", "there is no room").into()),
            StoreFault::None | StoreFault::StandsStill => self.store.commit(commit),
        }
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
        self.store.events(after, limit)
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        self.store.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.store.scan(table, prefix, after, limit)
    }

    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
        self.store.keep_house(now, oldest, letters)
    }
}
