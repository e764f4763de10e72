//! A commit whose outcome is unknown is repeated by its number, and made once.

use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{Change, Commit, Committed, RecordKey, Store, Table};

use super::{append, change, commit, event, events, forget, new_events, put, put_new, record};

promises!(
    a_repeated_commit_is_answered_as_the_first_time_and_made_once,
    a_commit_without_events_is_answered_with_the_next_offset,
    a_number_may_be_left_out,
    a_number_before_the_last_one_is_refused,
);

/// A commit whose answer has everything, under the next number.
fn next(store: &dyn Store) -> Commit {
    let changes = vec![
        put_new(Table::Notes, &["a"], "1"),
        put_new(Table::Notes, &["a"], "2"),
        put(Table::Notes, &["b"], "1"),
        Change::Remove(Table::Notes, RecordKey::of(&["c"])),
    ];
    Commit { number: store.last_commit() + 1, events: new_events(3..=4), changes, ..Commit::default() }
}

fn a_repeated_commit_is_answered_as_the_first_time_and_made_once(store: &impl Store) {
    commit(store, new_events(1..=2), vec![put(Table::Notes, &["c"], "1")]);
    let repeated = next(store);
    let answer = Committed { first: 3, not_new: vec![1] };
    let is_made_once = || {
        assert_eq!(store.last_commit(), repeated.number);
        assert_eq!(store.events(2, 10).unwrap(), events(3..=4));
        let records = store.scan(Table::Notes, &RecordKey::of(&[]), None, 10).unwrap();
        assert_eq!(records, [record(&["a"], "1"), record(&["b"], "1")]);
    };
    for _ in 0..3 {
        assert_eq!(store.commit(&repeated).unwrap(), answer);
        is_made_once();
    }
    forget(store, 3);
    assert_eq!(store.commit(&repeated).unwrap(), answer);
    is_made_once();
    append(store, [5]);
    assert_eq!(store.events(0, 10).unwrap(), events(3..=5));
}

fn a_commit_without_events_is_answered_with_the_next_offset(store: &impl Store) {
    assert_eq!(change(store, vec![put(Table::Notes, &["a"], "1")]).first, 1);
    append(store, 1..=2);
    assert_eq!(change(store, Vec::new()).first, 3);
    assert_eq!(commit(store, vec![event(3)], Vec::new()).first, 3);
}

fn a_number_may_be_left_out(store: &impl Store) {
    for number in [3, 4, 100] {
        store.commit(&Commit { number, ..Commit::default() }).unwrap();
        assert_eq!(store.last_commit(), number);
    }
}

fn a_number_before_the_last_one_is_refused(store: &impl Store) {
    append(store, [1]);
    append(store, [2]);
    for number in [0, 1] {
        let late = Commit { number, events: new_events([3]), ..Commit::default() };
        let error = store.commit(&late).unwrap_err().to_string();
        assert_eq!(error, format!("the store could not commit: commit {number} came after commit 2"));
    }
    assert_eq!(store.events(0, 10).unwrap(), events(1..=2));
}

/// The next process does not know the answer, and makes no commit twice.
#[test]
fn numbers_go_on_in_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    append(&store, 1..=2);
    let made = next(&store);
    store.commit(&made).unwrap();
    drop(store);
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!(store.last_commit(), made.number);
    assert!(store.commit(&made).is_err());
    assert_eq!(store.events(0, 10).unwrap(), events(1..=4));
    append(&store, [5]);
    assert_eq!(store.last_commit(), made.number + 1);
}
