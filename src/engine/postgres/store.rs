//! The log and the records in the database.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tertulia_actors::{
    core::{id::NodeId, tenure::NodeEpoch, time::Timestamp},
    engine::{
        Cluster, Commit, CommitError, Committed, History, NewEvent, Record, RecordKey, Store, StoreError, Table, Tenure,
    },
};
use tokio_postgres::Row;

use super::{
    OpenError, PostgresCluster,
    changes::{Changes, number},
    connect::Address,
    nodes::{signed, unsigned},
    session::{CallError, Session, Sessions},
    value::{pack, unpack},
};
use crate::engine::block::{self, Block, BlockKey};

/// Sessions for concurrent reads.
const READERS: usize = 4;
/// The pauses between looks for new events of other nodes: short while events come.
const SHORTEST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Rows of the log per read. A row has the events of one commit, up to some megabytes.
const ROWS: i64 = 8;
/// Records that housekeeping deletes at a time, so that no statement takes long.
const DELETE_TOGETHER: i64 = 2_000;
/// The most that one commit may have, in bytes.
const LARGEST_COMMIT: usize = 64 * 1024 * 1024;
/// The code with which the database says that it has forgotten commits.
const FORGOTTEN: &str = "TF003";

/// How often this process found that its database had forgotten commits. Outlives a store: after such a loss the node joins
/// again with another one.
static FORGOTTEN_COMMITS: AtomicU64 = AtomicU64::new(0);

/// The log and the records, for one node that has joined. Other nodes write too.
#[derive(Debug)]
pub struct PostgresStore {
    node: NodeId,
    epoch: NodeEpoch,
    tenure: Tenure,
    cluster: Arc<PostgresCluster>,
    writer: Mutex<Session>,
    tail: Mutex<Tail>,
    readers: Sessions,
    /// The log as this process has last seen it.
    history: Mutex<History>,
    last_commit: AtomicU64,
}

/// Follows the events of other nodes.
#[derive(Debug)]
struct Tail {
    session: Session,
    pause: Duration,
}

impl PostgresStore {
    pub(super) fn start(
        address: &Arc<Address>,
        node: &NodeId,
        epoch: NodeEpoch,
        tenure: Tenure,
        cluster: Arc<PostgresCluster>,
    ) -> Result<Self, OpenError> {
        let session = |name: &str| Session::new(address, &format!("{node} {name}"));
        let readers = (0..READERS).map(|_| session("reader")).collect::<io::Result<_>>()?;
        let mut tail = Tail { session: session("tail")?, pause: SHORTEST_PAUSE };
        let history =
            tail.session.call(async |live| head(&live.one(HEAD, &[]).await?)).map_err(OpenError::unreachable)?;
        Ok(Self {
            node: node.clone(),
            epoch,
            tenure,
            cluster,
            writer: Mutex::new(session("writer")?),
            tail: Mutex::new(tail),
            readers: Sessions::new(readers),
            history: Mutex::new(history),
            last_commit: AtomicU64::new(0),
        })
    }

