//! A disk that takes no more, and takes more again.

use rlimit::Resource;
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{CommitError, Committed, RecordKey, Store, Table};

use super::{
    child::{self, Child},
    events, new_events, put, put_new, try_to_commit,
};

/// Up to where a file can be written in the process, in bytes.
const LIMIT: u64 = 200_000;
/// Events of a commit.
const TOGETHER: u64 = 100;

/// Commits the next events, and a record that is new and one that is new only the first time.
fn commit(store: &EmbeddedStore, number: u64) -> Result<Committed, CommitError> {
    let events = new_events(number * TOGETHER + 1..=(number + 1) * TOGETHER);
    let changes = vec![
        put(Table::Notes, &["a", &number.to_string()], "x"),
        put_new(Table::Notes, &["b", &number.to_string()], "x"),
        put_new(Table::Notes, &["once"], "x"),
    ];
    try_to_commit(store, events, changes)
}

/// In a process of its own, because the limit is its whole process's.
fn fill(directory: &std::path::Path) {
    let store = EmbeddedStore::open(directory).unwrap();
    let (soft, hard) = Resource::FSIZE.get().unwrap();
    Resource::FSIZE.set(LIMIT, hard).unwrap();
    let (refused, error) = (0..).find_map(|number| commit(&store, number).err().map(|error| (number, error))).unwrap();
    assert!(error.to_string().starts_with("the store could not commit: "), "{error}");
    let newest = refused * TOGETHER;

    // Nothing of it can be seen, and nothing more is taken.
    let is_as_before = || {
        assert_eq!(store.history().newest, newest);
        assert_eq!(store.events(0, usize::MAX).unwrap(), events(1..=newest));
        assert_eq!(store.get(Table::Notes, &RecordKey::of(&["a", &refused.to_string()])).unwrap(), None);
    };
    is_as_before();
    let error = commit(&store, refused).unwrap_err();
    println!("\nrefused {error}");

    Resource::FSIZE.set(soft, hard).unwrap();
    for number in refused..refused + 3 {
        let committed = commit(&store, number).unwrap();
        let not_new = if number == 0 { vec![] } else { vec![2] };
        assert_eq!(committed, Committed { first: number * TOGETHER + 1, not_new });
    }
    let newest = store.history().newest;
    assert_eq!(newest, (refused + 3) * TOGETHER);
    assert_eq!(store.events(0, usize::MAX).unwrap(), events(1..=newest));
    println!("\nwritten {newest}");
}

#[test]
fn a_commit_that_the_disk_refuses_can_be_made_once_there_is_room() {
    if let Some(directory) = child::directory() {
        return fill(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child =
        Child::start("engine::full::a_commit_that_the_disk_refuses_can_be_made_once_there_is_room", directory.path());
    child.told("refused ").expect("a refusal");
    let newest = child.told("written ").expect("what was written").parse().unwrap();
    child.kill();
    assert_eq!(EmbeddedStore::open(directory.path()).unwrap().events(0, usize::MAX).unwrap(), events(1..=newest));
}
