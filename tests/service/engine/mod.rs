//! What engines promise, tested with each of them.

/// Tests of functions that take a `&impl Store`, with an empty one of each kind.
macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[test]
            fn $promise() {
                super::$promise(&crate::engine::memory_store());
            })+
        }

        mod embedded {
            $(#[test]
            fn $promise() {
                let directory = tempfile::tempdir().unwrap();
                super::$promise(&tertulia::engine::embedded::EmbeddedStore::open(directory.path()).unwrap());
            })+
        }

        mod postgres {
            $(#[test]
            fn $promise() {
                let database = crate::postgres::Database::new();
                super::$promise(&*database.join("a").store);
            })+
        }
    };
}

mod atomicity;
mod backup;
mod child;
mod damage;
mod directory;
mod duties;
mod expiry;
mod full;
mod kill;
mod leases;
mod log;
mod model;
mod new_records;
mod postgres;
mod records;
mod repetition;
mod shared;
mod unavailable;
mod upgrade;

use std::num::NonZeroUsize;

use tertulia_actors::{
    core::time::Timestamp,
    engine::{Change, Commit, CommitError, Committed, MemoryStore, NewEvent, Record, RecordKey, Store, Table},
};

/// A window that no test here fills.
fn memory_store() -> MemoryStore {
    MemoryStore::new(NonZeroUsize::new(100_000).unwrap())
}

/// An event whose every part is its offset's.
fn event(offset: u64) -> NewEvent {
    NewEvent {
        connection: format!("bots-{}", offset % 3).into(),
        conversation: (!offset.is_multiple_of(4)).then(|| format!("conversation-{}", offset % 7).into()),
        name: format!("message.{offset}").into(),
        json: format!("{{\"offset\":{offset}}}").into(),
    }
}

/// The events at these offsets, as they are read.
fn events(offsets: impl IntoIterator<Item = u64>) -> Vec<(u64, NewEvent)> {
    offsets.into_iter().map(|offset| (offset, event(offset))).collect()
}

/// The events of these offsets, as they are committed.
fn new_events(offsets: impl IntoIterator<Item = u64>) -> Vec<NewEvent> {
    offsets.into_iter().map(event).collect()
}

/// Commits under the next number.
fn try_to_commit(store: &dyn Store, events: Vec<NewEvent>, changes: Vec<Change>) -> Result<Committed, CommitError> {
    store.commit(&Commit { number: store.last_commit() + 1, events, changes, ..Commit::default() })
}

/// Commits under the next number.
fn commit(store: &dyn Store, events: Vec<NewEvent>, changes: Vec<Change>) -> Committed {
    try_to_commit(store, events, changes).unwrap()
}

/// Commits the events of these offsets, which must be the next ones.
fn append(store: &dyn Store, offsets: impl IntoIterator<Item = u64>) {
    commit(store, new_events(offsets), Vec::new());
}

/// Commits changes of records.
fn change(store: &dyn Store, changes: Vec<Change>) -> Committed {
    commit(store, Vec::new(), changes)
}

/// Deletes the events below `oldest`, and no record.
fn forget(store: &dyn Store, oldest: u64) {
    assert_eq!(store.keep_house(Timestamp(i64::MIN), oldest, usize::MAX).unwrap(), 0);
}

fn record(parts: &[&str], value: &'static str) -> Record {
    Record::new(RecordKey::of(parts), value)
}

fn put(table: Table, parts: &[&str], value: &'static str) -> Change {
    Change::Put(table, record(parts, value))
}

fn put_new(table: Table, parts: &[&str], value: &'static str) -> Change {
    Change::PutNew(table, record(parts, value))
}
