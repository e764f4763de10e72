//! Changes of records in the form that one statement of the database can make: at most one write or removal of each key.

use std::collections::BTreeMap;

use tertulia_actors::engine::{Change, Record, RecordKey, Table};

use super::value::pack;

const PUT: i16 = 0;
const PUT_NEW: i16 = 1;
const REMOVE: i16 = 2;

/// The changes of a commit, sorted by table and key, as arrays.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    pub(super) tables: Vec<i16>,
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) values: Vec<Vec<u8>>,
    pub(super) untils: Vec<Option<i64>>,
    pub(super) kinds: Vec<i16>,
    pub(super) places: Vec<i32>,
    /// The places of [`Change::PutNew`]s that find a record which the same commit wrote.
    pub(super) not_new: Vec<usize>,
}

/// What the changes of one key come to.
#[derive(Default)]
struct Key<'a> {
    /// The first change, if it is a [`Change::PutNew`], with its place.
    first_new: Option<(usize, &'a Record)>,
    /// The last write or removal after it.
    last: Option<Option<&'a Record>>,
}

impl Changes {
    pub(super) fn of(changes: &[Change]) -> Self {
        let (mut by_key, mut not_new) = (BTreeMap::<(i16, &RecordKey), Key<'_>>::new(), Vec::new());
        for (place, change) in changes.iter().enumerate() {
            match change {
                Change::Put(table, record) => {
                    by_key.entry((number(*table), &record.key)).or_default().last = Some(Some(record));
                }
                Change::Remove(table, key) => by_key.entry((number(*table), key)).or_default().last = Some(None),
                Change::PutNew(table, record) => {
                    let key = by_key.entry((number(*table), &record.key)).or_default();
                    match (&key.first_new, &key.last) {
                        (None, None) => key.first_new = Some((place, record)),
                        (_, Some(None)) => key.last = Some(Some(record)),
                        (Some(_), None) | (_, Some(Some(_))) => not_new.push(place),
                    }
                }
            }
        }
        let mut arrays = Self { not_new, ..Self::default() };
        for ((table, name), key) in by_key {
            if let Some((place, record)) = key.first_new {
                arrays.push(table, name, PUT_NEW, Some(record), place);
            }
            match key.last {
                None => {}
                Some(Some(record)) => arrays.push(table, name, PUT, Some(record), 0),
                Some(None) => arrays.push(table, name, REMOVE, None, 0),
            }
        }
        arrays
    }

    fn push(&mut self, table: i16, key: &RecordKey, kind: i16, record: Option<&Record>, place: usize) {
        self.tables.push(table);
        self.keys.push(key.as_bytes().to_vec());
        self.values.push(record.map(|record| pack(&record.value)).unwrap_or_default());
        self.untils.push(record.and_then(|record| record.keep_until).map(|until| until.0));
        self.kinds.push(kind);
        self.places.push(i32::try_from(place).unwrap_or(i32::MAX));
    }
}

/// The number of a table in the database, which never changes.
pub(super) fn number(table: Table) -> i16 {
    match table {
        Table::Snapshots => 0,
        Table::Outbox => 1,
        Table::Answers => 2,
        Table::DeadLetters => 3,
        Table::Notes => 4,
        Table::Inbox => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: &'static str) -> Record {
        Record::new(RecordKey::of(&["a"]), value)
    }

    fn put(value: &'static str) -> Change {
        Change::Put(Table::Notes, record(value))
    }

    fn put_new(value: &'static str) -> Change {
        Change::PutNew(Table::Notes, record(value))
    }

    fn remove() -> Change {
        Change::Remove(Table::Notes, RecordKey::of(&["a"]))
    }

    /// The kinds and values of what is made, and the places that are not new in any case.
    fn of(changes: &[Change]) -> (Vec<(i16, String)>, Vec<usize>) {
        let Changes { kinds, values, not_new, .. } = Changes::of(changes);
        let text = |value: Vec<u8>| String::from_utf8(value.get(1..).unwrap_or_default().to_vec()).unwrap();
        (kinds.into_iter().zip(values.into_iter().map(text)).collect(), not_new)
    }

    #[test]
    fn the_last_change_of_a_key_is_made() {
        assert_eq!(of(&[put("1"), put("2")]), (vec![(PUT, "2".into())], vec![]));
        assert_eq!(of(&[put("1"), remove()]), (vec![(REMOVE, String::new())], vec![]));
        assert_eq!(of(&[remove(), put("1")]), (vec![(PUT, "1".into())], vec![]));
    }

    #[test]
    fn a_record_that_is_to_be_new_sees_the_changes_before_it() {
        assert_eq!(of(&[put_new("1")]), (vec![(PUT_NEW, "1".into())], vec![]));
        assert_eq!(of(&[put_new("1"), put_new("2")]), (vec![(PUT_NEW, "1".into())], vec![1]));
        assert_eq!(of(&[put("1"), put_new("2")]), (vec![(PUT, "1".into())], vec![1]));
        assert_eq!(of(&[remove(), put_new("2")]), (vec![(PUT, "2".into())], vec![]));
        assert_eq!(of(&[put_new("1"), put("2")]), (vec![(PUT_NEW, "1".into()), (PUT, "2".into())], vec![]));
        assert_eq!(of(&[put_new("1"), remove()]), (vec![(PUT_NEW, "1".into()), (REMOVE, String::new())], vec![]));
        assert_eq!(
            of(&[put_new("1"), remove(), put_new("2")]),
            (vec![(PUT_NEW, "1".into()), (PUT, "2".into())], vec![])
        );
    }

    #[test]
    fn keys_are_sorted_by_table_and_bytes() {
        let changes = [Table::Notes, Table::Snapshots].map(|table| Change::Put(table, record("1")));
        assert_eq!(Changes::of(&changes).tables, [0, 4]);
    }
}
