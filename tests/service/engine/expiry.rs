//! Housekeeping: records that are over go, the others stay, also after the store was closed or copied.

use tertulia_actors::{
    core::time::Timestamp,
    engine::{Change, Record, RecordKey, Store, Table},
};

use super::{append, change, events, record};

/// Tests of functions that fill a store and return what they check then: of the same store, of an embedded store that
/// was closed and opened, and of its copy.
macro_rules! housekeeping {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[test]
            fn $case() {
                let store = crate::engine::memory_store();
                super::$case(&store)(&store);
            })+
        }

        mod embedded {
            $(#[test]
            fn $case() {
                let directory = tempfile::tempdir().unwrap();
                let store = tertulia::engine::embedded::EmbeddedStore::open(directory.path()).unwrap();
                super::$case(&store)(&store);
            })+
        }

        mod reopened {
            $(#[test]
            fn $case() {
                let directory = tempfile::tempdir().unwrap();
                let open = || tertulia::engine::embedded::EmbeddedStore::open(directory.path()).unwrap();
                let check = super::$case(&open());
                check(&open());
            })+
        }

        mod copied {
            $(#[test]
            fn $case() {
                let directory = tempfile::tempdir().unwrap();
                let store = tertulia::engine::embedded::EmbeddedStore::open(directory.path()).unwrap();
                let check = super::$case(&store);
                let copy = tertulia_actors::engine::Store::copy(&store).unwrap();
                check(&tertulia::engine::embedded::EmbeddedStore::open(copy.directory()).unwrap());
            })+
        }
    };
}

housekeeping!(
    what_is_over_goes_and_nothing_else,
    a_record_that_was_rewritten_goes_at_its_last_time,
    a_record_that_was_removed_and_written_again_stays,
    the_oldest_letters_beyond_the_newest_go,
    many_records_go_at_once,
    the_longest_key_can_have_a_time,
    events_go_with_the_records,
);

/// What a case checks once its store was filled.
type Check = fn(&dyn Store);

const TABLE: Table = Table::Answers;

fn until(table: Table, name: &str, time: i64) -> Change {
    Change::Put(table, Record::new(RecordKey::of(&[name]), "x").until(Timestamp(time)))
}

fn remove(name: &str) -> Change {
    Change::Remove(TABLE, RecordKey::of(&[name]))
}

fn put(table: Table, name: &str) -> Change {
    super::put(table, &[name], "x")
}

fn names(store: &dyn Store, table: Table) -> Vec<String> {
    let records = store.scan(table, &RecordKey::of(&[]), None, usize::MAX).unwrap();
    records.into_iter().flat_map(|record| record.key.parts().unwrap()).collect()
}

/// Removes the records that are over at `now`. Returns their number.
fn keep_house(store: &dyn Store, now: i64) -> usize {
    store.keep_house(Timestamp(now), 0, usize::MAX).unwrap()
}

fn what_is_over_goes_and_nothing_else(store: &dyn Store) -> Check {
    for table in Table::ALL {
        change(store, vec![until(table, "a", -10), until(table, "b", 10), until(table, "c", 11), put(table, "d")]);
    }
    |store| {
        let stays = |names_left: &[&str]| {
            for table in Table::ALL {
                assert_eq!(names(store, table), names_left, "{table:?}");
            }
        };
        assert_eq!(keep_house(store, i64::MIN), 0);
        assert_eq!(keep_house(store, -11), 0);
        stays(&["a", "b", "c", "d"]);
        assert_eq!(keep_house(store, 9), Table::ALL.len());
        stays(&["b", "c", "d"]);
        assert_eq!(keep_house(store, 10), Table::ALL.len());
        stays(&["c", "d"]);
        assert_eq!(keep_house(store, 10), 0);
        let left = store.scan(TABLE, &RecordKey::of(&[]), None, 10).unwrap();
        assert_eq!(left, [record(&["c"], "x").until(Timestamp(11)), record(&["d"], "x")]);
        assert_eq!(keep_house(store, i64::MAX), Table::ALL.len());
        stays(&["d"]);
    }
}

