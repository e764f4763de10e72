//! The tables of a store on the disk, a log-structured merge tree (fjall): opening them, and checking that they are
//! complete.

use std::{fs::File, io, path::Path};

use fjall::{
    AbstractTree, Database, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, OwnedWriteBatch,
    PersistMode, Snapshot, config::PinningPolicy,
};
use tertulia_actors::engine::{History, Table};

use crate::engine::block::{self, BlockKey};

const MIB: u64 = 1024 * 1024;
/// The cache of recently read blocks, shared by all tables.
const CACHE: u64 = 16 * MIB;
/// The bytes written before the oldest of them must be sorted. A start after a crash reads this much again.
const JOURNAL: u64 = 128 * MIB;
/// What each table collects in memory before it writes a file. Larger tables make fixed commits of 100 steps up to
/// twice as fast, and commits as the journal makes them hardly faster. They also free and take tens of MiB at a time,
/// and the memory of a service with little else to hold never settles.
const EVENTS_IN_MEMORY: u64 = MIB;
const SNAPSHOTS_IN_MEMORY: u64 = 2 * MIB;
const OTHERS_IN_MEMORY: u64 = MIB / 4;

const EVENTS: &str = "events";
const ABOUT: &str = "about";
/// The index of records by the time until which they are kept. The first format of the store had none.
const EXPIRIES: &str = "expiries";
/// The key of the epoch in [`ABOUT`].
const EPOCH: &str = "epoch";
/// The key in [`ABOUT`] of the oldest and newest event and the number of commits, written with every commit.
const LOG: &str = "log";

/// Why the tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TablesError {
    /// The data contradicts itself.
    #[error("the data is damaged: {0}")]
    Damaged(String),
    /// The system refused an operation.
    #[error("the tables cannot be opened: {0}")]
    System(io::Error),
}

impl From<fjall::Error> for TablesError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<io::Error> for TablesError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A file that the tables wrote is missing or changed.
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Self::Damaged(error.to_string())
            }
            _ => Self::System(error),
        }
    }
}

/// The state of the log, as recorded in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) history: History,
    /// The number of the last commit.
    pub(super) commits: u64,
}

/// The tables.
pub(super) struct Rows {
    pub(super) events: Keyspace,
    /// By [`Table`], in the order of [`Table::ALL`].
    records: Vec<Keyspace>,
    pub(super) expiries: Keyspace,
    about: Keyspace,
    database: Database,
}

impl Rows {
    /// Creates the tables of an empty log in `directory`, which must exist and be empty. When this returns, they are
    /// durable and closed.
    pub(super) fn make(directory: &Path) -> Result<(), TablesError> {
        let rows = Self::create(directory)?;
        let log = Log { history: History::begun(jiff::Timestamp::now()), commits: 0 };
        let mut batch = rows.batch();
        batch.insert(&rows.about, EPOCH, log.history.epoch.as_bytes());
        rows.put_log(&mut batch, &log);
        batch.commit()?;
        drop(rows);
        Ok(File::open(directory)?.sync_all()?)
    }

    /// Creates empty tables in `directory`, without a log.
    pub(super) fn create(directory: &Path) -> Result<Self, TablesError> {
        Self::of_database(builder(directory).open()?)
    }

    /// Every table, in the same order for every store.
    pub(super) fn all(&self) -> impl Iterator<Item = &Keyspace> {
        self.records.iter().chain([&self.events, &self.expiries, &self.about])
    }

    /// Opens the tables in `directory` and checks that the log is complete. A missing table is damage, except the tables
    /// that the first version did not have, which are created: the index of expiries and the inbox.
    pub(super) fn open(directory: &Path) -> Result<(Self, Log), TablesError> {
        let database = Database::recover(builder(directory).into_config())?;
        let tables = Table::ALL.iter().filter(|table| **table != Table::Inbox);
        let mut names = tables.map(|table| table.name()).chain([EVENTS, ABOUT]);
        if let Some(lost) = names.find(|name| !database.keyspace_exists(name)) {
            return Err(TablesError::Damaged(format!("its table {lost} is missing")));
        }
        let rows = Self::of_database(database)?;
        let log = rows.log()?;
        rows.check(&log.history)?;
        Ok((rows, log))
    }

    /// The tables of a database; missing tables are created.
    fn of_database(database: Database) -> Result<Self, TablesError> {
        // The values of events are stored apart from their keys, so that reading only the keys is cheap.
        let apart = || options(EVENTS_IN_MEMORY).with_kv_separation(Some(KvSeparationOptions::default()));
        let about = database.keyspace(ABOUT, || options(OTHERS_IN_MEMORY))?;
        let events = database.keyspace(EVENTS, apart)?;
        let expiries = database.keyspace(EXPIRIES, || options(OTHERS_IN_MEMORY))?;
        let mut records = Vec::with_capacity(Table::ALL.len());
        for table in Table::ALL {
            let memory = if table == Table::Snapshots { SNAPSHOTS_IN_MEMORY } else { OTHERS_IN_MEMORY };
            records.push(database.keyspace(table.name(), || options(memory))?);
        }
        Ok(Self { events, records, expiries, about, database })
    }

