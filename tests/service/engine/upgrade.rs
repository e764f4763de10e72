//! A store that the version before wrote opens with this one: `format-1.tar.gz` has the directory of a service that was
//! killed, and the events that the service sent to its readers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use serde_json::Value;
use tempfile::TempDir;
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{Change, Commit, Journal, LogBatch, Record, RecordKey, Retention, Store, Table},
};

use super::{commit, event, put_new};

/// The log of the archive.
const EPOCH: &str = "661750a89c54e";
const NEWEST: u64 = 38;
const COMMITS: u64 = 34;

/// The archive, unpacked.
struct Old {
    directory: TempDir,
}

impl Old {
    fn unpack() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/engine/format-1.tar.gz");
        let status = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(directory.path()).status().unwrap();
        assert!(status.success());
        assert_eq!(fs::read_to_string(directory.path().join("store/format")).unwrap(), "tertulia store 1\n");
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    fn open(&self) -> EmbeddedStore {
        EmbeddedStore::open(&self.path()).unwrap()
    }

    /// The events as the version before served them.
    fn served(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("events.ndjson")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// The records of a table, by the parts of their keys.
fn records(store: &EmbeddedStore, table: Table) -> Vec<(Vec<String>, Record)> {
    let records = store.scan(table, &RecordKey::of(&[]), None, usize::MAX).unwrap();
    records.into_iter().map(|record| (record.key.parts().unwrap(), record)).collect()
}

/// The JSON of the events after `after`, as a reader of `store` gets it.
async fn read(store: EmbeddedStore, after: u64) -> Vec<String> {
    let journal = Journal::start(Arc::new(store), Retention::default()).unwrap();
    let (mut log, mut read) = (journal.reader(after), Vec::new());
    while log.after() < journal.newest() {
        match log.next().await.unwrap().unwrap() {
            LogBatch::Events(events) => read.extend(events),
            missing => panic!("{missing:?}"),
        }
    }
    journal.close();
    read.iter().map(|event| String::from_utf8(event.json.to_vec()).unwrap()).collect()
}

/// A day in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000;

#[tokio::test]
async fn readers_get_the_events_that_the_version_before_served() {
    let old = Old::unpack();
    let store = old.open();
    let history = store.history();
    assert_eq!((&*history.epoch, history.oldest, history.newest), (EPOCH, 1, NEWEST));
    assert_eq!(store.last_commit(), COMMITS);
    let read = read(store, 0).await;
    assert_eq!(read.len() as u64, NEWEST);
    assert_eq!(read, old.served());
}

#[tokio::test]
async fn events_of_both_versions_have_one_specversion_and_one_id() {
    let old = Old::unpack();
    let store = old.open();
    assert_eq!(commit(&store, vec![event(NEWEST + 1)], Vec::new()).first, NEWEST + 1);
    drop(store);
    let read = read(old.open(), NEWEST - 1).await;
    let new = format!(r#"{{"specversion":"1.0","id":"{EPOCH}-39","offset":39}}"#);
    assert_eq!(read, [old.served().pop().unwrap(), new]);
}

#[test]
fn records_are_read_and_get_the_times_until_which_they_are_kept() {
    let old = Old::unpack();
    let store = old.open();
    for (table, count) in [(Table::Snapshots, 3), (Table::Outbox, 1), (Table::Answers, 3), (Table::DeadLetters, 2)] {
        assert_eq!(records(&store, table).len(), count, "{table:?}");
    }
    let names = |table| records(&store, table).into_iter().map(|(mut parts, _)| parts.pop().unwrap());
    assert_eq!(names(Table::Outbox).collect::<Vec<_>>(), ["waits"]);
    let mut answers: Vec<_> = names(Table::Answers).collect();
    answers.sort();
    assert_eq!(answers, ["k0", "k1", "k2"]);
    assert!(records(&store, Table::Notes).iter().any(|(parts, _)| parts[0] == "webhook"));

    let all = || Table::ALL.map(|table| records(&store, table));
    let before = all();
    for (table, records) in Table::ALL.into_iter().zip(&before) {
        for (_, record) in records {
            let value: Value = serde_json::from_slice(&record.value).unwrap();
            let after = |member: &str, days: i64| value[member].as_i64().map(|time| Timestamp(time + days * DAY));
            let expected = match table {
                Table::Answers => after("at", 1),
                Table::Outbox => after("deadline", 7),
                Table::Snapshots if value["held"] == false => after("at", 7),
                _ => None,
            };
            assert_eq!(record.keep_until, expected, "{record:?}");
        }
    }
    let times: Vec<i64> = before.iter().flatten().filter_map(|(_, record)| Some(record.keep_until?.0)).collect();
    let first = times.iter().min().unwrap();
    assert_eq!(store.keep_house(Timestamp(first - 1), 0, usize::MAX).unwrap(), 0, "nothing is over");
    assert_eq!(all(), before);
    let there = before[Table::Snapshots as usize][0].1.clone();
    let changes = vec![Change::PutNew(Table::Snapshots, there), put_new(Table::Snapshots, &["new"], "{}")];
    assert_eq!(commit(&store, Vec::new(), changes).not_new, [0]);
    assert_eq!(store.keep_house(Timestamp(i64::MAX), 0, usize::MAX).unwrap(), times.len());
}

#[test]
fn the_store_goes_on_in_the_present_format() {
    let old = Old::unpack();
    drop(old.open());
    // Older versions refuse this format.
    assert_eq!(fs::read_to_string(old.path().join("format")).unwrap(), "tertulia store 2\n");
    let store = old.open();
    let (table, snapshot) = (Table::Snapshots, records(&store, Table::Snapshots)[0].1.clone());
    let over = Record { value: "{}".into(), ..snapshot.clone() }.until(Timestamp(10));
    let next = Commit {
        number: COMMITS + 1,
        events: vec![event(39)],
        changes: vec![Change::Put(table, over.clone())],
        ..Commit::default()
    };
    assert_eq!(store.commit(&next).unwrap().first, 39);
    assert!(records(&store, table).iter().any(|(_, record)| *record == over));
    drop(store);

    let store = old.open();
    assert_eq!(store.keep_house(Timestamp(10), 30, 1).unwrap(), 2);
    assert_eq!((store.history().oldest, store.history().newest), (30, 39));
    assert_eq!(store.events(38, 10).unwrap(), [(39, event(39))]);
    assert_eq!(store.get(table, &snapshot.key).unwrap(), None);
    assert_eq!((records(&store, table).len(), records(&store, Table::DeadLetters).len()), (2, 1));
    drop(store);
    assert_eq!(old.open().history().oldest, 30);
}
