//! Changes that are committed together: all of them or none.

use tertulia_actors::engine::{Change, Store, Table};

use super::{appends, event, events, put, record};

promises!(
    no_change_is_made_where_one_of_them_cannot_be,
    nothing_to_change_changes_nothing,
    a_reader_sees_an_event_only_with_the_record_committed_beside_it,
);

fn no_change_is_made_where_one_of_them_cannot_be(store: &impl Store) {
    store.commit(appends(1..=2).into_iter().chain([put(Table::Notes, &["a"], "1")]).collect()).unwrap();
    let before = store.history();
    for wrong in [0, 1, 2, 4, u64::MAX] {
        let changes = vec![
            put(Table::Notes, &["a"], "2"),
            Change::Trim { oldest: 2 },
            Change::Append(event(wrong)),
            put(Table::Notes, &["b"], "2"),
        ];
        let error = store.commit(changes).unwrap_err();
        assert_eq!(error.operation, "commit");
        assert!(error.to_string().contains(&wrong.to_string()), "{error}");
    }
    assert_eq!(store.history(), before);
    assert_eq!(store.events(0, 10).unwrap(), events(1..=2));
    assert_eq!(store.scan(Table::Notes, &super::RecordKey::of(&[]), None, 10).unwrap(), [record(&["a"], "1")]);
}

fn nothing_to_change_changes_nothing(store: &impl Store) {
    let before = store.history();
    store.commit(Vec::new()).unwrap();
    assert_eq!(store.history(), before);
}

fn a_reader_sees_an_event_only_with_the_record_committed_beside_it(store: &impl Store) {
    const NEWEST: u64 = 300;
    let key = super::RecordKey::of(&["newest"]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for offset in 1..=NEWEST {
                let value = offset.to_string().into();
                let newest = Change::Put(Table::Notes, super::Record { key: key.clone(), value });
                store.commit(vec![Change::Append(event(offset)), newest]).unwrap();
            }
        });
        scope.spawn(|| {
            let mut newest = 0;
            while newest < NEWEST {
                newest = store.history().newest;
                assert!(newest == 0 || store.events(newest - 1, 1).unwrap() == [event(newest)]);
                let noted = store.get(Table::Notes, &key).unwrap();
                let noted: u64 = noted.map_or(0, |noted| std::str::from_utf8(&noted).unwrap().parse().unwrap());
                assert!(noted >= newest, "event {newest} beside a note of {noted}");
            }
        });
    });
}