    pub(super) fn of(&self, table: Table) -> &Keyspace {
        &self.records[table as usize]
    }

    /// A batch of changes that are committed together and durable then.
    pub(super) fn batch(&self) -> OwnedWriteBatch {
        self.database.batch().durability(Some(PersistMode::SyncData))
    }

    /// The committed state. Reading a table directly would also show a partly applied batch, and so would a snapshot if
    /// a table is sorted while the batch is applied. Whoever needs whole batches takes the snapshot between two writes.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.database.snapshot()
    }

    /// Makes all earlier writes durable.
    pub(super) fn persist(&self) -> Result<(), fjall::Error> {
        self.database.persist(PersistMode::SyncAll)
    }

    /// The memory of the tables, by part.
    pub(super) fn memory(&self) -> Vec<(&'static str, u64)> {
        let mut parts = vec![("cache", self.database.cache_size())];
        let tables = || self.all().map(|keyspace| &keyspace.tree);
        let mut part = |name, bytes| parts.push((name, bytes));
        part("memtables", tables().map(AbstractTree::version_memtable_size_sum).sum());
        part("indexes", tables().map(|tree| tree.pinned_block_index_size() as u64).sum());
        part("filters", tables().map(|tree| tree.pinned_filter_size() as u64).sum());
        parts
    }

    /// Adds the state of the log to `batch`.
    pub(super) fn put_log(&self, batch: &mut OwnedWriteBatch, Log { history, commits }: &Log) {
        let numbers = [history.oldest, history.newest, *commits].map(u64::to_be_bytes);
        batch.insert(&self.about, LOG, numbers.as_flattened());
    }

    /// The recorded state of the log.
    pub(super) fn log(&self) -> Result<Log, TablesError> {
        let (epoch, log) = (self.about.get(EPOCH)?, self.about.get(LOG)?);
        let epoch = epoch.as_deref().and_then(|epoch| std::str::from_utf8(epoch).ok());
        let numbers = log.as_deref().map(|log| log.as_chunks().0.iter().copied().map(u64::from_be_bytes));
        match (epoch, numbers.map(Vec::from_iter).as_deref()) {
            (Some(epoch), Some(&[oldest, newest, commits])) if (1..=newest + 1).contains(&oldest) => {
                Ok(Log { history: History { epoch: epoch.into(), oldest, newest }, commits })
            }
            _ => Err(TablesError::Damaged("the description of its log cannot be read".to_owned())),
        }
    }

    /// Checks that the rows of events cover every event from the oldest to the newest, and that the newest row can be
    /// read.
    fn check(&self, history: &History) -> Result<(), TablesError> {
        let mut next = history.oldest;
        for row in self.events.range(history.oldest.to_be_bytes()..) {
            let key = row.key()?;
            let Some(block) = BlockKey::from_bytes(&key) else {
                return Err(TablesError::Damaged(format!("the row after event {} has no valid key", next - 1)));
            };
            // The oldest row may begin with events that were dropped from the log.
            let follows = block.first() == next || (next == history.oldest && block.first() < next);
            if !follows {
                let first = block.first();
                return Err(TablesError::Damaged(format!("event {next} is missing: the next event found is {first}")));
            }
            next = block.last.saturating_add(1);
        }
        if next != history.newest.saturating_add(1) {
            let (newest, last) = (history.newest, next - 1);
            return Err(TablesError::Damaged(format!("its newest event should be {newest} but is {last}")));
        }
        if history.oldest <= history.newest
            && let Some(row) = self.events.last_key_value()
        {
            let (key, bytes) = row.into_inner()?;
            if BlockKey::from_bytes(&key).and_then(|key| block::read(key, &bytes)).is_none() {
                return Err(TablesError::Damaged("its newest events cannot be read".to_owned()));
            }
        }
        Ok(())
    }
}

fn builder(directory: &Path) -> DatabaseBuilder<Database> {
    Database::builder(directory).cache_size(CACHE).max_journaling_size(JOURNAL).worker_threads(1)
}

/// Indexes and filters of the newest files stay in memory. Those of other files are read through the cache, so that
/// memory does not grow with the store.
fn options(in_memory: u64) -> KeyspaceCreateOptions {
    let newest = PinningPolicy::new([true, false]);
    KeyspaceCreateOptions::default()
        .max_memtable_size(in_memory)
        .index_block_pinning_policy(newest.clone())
        .filter_block_pinning_policy(newest)
}
