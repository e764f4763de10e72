//! Records: written, read, removed and listed by their keys.

use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{Change, Record, RecordKey, Store, Table};

use super::{change, put, record, try_to_commit};

promises!(
    a_record_is_read_until_it_is_removed,
    each_table_has_its_own_records,
    the_last_of_several_changes_of_a_record_stands,
    records_are_listed_by_the_beginning_of_their_keys,
    a_list_continues_after_its_last_record,
    a_part_of_a_table_is_measured,
    keys_and_values_may_hold_any_bytes,
    a_key_that_no_store_keeps_is_refused_and_has_no_record,
);

const TABLE: Table = Table::Snapshots;

fn key(parts: &[&str]) -> RecordKey {
    RecordKey::of(parts)
}

fn a_record_is_read_until_it_is_removed(store: &impl Store) {
    assert_eq!(store.get(TABLE, &key(&["a"])).unwrap(), None);
    change(store, vec![put(TABLE, &["a"], "1")]);
    assert_eq!(store.get(TABLE, &key(&["a"])).unwrap().unwrap(), "1");
    change(store, vec![put(TABLE, &["a"], "2")]);
    assert_eq!(store.get(TABLE, &key(&["a"])).unwrap().unwrap(), "2");
    for _ in 0..2 {
        change(store, vec![Change::Remove(TABLE, key(&["a"]))]);
        assert_eq!(store.get(TABLE, &key(&["a"])).unwrap(), None);
    }
}

fn each_table_has_its_own_records(store: &impl Store) {
    change(store, Table::ALL.map(|table| put(table, &["a"], table.name())).to_vec());
    for table in Table::ALL {
        assert_eq!(store.get(table, &key(&["a"])).unwrap().unwrap(), table.name());
        assert_eq!(store.scan(table, &key(&[]), None, 10).unwrap(), [record(&["a"], table.name())]);
    }
}

fn the_last_of_several_changes_of_a_record_stands(store: &impl Store) {
    let remove = |name| Change::Remove(TABLE, key(&[name]));
    let changes = vec![
        put(TABLE, &["a"], "1"),
        put(TABLE, &["b"], "1"),
        remove("b"),
        remove("c"),
        put(TABLE, &["c"], "1"),
        put(TABLE, &["a"], "2"),
    ];
    change(store, changes);
    assert_eq!(store.scan(TABLE, &key(&[]), None, 10).unwrap(), [record(&["a"], "2"), record(&["c"], "1")]);
}

fn a_part_of_a_table_is_measured(store: &impl Store) {
    let inbox = |parts: &[&str], bytes: usize| Change::Put(Table::Inbox, Record::new(key(parts), vec![b'x'; bytes]));
    let many = (0..600).map(|number| inbox(&["a", &format!("{number:03}")], 10));
    change(store, many.chain([inbox(&["a\0", "1"], 10), inbox(&["b", "1"], 10)]).collect());
    let measure = |prefix: &[&str], limit| store.measure(Table::Inbox, &key(prefix), limit).unwrap();
    let (records, bytes) = measure(&["a"], usize::MAX);
    assert_eq!(records, 600);
    // A store may add something to each value.
    assert!((6_000..=6_600).contains(&bytes), "{bytes}");
    assert_eq!((measure(&["a"], 300).0, measure(&["a"], 0)), (300, (0, 0)));
    assert_eq!((measure(&["c"], 10), measure(&[], usize::MAX).0), ((0, 0), 602));
    assert_eq!(store.measure(Table::Notes, &key(&[]), 10).unwrap(), (0, 0));
}

fn records_are_listed_by_the_beginning_of_their_keys(store: &impl Store) {
    let keys = [["a", "1"], ["a", "2"], ["a\0", "1"], ["ab", "1"], ["b", "1"]];
    change(store, keys.iter().rev().map(|parts| put(TABLE, parts, "x")).collect());
    let listed = |prefix: &[&str], limit| -> Vec<RecordKey> {
        store.scan(TABLE, &key(prefix), None, limit).unwrap().into_iter().map(|record| record.key).collect()
    };
    assert_eq!(listed(&["a"], 10), [key(&["a", "1"]), key(&["a", "2"])]);
    assert_eq!(listed(&["a"], 1), [key(&["a", "1"])]);
    assert_eq!(listed(&["a"], 0), []);
    assert_eq!(listed(&["a", "2"], 10), [key(&["a", "2"])]);
    assert_eq!(listed(&["c"], 10), []);
    assert_eq!(listed(&[], 10), keys.map(|parts| key(&parts)));
}

