//! Damage to the files of an embedded store is reported or does no harm. It never causes a panic, and no acknowledged
//! record or event is missing without a report.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{
    Change, Commit, Journal, LogBatch, NewEvent, Record, RecordKey, Retention, Store, Table,
};

use super::event;

/// Events of a commit.
const TOGETHER: u64 = 60;

/// How long something may take that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// A byte, at so many thirds of the file, is another.
    Byte(u64),
    Lost,
}

/// A closed store and what it holds.
struct Written {
    directory: tempfile::TempDir,
    commits: Vec<Commit>,
}

impl Written {
    /// Writes so many commits, each event with so many bytes.
    fn new(commits: u64, bytes: usize) -> Self {
        Self::closed_once(commits, bytes, |_| true)
    }

    /// The same, closed once its files are so.
    fn closed_once(commits: u64, bytes: usize, are_so: impl Fn(&[PathBuf]) -> bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let commits: Vec<_> = (0..commits).map(|number| commit(number, bytes)).collect();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        for commit in &commits {
            store.commit(commit).unwrap();
        }
        let asked = Instant::now();
        while !are_so(&files(directory.path())) {
            assert!(asked.elapsed() < PATIENCE, "the store made no such file");
            thread::sleep(Duration::from_millis(10));
        }
        drop(store);
        let written = Self { directory, commits };
        written.check(written.directory.path()).unwrap();
        written
    }

    /// Its files, below its directory.
    fn files(&self) -> Vec<PathBuf> {
        let whole = self.directory.path();
        files(whole).into_iter().map(|file| file.strip_prefix(whole).unwrap().to_owned()).collect()
    }

    /// Opens the store in `directory`, which is this one after some damage, and reads all there is. What it says of
    /// the damage, if it says so.
    fn check(&self, directory: &Path) -> Result<(), String> {
        let store = EmbeddedStore::open(directory).map_err(|error| error.to_string())?;
        let read = store.events(0, usize::MAX).map_err(|error| error.to_string())?;
        let records = store.scan(Table::Snapshots, &RecordKey::of(&[]), None, 10).map_err(|error| error.to_string())?;
        let events = self.commits.iter().flat_map(|commit| &commit.events);
        assert!(read.into_iter().eq((1..).zip(events.cloned())), "events were lost or changed without a word");
        assert_eq!(records, [record(self.commits.len() as u64 - 1)], "a record was lost or changed without a word");
        Ok(())
    }

    /// What a copy reports about damage of one of its files.
    fn damaged(&self, file: &Path, damage: Damage) -> Result<(), String> {
        let copy = tempfile::tempdir().unwrap();
        for file in self.files() {
            let copied = copy.path().join(&file);
            fs::create_dir_all(copied.parent().unwrap()).unwrap();
            fs::copy(self.directory.path().join(file), copied).unwrap();
        }
        let file = copy.path().join(file);
        match damage {
            Damage::Byte(thirds) => flip(&file, fs::metadata(&file).unwrap().len() * thirds / 3),
            Damage::Lost => fs::remove_file(&file).unwrap(),
        }
        self.check(copy.path())
    }
}

fn commit(number: u64, bytes: usize) -> Commit {
    let first = number * TOGETHER + 1;
    let events =
        (first..first + TOGETHER).map(|offset| NewEvent { json: noise(offset, bytes).into(), ..event(offset) });
    let changes = vec![Change::Put(Table::Snapshots, record(number))];
    Commit { number: number + 1, events: events.collect(), changes, ..Commit::default() }
}

fn record(number: u64) -> Record {
    Record::new(RecordKey::of(&["bots-1", "1"]), noise(number, 2_000))
}

/// Bytes that cannot be compressed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next()).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

fn flip(file: &Path, place: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 0x5a], place).unwrap();
}

