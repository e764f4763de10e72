//! Records that are written only if there is none with their key.

use std::{num::NonZeroUsize, sync::Arc};

use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{Change, Journal, MemoryStore, Record, RecordKey, Retention, Store, Table};

use super::{change, commit, events, memory_store, new_events, put, put_new, record};

promises!(
    the_first_of_two_in_one_commit_is_written,
    a_record_that_is_there_stays_and_the_rest_of_the_commit_is_made,
    a_record_that_the_same_commit_removed_or_wrote_counts,
    each_table_has_its_own_keys,
);

const TABLE: Table = Table::Notes;

fn records(store: &dyn Store) -> Vec<Record> {
    store.scan(TABLE, &RecordKey::of(&[]), None, 100).unwrap()
}

fn remove(name: &str) -> Change {
    Change::Remove(TABLE, RecordKey::of(&[name]))
}

fn the_first_of_two_in_one_commit_is_written(store: &impl Store) {
    let committed = change(store, vec![put_new(TABLE, &["a"], "1"), put_new(TABLE, &["a"], "2")]);
    assert_eq!(committed.not_new, [1]);
    assert_eq!(records(store), [record(&["a"], "1")]);
}

fn a_record_that_is_there_stays_and_the_rest_of_the_commit_is_made(store: &impl Store) {
    change(store, vec![put(TABLE, &["a"], "1")]);
    let changes = vec![put(TABLE, &["b"], "2"), put_new(TABLE, &["a"], "2"), put_new(TABLE, &["c"], "2")];
    let committed = commit(store, new_events(1..=2), changes);
    assert_eq!((committed.first, &*committed.not_new), (1, &[1][..]));
    assert_eq!(records(store), [record(&["a"], "1"), record(&["b"], "2"), record(&["c"], "2")]);
    assert_eq!(store.events(0, 10).unwrap(), events(1..=2));
    assert_eq!(change(store, vec![put_new(TABLE, &["a"], "3"), put_new(TABLE, &["b"], "3")]).not_new, [0, 1]);
}

fn a_record_that_the_same_commit_removed_or_wrote_counts(store: &impl Store) {
    change(store, vec![put(TABLE, &["a"], "1"), put(TABLE, &["b"], "1")]);
    let committed = change(
        store,
        vec![
            remove("a"),
            put_new(TABLE, &["a"], "2"),
            put_new(TABLE, &["a"], "3"),
            put(TABLE, &["c"], "2"),
            put_new(TABLE, &["c"], "3"),
            put_new(TABLE, &["d"], "2"),
            remove("d"),
            put_new(TABLE, &["b"], "2"),
            remove("b"),
        ],
    );
    assert_eq!(committed.not_new, [2, 4, 7]);
    assert_eq!(records(store), [record(&["a"], "2"), record(&["c"], "2")]);
}

fn each_table_has_its_own_keys(store: &impl Store) {
    let all = Table::ALL.map(|table| put_new(table, &["a"], table.name()));
    assert_eq!(change(store, all.to_vec()).not_new, [0; 0]);
    assert_eq!(change(store, all.to_vec()).not_new, [0, 1, 2, 3, 4, 5]);
}

const RACES: usize = 100;

fn raced(race: usize, writer: usize) -> Change {
    Change::PutNew(TABLE, Record::new(RecordKey::of(&[&format!("{race:03}")]), writer.to_string()))
}

/// Two tasks write the same new records through `journals`: one of them wins each race, and its record is there.
async fn race(journals: [Arc<Journal>; 2], store: &dyn Store) {
    let writer = |writer: usize| {
        let journal = Arc::clone(&journals[writer]);
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for race in 0..RACES {
                // Each step has a change of its own before, so that the places in a commit and in a step differ.
                let own = Change::Put(Table::Answers, Record::new(RecordKey::of(&["own"]), "x"));
                outcomes.push(journal.keep(vec![own, raced(race, writer)]));
            }
            let mut wins = Vec::new();
            for outcome in outcomes {
                let not_new = outcome.await.unwrap().not_new;
                assert!(not_new.is_empty() || not_new == [1], "{not_new:?}");
                wins.push(not_new.is_empty());
            }
            wins
        })
    };
    let (one, other) = (writer(0), writer(1));
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    let found = records(store);
    assert_eq!(found.len(), RACES);
    for ((one, other), record) in one.into_iter().zip(other).zip(found) {
        assert!(one != other, "exactly one wins {:?}", record.key);
        assert_eq!(record.value, if one { "0" } else { "1" });
    }
    journals.iter().for_each(|journal| journal.close());
}

async fn race_in_one_journal(store: Arc<dyn Store>) {
    let journal = Journal::start(Arc::clone(&store), Retention::default()).unwrap();
    race([Arc::clone(&journal), journal], &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_writers_to_memory_wins() {
    race_in_one_journal(Arc::new(memory_store())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_writers_to_a_disk_wins() {
    let directory = tempfile::tempdir().unwrap();
    race_in_one_journal(Arc::new(EmbeddedStore::open(directory.path()).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_stores_with_the_same_content_wins() {
    let [one, other] = MemoryStore::shared(NonZeroUsize::MAX, 2).try_into().unwrap();
    let stores = [Arc::new(one), Arc::new(other)];
    let journal =
        |store: &Arc<MemoryStore>| Journal::start(Arc::clone(store) as Arc<dyn Store>, Retention::default()).unwrap();
    race([journal(&stores[0]), journal(&stores[1])], &*stores[0]).await;
}
