//! Turns a commit into one batch of the tables.

use std::{collections::HashMap, mem};

use fjall::OwnedWriteBatch;
use tertulia_actors::engine::{Change, Commit, Committed, History, Record, RecordKey, StoreError, Table};

use super::{
    expiry, record,
    rows::{Log, Rows},
};
use crate::engine::block::Block;

pub(super) const COMMIT: &str = "commit";

/// The batch for `commit` to a log with the extent `before`, the state of the log afterwards, and the answer.
pub(super) fn batch(
    rows: &Rows,
    commit: &Commit,
    before: History,
) -> Result<(OwnedWriteBatch, Log, Committed), StoreError> {
    let failed = |error: fjall::Error| StoreError::new(COMMIT, error);
    let mut batch = rows.batch();
    let first = before.newest + 1;
    append(rows, commit, first, &mut batch)?;
    // A batch can hold each key once, so only the last change of a key counts.
    let mut records: HashMap<(Table, &RecordKey), Option<&Record>> = HashMap::new();
    let mut not_new = Vec::new();
    for (place, change) in commit.changes.iter().enumerate() {
        match change {
            Change::PutNew(table, record) => {
                let is_there = match records.get(&(*table, &record.key)) {
                    Some(pending) => pending.is_some(),
                    None => rows.of(*table).contains_key(record.key.as_bytes()).map_err(failed)?,
                };
                if is_there {
                    not_new.push(place);
                } else {
                    records.insert((*table, &record.key), Some(record));
                }
            }
            Change::Put(table, record) => drop(records.insert((*table, &record.key), Some(record))),
            Change::Remove(table, key) => drop(records.insert((*table, key), None)),
        }
    }
    for ((table, key), record) in records {
        match record {
            Some(record) => batch.insert(rows.of(table), key.as_bytes(), record::to_bytes(record).as_ref()),
            None => {
                // Its entry would stay for days, and there is one for each durable command.
                let stored = rows.of(table).get(key.as_bytes()).map_err(failed)?;
                if let Some((Some(until), _)) = stored.as_deref().and_then(record::from_bytes) {
                    batch.remove(&rows.expiries, expiry::entry(until, table, key.as_bytes()));
                }
                batch.remove(rows.of(table), key.as_bytes());
            }
        }
        if let Some(until) = record.and_then(|record| record.keep_until) {
            batch.insert(&rows.expiries, expiry::entry(until, table, key.as_bytes()), []);
        }
    }
    let newest = before.newest + commit.events.len() as u64;
    let after = Log { history: History { newest, ..before }, commits: commit.number };
    rows.put_log(&mut batch, &after);
    Ok((batch, after, Committed { first, not_new }))
}

fn append(rows: &Rows, commit: &Commit, first: u64, batch: &mut OwnedWriteBatch) -> Result<(), StoreError> {
    let (mut blocks, mut block) = (Vec::new(), Block::default());
    for (offset, event) in (first..).zip(&commit.events) {
        block.push(offset, event).map_err(|error| StoreError::new(COMMIT, error))?;
        if block.is_full() {
            blocks.push(mem::take(&mut block));
        }
    }
    blocks.push(block);
    for (key, bytes) in blocks.into_iter().filter_map(Block::into_row) {
        batch.insert(&rows.events, key.to_bytes(), bytes);
    }
    Ok(())
}