#[test]
fn damage_of_any_file_is_reported_or_does_no_harm() {
    let written = Written::new(3, 100);
    let mut told = 0;
    for file in written.files() {
        // The last tables have the same files as the one before.
        if (5..9).any(|table| file.starts_with(format!("data/keyspaces/{table}"))) {
            continue;
        }
        for damage in [Damage::Byte(1), Damage::Byte(2), Damage::Lost] {
            let is_empty = fs::metadata(written.directory.path().join(&file)).unwrap().len() == 0;
            if !(is_empty && matches!(damage, Damage::Byte(_))) {
                told += usize::from(written.damaged(&file, damage).is_err());
            }
        }
    }
    assert!(told >= 20, "{told} times");
}

#[test]
fn a_journal_that_lost_its_end_or_its_beginning_is_reported() {
    let written = Written::new(3, 100);
    let journal = Path::new("data/0.jnl");
    for damage in [Damage::Byte(0), Damage::Byte(1), Damage::Byte(2), Damage::Lost] {
        let error = written.damaged(journal, damage).unwrap_err();
        assert!(error.contains("is damaged"), "{damage:?}: {error}");
    }
    let copy = Written::new(3, 100);
    let journal = OpenOptions::new().write(true).open(copy.directory.path().join(journal)).unwrap();
    journal.set_len(journal.metadata().unwrap().len() - 1).unwrap();
    let error = copy.check(copy.directory.path()).unwrap_err();
    assert!(error.ends_with("is damaged: 3 commits were acknowledged, but only the first 2 are there"), "{error}");
}

#[test]
fn damaged_events_are_reported_when_they_are_read() {
    // So many that they get a file of their own, beside the journal. A store that is closed before it had time for it
    // leaves them in the journal until more is written.
    let in_blobs = |file: &PathBuf| file.parent().unwrap().ends_with("blobs");
    let written = Written::closed_once(20, 20_000, |files| files.iter().any(in_blobs));
    let events = written.files().into_iter().find(in_blobs).unwrap();
    let error = written.damaged(&events, Damage::Byte(1)).unwrap_err();
    assert!(error.starts_with("the store could not read events"), "{error}");
    let error = written.damaged(&events, Damage::Lost).unwrap_err();
    assert!(error.contains("is damaged"), "{error}");
}

#[tokio::test]
async fn readers_pass_damaged_events_and_are_told_how_many() {
    let in_blobs = |file: &PathBuf| file.parent().unwrap().ends_with("blobs");
    let written = Written::closed_once(20, 20_000, |files| files.iter().any(in_blobs));
    let blobs = written.files().into_iter().find(in_blobs).unwrap();
    let blobs = written.directory.path().join(blobs);
    flip(&blobs, fs::metadata(&blobs).unwrap().len() / 2);

    let store = Arc::new(EmbeddedStore::open(written.directory.path()).unwrap());
    assert_eq!(store.damaged(), 0, "nobody has read them");
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let (mut log, mut read, mut passed) = (journal.reader(0), Vec::new(), Vec::new());
    while log.after() < journal.newest() {
        let before = log.after();
        match log.next().await.unwrap().unwrap() {
            LogBatch::Events(events) => read.extend(events.iter().map(|event| event.offset)),
            LogBatch::Damaged { events } => passed.extend(before + 1..=before + events),
            LogBatch::Forgotten { events } => panic!("{events} were not forgotten"),
        }
    }
    // A row holds as many events as fit into 64 KiB.
    assert!((1..=4).contains(&passed.len()), "{passed:?}");
    let whole: Vec<u64> = (1..=20 * TOGETHER).filter(|offset| !passed.contains(offset)).collect();
    assert_eq!(read, whole, "all others are read, in order");
    assert_eq!(journal.damaged(), passed.len() as u64);

    // A later read reports the same damage, and counts it once.
    assert_eq!(store.damage(0).unwrap(), Some(passed[0]..=passed[passed.len() - 1]));
    assert_eq!(store.event(passed[0]).unwrap(), None);
    assert_eq!(store.event(whole[0]).unwrap().map(|event| event.offset), Some(whole[0]));
    assert_eq!(journal.damaged(), passed.len() as u64);
    journal.close();
}
