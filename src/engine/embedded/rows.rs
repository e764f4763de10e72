//! The tables of a store on the disk, a log-structured merge tree (fjall): opening them, and whether they are whole.

use std::{fs::File, io, path::Path};

use fjall::{
    AbstractTree, Database, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, OwnedWriteBatch,
    PersistMode, Snapshot, config::PinningPolicy,
};
use tertulia_actors::engine::{History, StorePart, Table};

use super::block::{self, BlockKey};

const MIB: u64 = 1024 * 1024;
/// What was read lately, of all tables together.
const CACHE: u64 = 16 * MIB;
/// How much is written before the oldest of it must be sorted: what a start after a crash reads again.
const JOURNAL: u64 = 128 * MIB;
const EVENTS_IN_MEMORY: u64 = 8 * MIB;
const SNAPSHOTS_IN_MEMORY: u64 = 16 * MIB;
const OTHERS_IN_MEMORY: u64 = 2 * MIB;

const EVENTS: &str = "events";
const ABOUT: &str = "about";
/// In [`ABOUT`]: the epoch.
const EPOCH: &str = "epoch";
/// In [`ABOUT`]: the oldest and the newest event and the number of commits, written with every commit.
const LOG: &str = "log";

/// Why the tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// They contradict themselves.
    #[error("the data is damaged: {0}")]
    Damaged(String),
    /// The system did not allow it.
    #[error("the tables cannot be opened: {0}")]
    System(io::Error),
}

impl From<fjall::Error> for Failure {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What it wrote is not there, or not as it wrote it.
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Self::Damaged(error.to_string())
            }
            _ => Self::System(error),
        }
    }
}

/// What the tables say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) history: History,
    /// The commits that were made.
    pub(super) commits: u64,
}

/// The tables.
pub(super) struct Rows {
    pub(super) events: Keyspace,
    /// By [`Table`], in the order of [`Table::ALL`].
    records: Vec<Keyspace>,
    about: Keyspace,
    database: Database,
}

impl Rows {
    /// Makes the tables of an empty log in `directory`, which must exist and be empty. They are durable and closed when
    /// it returns.
    pub(super) fn make(directory: &Path) -> Result<(), Failure> {
        let rows = Self::create(directory)?;
        let log = Log { history: History::begun(jiff::Timestamp::now()), commits: 0 };
        let mut batch = rows.batch();
        batch.insert(&rows.about, EPOCH, log.history.epoch.as_bytes());
        rows.put_log(&mut batch, &log);
        batch.commit()?;
        drop(rows);
        Ok(File::open(directory)?.sync_all()?)
    }

    /// Makes empty tables in `directory`, without a log.
    pub(super) fn create(directory: &Path) -> Result<Self, Failure> {
        Self::of_database(builder(directory).open()?)
    }

    /// Every table, in the same order for every store.
    pub(super) fn all(&self) -> impl Iterator<Item = &Keyspace> {
        self.records.iter().chain([&self.events, &self.about])
    }

    /// Opens the tables in `directory` and checks that the log is whole. Makes nothing: what is missing is damage.
    pub(super) fn open(directory: &Path) -> Result<(Self, Log), Failure> {
        let database = Database::recover(builder(directory).into_config())?;
        let mut names = Table::ALL.iter().map(|table| table.name()).chain([EVENTS, ABOUT]);
        if let Some(lost) = names.find(|name| !database.keyspace_exists(name)) {
            return Err(Failure::Damaged(format!("its table {lost} is missing")));
        }
        let rows = Self::of_database(database)?;
        let log = rows.log()?;
        rows.check(&log.history)?;
        Ok((rows, log))
    }

    /// The tables of a database, which are made where they are missing.
    fn of_database(database: Database) -> Result<Self, Failure> {
        // Rows of events are kept apart from their keys: reading the keys alone is reading little.
        let apart = || options(EVENTS_IN_MEMORY).with_kv_separation(Some(KvSeparationOptions::default()));
        let about = database.keyspace(ABOUT, || options(OTHERS_IN_MEMORY))?;
        let events = database.keyspace(EVENTS, apart)?;
        let mut records = Vec::with_capacity(Table::ALL.len());
        for table in Table::ALL {
            let memory = if table == Table::Snapshots { SNAPSHOTS_IN_MEMORY } else { OTHERS_IN_MEMORY };
            records.push(database.keyspace(table.name(), || options(memory))?);
        }
        Ok(Self { events, records, about, database })
    }

