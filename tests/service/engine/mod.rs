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
    };
}

mod atomicity;
mod backup;
mod child;
mod damage;
mod directory;
mod full;
mod kill;
mod leases;
mod log;
mod model;
mod records;

use std::num::NonZeroUsize;

use tertulia_actors::engine::{Change, MemoryStore, Record, RecordKey, StoredEvent, Table};

/// A window that no test here fills.
fn memory_store() -> MemoryStore {
    MemoryStore::new(NonZeroUsize::new(100_000).unwrap())
}

/// An event whose every part is its offset's.
fn event(offset: u64) -> StoredEvent {
    StoredEvent {
        offset,
        connection: format!("bots-{}", offset % 3).into(),
        conversation: (!offset.is_multiple_of(4)).then(|| format!("conversation-{}", offset % 7).into()),
        name: format!("message.{offset}").into(),
        json: format!("{{\"offset\":{offset}}}").into(),
    }
}

fn events(offsets: impl IntoIterator<Item = u64>) -> Vec<StoredEvent> {
    offsets.into_iter().map(event).collect()
}

fn appends(offsets: impl IntoIterator<Item = u64>) -> Vec<Change> {
    offsets.into_iter().map(|offset| Change::Append(event(offset))).collect()
}

fn record(parts: &[&str], value: &'static str) -> Record {
    Record { key: RecordKey::of(parts), value: value.into() }
}

fn put(table: Table, parts: &[&str], value: &'static str) -> Change {
    Change::Put(table, record(parts, value))
}
