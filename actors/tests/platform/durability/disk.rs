//! A store that can be cut off in the middle of a commit, as by `kill -9`.

use std::sync::{
    Arc, Condvar, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tertulia_actors::{
    core::time::Timestamp,
    engine::{
        Change, Cluster, Commit, CommitError, Committed, History, MemoryStore, NewEvent, Record, RecordKey, Store,
        StoreError, Table,
    },
};

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
    /// Where a commit cuts the store off.
    cuts: fn(&Commit) -> Cut,
    /// Answers are kept only while this is open.
    pub(crate) keeps_answers: Mutex<bool>,
    pub(crate) opened: Condvar,
}

impl Disk {
    pub(crate) fn new(store: &Arc<MemoryStore>, cuts: fn(&Commit) -> Cut) -> Arc<Self> {
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

    fn cluster(&self) -> Arc<dyn Cluster> {
        self.store.cluster()
    }

    fn last_commit(&self) -> u64 {
        self.store.last_commit()
    }

    fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Err(StoreError::new("commit", "the process is dead").into());
        }
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::new("commit", "no space left on the device").into());
        }
        if commit.changes.iter().any(|change| matches!(change, Change::Put(Table::Answers, _))) {
            drop(self.opened.wait_while(self.keeps_answers.lock().unwrap(), |is_open| !*is_open).unwrap());
        }
        let cut = (self.cuts)(commit);
        let committed = self.store.commit(commit)?;
        if cut != Cut::No {
            self.cut();
        }
        match cut {
            Cut::Unheard => Err(StoreError::new("commit", "the process is dead").into()),
            _ => Ok(committed),
        }
    }

    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
        self.store.keep_house(now, oldest, letters)
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
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

pub(crate) fn never(_: &Commit) -> Cut {
    Cut::No
}

pub(crate) fn once_accepted(commit: &Commit) -> Cut {
    if has(commit, is_accepted) { Cut::After } else { Cut::No }
}

pub(crate) fn once_accepted_unheard(commit: &Commit) -> Cut {
    if has(commit, is_accepted) { Cut::Unheard } else { Cut::No }
}

/// The record of a command that is suspected of ending sockets.
pub(crate) fn once_suspected_unheard(commit: &Commit) -> Cut {
    let is_suspected = |change: &Change| match change {
        Change::Put(Table::Outbox, record) => String::from_utf8_lossy(&record.value).contains("suspicion"),
        _ => false,
    };
    if has(commit, is_suspected) { Cut::Unheard } else { Cut::No }
}

fn has(commit: &Commit, is_it: impl Fn(&Change) -> bool) -> bool {
    commit.changes.iter().any(is_it)
}

fn is_accepted(change: &Change) -> bool {
    matches!(change, Change::Put(Table::Outbox, _))
}
