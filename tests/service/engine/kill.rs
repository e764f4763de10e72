//! `kill -9` at any moment loses no acknowledged commit and leaves no partial one (promise 5).

use std::{thread, time::Duration};

use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{Change, Commit, Record, RecordKey, Store, Table},
};

use super::{
    child::{self, Child},
    new_events,
};

const ROUNDS: u32 = 6;
/// Events of a commit.
const TOGETHER: u64 = 25;
/// Records of a commit, each as large as a conversation.
const RECORDS: u64 = 25;

/// The commit `number`: its events, and its number in each record.
fn commit(number: u64) -> Commit {
    let last = number * TOGETHER;
    let puts = (0..RECORDS).map(|record| Change::Put(Table::Snapshots, Record::new(key(record), value(number))));
    Commit { number, events: new_events(last + 1 - TOGETHER..=last), changes: puts.collect(), ..Commit::default() }
}

fn key(record: u64) -> RecordKey {
    RecordKey::of(&["bots-1", &record.to_string()])
}

fn value(number: u64) -> bytes::Bytes {
    format!("{number} ").repeat(400).into()
}

/// Commits until it is killed, and prints the number of each commit when it is made.
fn write(directory: &std::path::Path) {
    let store = EmbeddedStore::open(directory).unwrap();
    for number in store.history().newest / TOGETHER + 1.. {
        store.commit(&commit(number)).unwrap();
        println!("\ncommitted {number}");
        // Every so often it forgets old events.
        if number.is_multiple_of(10) {
            let oldest = (number * TOGETHER).saturating_sub(100 * TOGETHER);
            store.keep_house(Timestamp(0), oldest, usize::MAX).unwrap();
        }
    }
}

#[test]
fn a_killed_process_has_lost_no_acknowledged_commit_and_left_none_by_half() {
    if let Some(directory) = child::directory() {
        return write(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut epoch = None;
    for _ in 0..ROUNDS {
        let mut child = Child::start(
            "engine::kill::a_killed_process_has_lost_no_acknowledged_commit_and_left_none_by_half",
            directory.path(),
        );
        // It has begun to write; then any moment is as good as another.
        let begun: u64 = child.told("committed ").unwrap().parse().unwrap();
        thread::sleep(Duration::from_millis(u64::from(child.id() % 97) * 3));
        child.kill();
        let mut acknowledged = begun;
        while let Some(number) = child.told("committed ") {
            // The last line may be cut off and show a smaller number, or no number.
            acknowledged = acknowledged.max(number.parse().unwrap_or_default());
        }

        let store = EmbeddedStore::open(directory.path()).unwrap();
        let history = store.history();
        assert_eq!(*epoch.get_or_insert_with(|| history.epoch.clone()), history.epoch);
        let number = history.newest / TOGETHER;
        assert_eq!(history.newest % TOGETHER, 0, "a commit is whole");
        assert!((acknowledged..=acknowledged + 1).contains(&number), "{number} where {acknowledged} was acknowledged");
        for record in 0..RECORDS {
            assert_eq!(store.get(Table::Snapshots, &key(record)).unwrap(), Some(value(number)));
        }
        let read = store.events(0, usize::MAX).unwrap();
        assert_eq!(read, super::events(history.oldest..=history.newest));
    }
}