fn a_record_that_was_rewritten_goes_at_its_last_time(store: &dyn Store) -> Check {
    change(store, ["earlier", "later", "much later", "never"].map(|name| until(TABLE, name, 10)).to_vec());
    let again = vec![
        until(TABLE, "earlier", 5),
        until(TABLE, "later", 12),
        until(TABLE, "much later", 20),
        put(TABLE, "never"),
        put(TABLE, "sometime"),
    ];
    change(store, again);
    change(store, vec![until(TABLE, "sometime", 20)]);
    |store| {
        assert_eq!(keep_house(store, 4), 0);
        assert_eq!(keep_house(store, 15), 2, "each record counts once");
        assert_eq!(names(store, TABLE), ["much later", "never", "sometime"]);
        assert_eq!(keep_house(store, 20), 2);
        assert_eq!(names(store, TABLE), ["never"]);
        assert_eq!(keep_house(store, i64::MAX), 0);
    }
}

fn a_record_that_was_removed_and_written_again_stays(store: &dyn Store) -> Check {
    change(store, ["a", "b", "c", "gone"].map(|name| until(TABLE, name, 10)).to_vec());
    change(store, ["a", "b", "c", "gone"].map(remove).to_vec());
    let new = Record::new(RecordKey::of(&["c"]), "x").until(Timestamp(30));
    change(store, vec![put(TABLE, "a"), until(TABLE, "b", 30), Change::PutNew(TABLE, new)]);
    |store| {
        assert_eq!(keep_house(store, 20), 0);
        assert_eq!(names(store, TABLE), ["a", "b", "c"]);
        assert_eq!(keep_house(store, 30), 2);
        assert_eq!(names(store, TABLE), ["a"]);
    }
}

fn the_oldest_letters_beyond_the_newest_go(store: &dyn Store) -> Check {
    for name in ["1", "2", "3", "4", "5", "6"] {
        change(store, vec![put(Table::DeadLetters, name), put(TABLE, name)]);
    }
    change(store, vec![until(Table::DeadLetters, "5", 10)]);
    |store| {
        let letters = |now, most| store.keep_house(Timestamp(now), 0, most).unwrap();
        assert_eq!(letters(9, 6), 0);
        assert_eq!(letters(9, 5), 1);
        assert_eq!(names(store, Table::DeadLetters), ["2", "3", "4", "5", "6"]);
        assert_eq!(letters(10, 3), 2, "what is over takes no other letter's place");
        assert_eq!(names(store, Table::DeadLetters), ["3", "4", "6"]);
        assert_eq!(letters(10, 0), 3);
        assert_eq!(names(store, Table::DeadLetters), [""; 0]);
        assert_eq!(names(store, TABLE).len(), 6, "other tables have no limit");
    }
}

fn many_records_go_at_once(store: &dyn Store) -> Check {
    let changes = (0..2_500).map(|number| until(TABLE, &format!("{number:04}"), number / 1_200));
    change(store, changes.collect());
    |store| {
        assert_eq!(keep_house(store, 1), 2_400);
        assert_eq!(names(store, TABLE).len(), 100);
        assert_eq!(keep_house(store, 2), 100);
        assert_eq!(names(store, TABLE), [""; 0]);
    }
}

fn the_longest_key_can_have_a_time(store: &dyn Store) -> Check {
    let longest = RecordKey::from_bytes(&[b'a'; RecordKey::MAX_BYTES]);
    change(store, vec![Change::Put(TABLE, Record::new(longest, "x").until(Timestamp(10)))]);
    |store| {
        assert_eq!(keep_house(store, 9), 0);
        assert_eq!(keep_house(store, 10), 1);
        assert_eq!(store.scan(TABLE, &RecordKey::of(&[]), None, 10).unwrap(), []);
    }
}

fn events_go_with_the_records(store: &dyn Store) -> Check {
    append(store, 1..=100);
    change(store, vec![until(TABLE, "a", 10), put(Table::DeadLetters, "1")]);
    |store| {
        assert_eq!(store.keep_house(Timestamp(10), 41, 0).unwrap(), 2);
        assert_eq!((store.history().oldest, store.history().newest), (41, 100));
        assert_eq!(store.events(0, 100).unwrap(), events(41..=100));
        append(store, [101]);
        assert_eq!(store.events(99, 100).unwrap(), events(100..=101));
    }
}