    fn known(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database lost what it had acknowledged, as after a fail-over to a replica that was behind. Begins a new log, so
    /// that every reader's cursor ends in a gap, and ends this node's tenure, so that the service joins again and every
    /// connection resumes from what is left and from the platform. Other nodes notice the new log and do the same.
    fn forget(&self, session: &mut Session) {
        let epoch = self.known().epoch.to_string();
        tracing::error!(node = %self.node, log = epoch, "the database has forgotten commits that it had acknowledged");
        FORGOTTEN_COMMITS.fetch_add(1, Ordering::Relaxed);
        let sql = "UPDATE log_head SET epoch = to_hex((extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
                   WHERE epoch = $1";
        if let Err(error) = session.call(async |live| live.query(sql, &[&epoch]).await) {
            tracing::error!(%error, "a new log cannot be begun; the next node that notices will do it");
        }
        self.tenure.fenced();
    }

    /// Takes over what a read of the head says; `false` if the log is another one, or went back.
    fn see(&self, before: u64, head: History) -> bool {
        take_over(&mut self.known(), before, head)
    }

    /// Begins a new log if the database has fewer events than this process has seen.
    fn look_for_loss(&self, session: &mut Session) {
        let looked = session.call(async |live| head(&live.one(HEAD, &[]).await?));
        let known = self.history();
        if looked.is_ok_and(|head| head.epoch == known.epoch && head.newest < known.newest) {
            self.forget(session);
        }
    }

    fn is_forgotten(error: &CallError) -> bool {
        matches!(error, CallError::Database(error) if error.code().is_some_and(|code| code.code() == FORGOTTEN))
    }
}

/// Takes over a head that was read; `false` if the log is another one, or went back. The read began when the newest known
/// event was `before`: commits that were acknowledged since then may be newer than what was read.
fn take_over(known: &mut History, before: u64, head: History) -> bool {
    if head.epoch != known.epoch || head.newest < before {
        return false;
    }
    known.newest = known.newest.max(head.newest);
    known.oldest = known.oldest.max(head.oldest);
    true
}

const HEAD: &str = "SELECT epoch, oldest, newest FROM log_head";

fn head(row: &Row) -> Result<History, CallError> {
    Ok(History { epoch: row.get::<_, &str>(0).into(), oldest: unsigned(row.get(1)), newest: unsigned(row.get(2)) })
}

/// Encodes the events of a commit. Their offsets are not known yet, and not part of it.
fn block(events: &[NewEvent]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut block = Block::default();
    for (place, event) in (1..).zip(events) {
        block.push(place, event).map_err(|error| StoreError::new("commit", error))?;
    }
    Ok(block.into_row().map(|(_, bytes)| pack(&bytes)))
}

/// Decodes a row of the log.
fn events_of(row: &Row) -> Result<Vec<(u64, NewEvent)>, CallError> {
    let key = BlockKey::of(unsigned(row.get(0)), unsigned(row.get(1)));
    let events = key.and_then(|key| block::read(key, &unpack(row.get(2))?));
    events.ok_or(CallError::Unexpected("a row of the log that is damaged or of a later version"))
}

/// The smallest key above all keys with this prefix. `None` if the prefix has only bytes of 255: then no key is above.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

impl Store for PostgresStore {
    fn history(&self) -> History {
        self.known().clone()
    }

    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::clone(&self.cluster) as Arc<dyn Cluster>
    }

    fn last_commit(&self) -> u64 {
        self.last_commit.load(Ordering::Acquire)
    }

    fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        commit.check()?;
        if self.tenure.is_over() {
            return Err(CommitError::Fenced);
        }
        if commit.number < self.last_commit() {
            return Err(commit.late(self.last_commit()).into());
        }
        let changes = Changes::of(&commit.changes);
        let block = block(&commit.events)?;
        let size = block.as_ref().map_or(0, Vec::len) + changes.values.iter().map(Vec::len).sum::<usize>();
        if size > LARGEST_COMMIT {
            return Err(StoreError::new("commit", format!("{size} bytes, more than {LARGEST_COMMIT}")).into());
        }
        let duties: Vec<String> = commit.acting.iter().map(|acting| acting.duty.to_string()).collect();
        let tokens: Vec<i64> = commit.acting.iter().map(|acting| signed(acting.token.0)).collect();
        let (node, epoch, number) = (self.node.as_str(), signed(self.epoch.0), signed(commit.number));
        let (after, newest) = (signed(self.last_commit()), signed(self.known().newest));
        let events = signed(commit.events.len() as u64);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let made = writer.call(async |live| {
            let sql = "SELECT first, not_new, lost FROM \
                       commit_step($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
            let Changes { tables, keys, values, untils, kinds, places, .. } = &changes;
            live.one(
                sql,
                &[
                    &node, &epoch, &number, &after, &newest, &duties, &tokens, tables, keys, values, untils, kinds,
                    places, &events, &block,
                ],
            )
            .await
        });
        let row = match made {
            Ok(row) => row,
            Err(CallError::Fenced) => {
                // A database that has forgotten may have forgotten this node too.
                self.look_for_loss(&mut writer);
                self.tenure.fenced();
                return Err(CommitError::Fenced);
            }
            Err(error) if Self::is_forgotten(&error) => {
                self.forget(&mut writer);
                return Err(CommitError::Fenced);
            }
            Err(error) => return Err(error.of("commit").into()),
        };
        if let Some(lost) = row.get::<_, Option<Vec<String>>>(2) {
            return Err(CommitError::Lost(lost.iter().map(|duty| duty.as_str().into()).collect()));
        }
        let first = unsigned(row.get(0));
        self.last_commit.store(commit.number, Ordering::Release);
        let mut known = self.known();
        known.newest = known.newest.max((first + commit.events.len() as u64).saturating_sub(1));
        drop(known);
        let mut not_new = changes.not_new;
        let places: Vec<i32> = row.get(1);
        not_new.extend(places.into_iter().filter_map(|place| usize::try_from(place).ok()));
        not_new.sort_unstable();
        Ok(Committed { first, not_new })
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
        let after = after.max(self.known().oldest.saturating_sub(1));
        let read = self.readers.call(async |live| {
            let mut events: Vec<(u64, NewEvent)> = Vec::new();
            let mut last = after;
            while events.len() < limit {
                let rows = if limit == 1 { 1 } else { ROWS };
                let sql = "SELECT first, last, block FROM log WHERE last > $1 ORDER BY last LIMIT $2";
                let page = live.query(sql, &[&signed(last), &rows]).await?;
                let Some(newest) = page.last() else { break };
                last = unsigned(newest.get(1));
                for row in &page {
                    // What follows was deleted after the page before was read.
                    if events.last().is_some_and(|(last, _)| *last + 1 != unsigned(row.get(0))) {
                        return Ok(events);
                    }
                    events.extend(events_of(row)?.into_iter().filter(|(offset, _)| *offset > after));
                }
            }
            events.truncate(limit);
            Ok(events)
        });
        read.map_err(|error| error.of("read the log"))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn newer(&self, after: u64, within: Duration) -> Result<u64, StoreError> {
        let deadline = Instant::now() + within;
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = self.known().newest;
            let looked = tail.session.call(async |live| head(&live.one(HEAD, &[]).await?));
            let seen = looked.map_err(|error| error.of("look for new events"))?;
            let (newest, is_same_log) = (seen.newest, seen.epoch == self.known().epoch);
            if !self.see(before, seen) {
                if is_same_log {
                    self.forget(&mut tail.session);
                }
                // The events of another log are not this process's: it must join again.
                self.tenure.fenced();
                drop(tail);
                thread::sleep(deadline.saturating_duration_since(Instant::now()));
                return Ok(self.known().newest);
            }
            if newest > after {
                tail.pause = SHORTEST_PAUSE;
                return Ok(newest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(newest);
            }
            thread::sleep(tail.pause.min(left));
            tail.pause = (tail.pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn lost_commits(&self) -> u64 {
        FORGOTTEN_COMMITS.load(Ordering::Relaxed)
    }

    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
        let letters = i64::try_from(letters).unwrap_or(i64::MAX);
        let (oldest, dead) = (signed(oldest), number(Table::DeadLetters));
        let kept = self.readers.call(async |live| {
            let sql =
                "UPDATE log_head SET oldest = greatest(oldest, least($1, newest + 1)) RETURNING epoch, oldest, newest";
            // Without a change nothing is written: commits wait for the row.
            let behind = live.one("SELECT oldest < least($1, newest + 1) FROM log_head", &[&oldest]).await?;
            if behind.get(0) {
                self.see(0, head(&live.one(sql, &[&oldest]).await?)?);
            }
            let mut deleted = 0;
            loop {
                let sql = "DELETE FROM log WHERE last IN (SELECT l.last FROM log l, log_head h WHERE l.last < h.oldest \
                           ORDER BY l.last LIMIT $1) RETURNING 1";
                if live.query(sql, &[&DELETE_TOGETHER]).await?.len() < DELETE_TOGETHER as usize {
                    break;
                }
            }
            loop {
                let sql = "DELETE FROM record WHERE (tab, key) IN (SELECT tab, key FROM record WHERE keep_until <= $1 \
                           ORDER BY keep_until LIMIT $2) RETURNING 1";
                let some = live.query(sql, &[&now.0, &DELETE_TOGETHER]).await?.len();
                deleted += some;
                if some < DELETE_TOGETHER as usize {
                    break;
                }
            }
            loop {
                let sql = "DELETE FROM record WHERE tab = $1 AND key IN (SELECT key FROM record WHERE tab = $1 \
                           ORDER BY key DESC OFFSET $2 LIMIT $3) RETURNING 1";
                let some = live.query(sql, &[&dead, &letters, &DELETE_TOGETHER]).await?.len();
                deleted += some;
                if some < DELETE_TOGETHER as usize {
                    break;
                }
            }
            Ok(deleted)
        });
        kept.map_err(|error| error.of("delete what is old"))
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        let found = self.readers.call(async |live| {
            let sql = "SELECT value FROM record WHERE tab = $1 AND key = $2";
            let rows = live.query(sql, &[&number(table), &key.as_bytes()]).await?;
            rows.first().map(|row| value(row.get(0))).transpose()
        });
        found.map_err(|error| error.of("read a record"))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (begin, end) = (prefix.as_bytes(), end_of(prefix.as_bytes()));
        // No key is below the empty one, so "not below" and "above" differ only where a key is given.
        let after = after.map(RecordKey::as_bytes);
        let found = self.readers.call(async |live| {
            let sql = "SELECT key, value, keep_until FROM record WHERE tab = $1 AND key >= $2 \
                       AND ($3::bytea IS NULL OR key < $3) AND ($4::bytea IS NULL OR key > $4) ORDER BY key LIMIT $5";
            let rows = live.query(sql, &[&number(table), &begin, &end, &after, &limit]).await?;
            rows.iter().map(record).collect::<Result<Vec<_>, _>>()
        });
        found.map_err(|error| error.of("read records"))
    }

    fn measure(&self, table: Table, prefix: &RecordKey, limit: usize) -> Result<(usize, u64), StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (begin, end) = (prefix.as_bytes(), end_of(prefix.as_bytes()));
        let measured = self.readers.call(async |live| {
            // The length of a large value is known without reading the value.
            let sql = "SELECT count(*), coalesce(sum(r.bytes), 0)::bigint FROM (SELECT octet_length(value) AS bytes \
                       FROM record WHERE tab = $1 AND key >= $2 AND ($3::bytea IS NULL OR key < $3) LIMIT $4) r";
            live.one(sql, &[&number(table), &begin, &end, &limit]).await
        });
        let row = measured.map_err(|error| error.of("measure records"))?;
        Ok((usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX), unsigned(row.get(1))))
    }