fn a_list_continues_after_its_last_record(store: &impl Store) {
    let keys: Vec<String> = (0..25).map(|number| format!("{number:02}")).collect();
    change(store, keys.iter().map(|number| put(TABLE, &["a", number], "x")).collect());
    change(store, vec![put(TABLE, &["b", "00"], "x")]);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.scan(TABLE, &key(&["a"]), after.as_ref(), 10).unwrap();
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        listed.extend(page.into_iter().map(|record| record.key));
    }
    assert_eq!(listed, keys.iter().map(|number| key(&["a", number])).collect::<Vec<_>>());

    // A cursor may be the key of no record, and may lie outside the listed prefix.
    let first = |after: &RecordKey| store.scan(TABLE, &key(&["a"]), Some(after), 1).unwrap();
    assert_eq!(first(&key(&["A"]))[0].key, key(&["a", "00"]));
    assert_eq!(first(&key(&["a", "00", "after"]))[0].key, key(&["a", "01"]));
    assert_eq!(first(&key(&["b"])), []);
}

fn keys_and_values_may_hold_any_bytes(store: &impl Store) {
    let all: Vec<u8> = (0..=255).collect();
    for value in [Vec::new(), all, vec![1; 3], vec![0xff; 300_000]] {
        let record = Record::new(key(&["\0\u{1}\u{ff}", ""]), value);
        change(store, vec![Change::Put(TABLE, record.clone())]);
        assert_eq!(store.get(TABLE, &record.key).unwrap(), Some(record.value.clone()));
        assert_eq!(store.scan(TABLE, &key(&[]), None, 10).unwrap(), [record]);
    }
}

fn a_key_that_no_store_keeps_is_refused_and_has_no_record(store: &impl Store) {
    let longest = RecordKey::from_bytes(&vec![b'a'; RecordKey::MAX_BYTES]);
    let put = |key: &RecordKey| Change::Put(TABLE, Record::new(key.clone(), "x"));
    change(store, vec![put(&longest)]);
    assert_eq!(store.get(TABLE, &longest).unwrap().unwrap(), "x");

    for key in [RecordKey::from_bytes(&[]), RecordKey::from_bytes(&vec![b'a'; RecordKey::MAX_BYTES + 1])] {
        assert!(try_to_commit(store, Vec::new(), vec![put(&key)]).is_err());
        assert!(try_to_commit(store, Vec::new(), vec![Change::Remove(TABLE, key.clone())]).is_err());
        assert_eq!(store.get(TABLE, &key).unwrap(), None);
        assert!(store.scan(TABLE, &key, Some(&key), 10).unwrap().len() <= 1);
    }
}

/// The part `name` of the memory of a store, in bytes.
fn memory(store: &impl Store, name: &str) -> u64 {
    store.memory().into_iter().find(|(part, _)| *part == name).unwrap().1
}

#[test]
fn a_list_costs_nothing_for_removed_records_after_it() {
    const RECORDS: u64 = 40_000;
    const OUTBOX: Table = Table::Outbox;
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let keys: Vec<RecordKey> =
        (0..RECORDS).map(|number| key(&["bots-1", &format!("conversation-{number:08}"), "k"])).collect();
    for keys in keys.chunks(1_000) {
        let puts = keys.iter().map(|key| Change::Put(OUTBOX, Record::new(key.clone(), "sent")));
        change(&store, puts.collect());
        change(&store, keys.iter().map(|key| Change::Remove(OUTBOX, key.clone())).collect());
    }
    let mine = Record::new(key(&["bots-1", "conversation-", "k"]), "waits");
    change(&store, vec![Change::Put(OUTBOX, mine.clone())]);
    drop(store);

    // What was removed is on the disk, as far as it was written there, and is not read.
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let before = memory(&store, "cache");
    assert_eq!(store.scan(OUTBOX, &key(&["bots-1", "conversation-"]), None, 10).unwrap(), [mine]);
    assert_eq!(store.scan(OUTBOX, &key(&["bots-1", "conversation"]), None, 10).unwrap(), []);
    let read = memory(&store, "cache") - before;
    assert!(read < 64 * 1_024, "{read} bytes were read");
}