    pub(super) fn of(&self, table: Table) -> &Keyspace {
        &self.records[table as usize]
    }

    /// Changes that are made together and are durable once they are committed.
    pub(super) fn batch(&self) -> OwnedWriteBatch {
        self.database.batch().durability(Some(PersistMode::SyncData))
    }

    /// What was committed. Reading a table itself also shows the part of a batch that was made so far.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.database.snapshot()
    }

    /// Makes durable what was made, once more.
    pub(super) fn persist(&self) -> Result<(), fjall::Error> {
        self.database.persist(PersistMode::SyncAll)
    }

    /// The memory of the tables, by part.
    pub(super) fn memory(&self) -> Vec<StorePart> {
        let mut parts = vec![StorePart { name: "cache", bytes: self.database.cache_size() }];
        let tables = || self.all().map(|keyspace| &keyspace.tree);
        let mut part = |name, bytes| parts.push(StorePart { name, bytes });
        part("memtables", tables().map(AbstractTree::version_memtable_size_sum).sum());
        part("indexes", tables().map(|tree| tree.pinned_block_index_size() as u64).sum());
        part("filters", tables().map(|tree| tree.pinned_filter_size() as u64).sum());
        parts
    }

    /// Adds to `batch` what is said of the log.
    pub(super) fn put_log(&self, batch: &mut OwnedWriteBatch, Log { history, commits }: &Log) {
        let numbers = [history.oldest, history.newest, *commits].map(u64::to_be_bytes);
        batch.insert(&self.about, LOG, numbers.as_flattened());
    }

    /// What is said of the log.
    pub(super) fn log(&self) -> Result<Log, Failure> {
        let (epoch, log) = (self.about.get(EPOCH)?, self.about.get(LOG)?);
        let epoch = epoch.as_deref().and_then(|epoch| std::str::from_utf8(epoch).ok());
        let numbers = log.as_deref().map(|log| log.as_chunks().0.iter().copied().map(u64::from_be_bytes));
        match (epoch, numbers.map(Vec::from_iter).as_deref()) {
            (Some(epoch), Some(&[oldest, newest, commits])) if (1..=newest + 1).contains(&oldest) => {
                Ok(Log { history: History { epoch: epoch.into(), oldest, newest }, commits })
            }
            _ => Err(Failure::Damaged("the description of its log cannot be read".to_owned())),
        }
    }

    /// The rows of events follow each other without a hole from the oldest event to the newest, and the newest row can
    /// be read.
    fn check(&self, history: &History) -> Result<(), Failure> {
        let mut next = history.oldest;
        for row in self.events.range(history.oldest.to_be_bytes()..) {
            let key = row.key()?;
            let Some(block) = BlockKey::from_bytes(&key) else {
                return Err(Failure::Damaged(format!("the row after event {} has no valid key", next - 1)));
            };
            // The oldest row may begin with events that are forgotten.
            let follows = block.first() == next || (next == history.oldest && block.first() < next);
            if !follows {
                let first = block.first();
                return Err(Failure::Damaged(format!("event {next} is missing: the next event found is {first}")));
            }
            next = block.last.saturating_add(1);
        }
        if next != history.newest.saturating_add(1) {
            let (newest, last) = (history.newest, next - 1);
            return Err(Failure::Damaged(format!("its newest event should be {newest} but is {last}")));
        }
        if history.oldest <= history.newest
            && let Some(row) = self.events.last_key_value()
        {
            let (key, bytes) = row.into_inner()?;
            if BlockKey::from_bytes(&key).and_then(|key| block::read(key, &bytes)).is_none() {
                return Err(Failure::Damaged("its newest events cannot be read".to_owned()));
            }
        }
        Ok(())
    }
}

fn builder(directory: &Path) -> DatabaseBuilder<Database> {
    Database::builder(directory).cache_size(CACHE).max_journaling_size(JOURNAL).worker_threads(1)
}

/// Indexes and filters of the newest files stay in memory. Those of other files are read through the cache, so that memory
/// does not grow with the store.
fn options(in_memory: u64) -> KeyspaceCreateOptions {
    let newest = PinningPolicy::new([true, false]);
    KeyspaceCreateOptions::default()
        .max_memtable_size(in_memory)
        .index_block_pinning_policy(newest.clone())
        .filter_block_pinning_policy(newest)
}
