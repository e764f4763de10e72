//! A disk that takes no more, and takes more again.

use rlimit::Resource;
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{Change, Store, Table};

use super::{
    appends,
    child::{self, Child},
    events, put,
};

/// Up to where a file can be written in the process, in bytes.
const LIMIT: u64 = 200_000;
/// Events of a commit.
const TOGETHER: u64 = 100;

fn commit(number: u64) -> Vec<Change> {
    let mut changes = appends(number * TOGETHER + 1..=(number + 1) * TOGETHER);
    changes.push(put(Table::Notes, &["a", &number.to_string()], "x"));
    changes
}

/// In a process of its own, because the limit is its whole process's.
fn fill(directory: &std::path::Path) {
    let store = EmbeddedStore::open(directory).unwrap();
    let (soft, hard) = Resource::FSIZE.get().unwrap();
    Resource::FSIZE.set(LIMIT, hard).unwrap();
    let (refused, error) =
        (0..).find_map(|number| store.commit(commit(number)).err().map(|error| (number, error))).unwrap();
    assert_eq!(error.operation, "commit");
    let newest = refused * TOGETHER;

    // Nothing of it can be seen, and nothing more is taken.
    let is_as_before = || {
        assert_eq!(store.history().newest, newest);
        assert_eq!(store.events(0, usize::MAX).unwrap(), events(1..=newest));
        assert_eq!(store.get(Table::Notes, &super::RecordKey::of(&["a", &refused.to_string()])).unwrap(), None);
    };
    is_as_before();
    let error = store.commit(commit(refused)).unwrap_err();
    println!("\nrefused {error}");

    Resource::FSIZE.set(soft, hard).unwrap();
    for number in refused..refused + 3 {
        store.commit(commit(number)).unwrap();
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
