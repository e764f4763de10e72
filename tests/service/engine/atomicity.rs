//! Changes that are committed together: all of them or none.

use tertulia_actors::engine::{Change, Record, RecordKey, Store, Table};

use super::{append, change, commit, event, events, new_events, put, put_new, record, try_to_commit};

promises!(
    no_change_is_made_where_one_of_them_cannot_be,
    nothing_to_change_changes_nothing,
    a_reader_sees_an_event_only_with_the_record_committed_beside_it,
);

fn no_change_is_made_where_one_of_them_cannot_be(store: &impl Store) {
    commit(store, new_events(1..=2), vec![put(Table::Notes, &["a"], "1")]);
    let (before, number) = (store.history(), store.last_commit());
    let too_long = format!("a record's key has {} bytes", RecordKey::MAX_BYTES + 1);
    for (length, reason) in [(0, "has an empty key"), (RecordKey::MAX_BYTES + 1, too_long.as_str())] {
        let key = RecordKey::from_bytes(&vec![b'a'; length]);
        let wrong = Record::new(key.clone(), "2");
        for wrong in [
            Change::Put(Table::Notes, wrong.clone()),
            Change::PutNew(Table::Notes, wrong),
            Change::Remove(Table::Notes, key),
        ] {
            let changes = vec![
                put(Table::Notes, &["a"], "2"),
                put_new(Table::Notes, &["c"], "2"),
                wrong,
                put(Table::Notes, &["b"], "2"),
            ];
            let error = try_to_commit(store, new_events(3..=3), changes).unwrap_err().to_string();
            assert!(error.starts_with("the store could not commit: ") && error.contains(reason), "{error}");
        }
    }
    assert_eq!((store.history(), store.last_commit()), (before, number));
    assert_eq!(store.events(0, 10).unwrap(), events(1..=2));
    assert_eq!(store.scan(Table::Notes, &RecordKey::of(&[]), None, 10).unwrap(), [record(&["a"], "1")]);
    append(store, 3..=3);
    assert_eq!(store.events(0, 10).unwrap(), events(1..=3));
}

fn nothing_to_change_changes_nothing(store: &impl Store) {
    let before = store.history();
    change(store, Vec::new());
    assert_eq!(store.history(), before);
}

fn a_reader_sees_an_event_only_with_the_record_committed_beside_it(store: &impl Store) {
    const NEWEST: u64 = 300;
    let key = RecordKey::of(&["newest"]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for offset in 1..=NEWEST {
                let newest = Change::Put(Table::Notes, Record::new(key.clone(), offset.to_string()));
                commit(store, vec![event(offset)], vec![newest]);
            }
        });
        scope.spawn(|| {
            let mut newest = 0;
            while newest < NEWEST {
                newest = store.history().newest;
                assert!(newest == 0 || store.events(newest - 1, 1).unwrap() == [(newest, event(newest))]);
                let noted = store.get(Table::Notes, &key).unwrap();
                let noted: u64 = noted.map_or(0, |noted| std::str::from_utf8(&noted).unwrap().parse().unwrap());
                assert!(noted >= newest, "event {newest} beside a note of {noted}");
            }
        });
    });
}
