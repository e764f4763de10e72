//! A copy of a store in use: it opens, and has exactly the commits up to some moment while it was made.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{Change, Commit, Record, RecordKey, Store, Table},
};

use super::{events, new_events};

/// Events of a commit.
const TOGETHER: u64 = 100;

fn key() -> RecordKey {
    RecordKey::of(&["bots-1", "1"])
}

/// Makes the commit `number`: its events, and a record with its number in every table. Then forgets old events.
fn commit(store: &EmbeddedStore, number: u64) {
    let records = Table::ALL.map(|table| Change::Put(table, Record::new(key(), format!("{number:<5000}"))));
    let events = new_events((number - 1) * TOGETHER + 1..=number * TOGETHER);
    store.commit(&Commit { number, events, changes: records.to_vec(), ..Commit::default() }).unwrap();
    store.keep_house(Timestamp(0), (number * TOGETHER).saturating_sub(2_000), usize::MAX).unwrap();
}

/// Copies everything in a directory.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_files(&entry.path(), &target),
            false => assert!(fs::copy(entry.path(), target).is_ok()),
        }
    }
}

#[test]
fn a_copy_that_is_made_under_load_holds_whole_commits_up_to_some_moment() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let (committed, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let commit_next = || {
        let number = committed.load(Ordering::SeqCst) + 1;
        commit(&store, number);
        committed.store(number, Ordering::SeqCst);
    };
    commit_next();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                commit_next();
            }
        });
        let _end = EndOnDrop(&is_over);
        for _ in 0..4 {
            let before = committed.load(Ordering::SeqCst);
            let copy = store.copy().unwrap();
            // One more may be made and not counted yet.
            let after = committed.load(Ordering::SeqCst) + 1;
            let mode = fs::metadata(copy.directory()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);

            let restored = tempfile::tempdir().unwrap();
            copy_files(copy.directory(), restored.path());
            let copy = EmbeddedStore::open(restored.path()).unwrap();
            let history = copy.history();
            let number = history.newest / TOGETHER;
            assert_eq!((history.epoch, history.newest % TOGETHER), (store.history().epoch, 0));
            assert!((before..=after).contains(&number), "{number} between {before} and {after}");
            assert_eq!(copy.events(0, usize::MAX).unwrap(), events(history.oldest..=history.newest));
            for table in Table::ALL {
                let value = copy.get(table, &key()).unwrap().unwrap();
                assert_eq!(std::str::from_utf8(&value).unwrap().trim_end(), number.to_string(), "{table:?}");
            }
            // It goes on where it was.
            commit(&copy, number + 1);
            drop(copy);
            assert_eq!(EmbeddedStore::open(restored.path()).unwrap().history().newest, (number + 1) * TOGETHER);
        }
    });
}

/// Ends what runs until this is true, even if an assertion fails.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn copies_are_removed_with_who_took_them_and_by_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let copies = || {
        let entries = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|name| name.to_str().unwrap().starts_with("copy-")).count()
    };
    let (one, other) = (store.copy().unwrap(), store.copy().unwrap());
    assert_ne!(one.directory(), other.directory());
    assert_eq!(copies(), 2);
    drop(one);
    assert_eq!(copies(), 1);
    // As by a kill.
    std::mem::forget(other);
    drop(store);
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!(copies(), 0);
    drop(store.copy().unwrap());
    assert_eq!(copies(), 0);
}
