//! A store that can be cut off in the middle of a commit, as by `kill -9`.

use std::sync::{
    Arc, Condvar, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tertulia_actors::engine::{Change, History, MemoryStore, Record, RecordKey, Store, StoreError, StoredEvent, Table};

/// Where a store is cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Not here.
    No,
    /// After the commit.
    After,
    /// After the commit, and before the caller of the commit gets its result.
    Unheard,
}

/// A store that can be cut off: it refuses every commit after the cut.
pub(crate) struct Disk {
    store: Arc<MemoryStore>,
    pub(crate) is_cut: AtomicBool,
    /// Refuses commits, as a full disk does.
    pub(crate) is_full: AtomicBool,
    /// Where a change cuts the store off.
    cuts: fn(&Change) -> Cut,
    /// Answers are kept only while this is open.
    pub(crate) keeps_answers: Mutex<bool>,
    pub(crate) opened: Condvar,
}

impl Disk {
    pub(crate) fn new(store: &Arc<MemoryStore>, cuts: fn(&Change) -> Cut) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            is_cut: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            cuts,
            keeps_answers: Mutex::new(true),
            opened: Condvar::new(),
        })
    }

    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }
}

impl Store for Disk {
    fn history(&self) -> History {
        self.store.history()
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Err(StoreError::new("commit", "the process is dead"));
        }
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::new("commit", "no space left on the device"));
        }
        if changes.iter().any(|change| matches!(change, Change::Put(Table::Answers, _))) {
            drop(self.opened.wait_while(self.keeps_answers.lock().unwrap(), |is_open| !*is_open).unwrap());
        }
        let cut = changes.iter().map(self.cuts).find(|cut| *cut != Cut::No);
        self.store.commit(changes)?;
        if cut.is_some() {
            self.cut();
        }
        match cut {
            Some(Cut::Unheard) => Err(StoreError::new("commit", "the process is dead")),
            _ => Ok(()),
        }
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.events(after, limit)
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<bytes::Bytes>, StoreError> {
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
}

pub(crate) fn never(_: &Change) -> Cut {
    Cut::No
}

pub(crate) fn once_accepted(change: &Change) -> Cut {
    if matches!(change, Change::Put(Table::Outbox, _)) { Cut::After } else { Cut::No }
}

pub(crate) fn once_accepted_unheard(change: &Change) -> Cut {
    if matches!(change, Change::Put(Table::Outbox, _)) { Cut::Unheard } else { Cut::No }
}

/// The record of a command that is suspected of ending sockets.
pub(crate) fn once_suspected_unheard(change: &Change) -> Cut {
    match change {
        Change::Put(Table::Outbox, record) if String::from_utf8_lossy(&record.value).contains("suspicion") => {
            Cut::Unheard
        }
        _ => Cut::No,
    }
}