    fn count(&self, table: Table) -> Result<usize, StoreError> {
        let counted = self.readers.call(async |live| {
            let sql = "SELECT count(*) FROM record WHERE tab = $1";
            Ok(unsigned(live.one(sql, &[&number(table)]).await?.get(0)))
        });
        counted.map(|count| usize::try_from(count).unwrap_or(usize::MAX)).map_err(|error| error.of("count records"))
    }

    fn check(&self) -> Result<(), StoreError> {
        let looked = self.readers.call(async |live| live.one(HEAD, &[]).await);
        looked.map(drop).map_err(|error| error.of("answer"))
    }
}

fn value(stored: &[u8]) -> Result<Bytes, CallError> {
    unpack(stored).ok_or(CallError::Unexpected("a record that is damaged or of a later version"))
}

fn record(row: &Row) -> Result<Record, CallError> {
    Ok(Record {
        key: RecordKey::from_bytes(row.get(0)),
        value: value(row.get(1))?,
        keep_until: row.get::<_, Option<i64>>(2).map(Timestamp),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_above_all_its_keys() {
        assert_eq!(end_of(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end_of(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(end_of(b"\xff"), None);
        assert_eq!(end_of(b""), None);
    }

    fn history(epoch: &str, newest: u64) -> History {
        History { epoch: epoch.into(), oldest: 1, newest }
    }

    #[test]
    fn a_commit_acknowledged_during_a_read_is_not_a_forgotten_one() {
        let mut known = history("e", 7);
        assert!(take_over(&mut known, 5, history("e", 6)), "the read began before event 7 was acknowledged");
        assert_eq!(known, history("e", 7));
        assert!(take_over(&mut known, 7, history("e", 9)));
        assert_eq!(known, history("e", 9));
        assert!(!take_over(&mut known, 9, history("e", 8)) && !take_over(&mut known, 9, history("f", 9)));
        assert_eq!(known, history("e", 9));
    }
}
