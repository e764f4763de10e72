//! Turns changes into one batch of the tables.

use std::{collections::HashMap, mem};

use fjall::OwnedWriteBatch;
use tertulia_actors::engine::{Change, History, StoreError};

use super::{
    block::Block,
    rows::{Log, Rows},
};

pub(super) const COMMIT: &str = "commit";

/// The batch for `changes` to a log with the state `before`, which results in the state `after`.
pub(super) fn batch(
    rows: &Rows,
    changes: &[Change],
    before: &History,
    after: &Log,
) -> Result<OwnedWriteBatch, StoreError> {
    let mut batch = rows.batch();
    let (mut blocks, mut block, mut records) = (Vec::new(), Block::default(), HashMap::new());
    for change in changes {
        match change {
            // Events that the same changes drop are not written.
            Change::Append(event) if event.offset >= after.history.oldest => {
                block.push(event).map_err(|error| StoreError::new(COMMIT, error))?;
                if block.is_full() {
                    blocks.push(mem::take(&mut block));
                }
            }
            Change::Append(_) | Change::Trim { .. } => {}
            // A batch can hold each key once, so only the last change of a key counts.
            Change::Put(table, record) => {
                records.insert((*table, &record.key), Some(&record.value));
            }
            Change::Remove(table, key) => {
                records.insert((*table, key), None);
            }
        }
    }
    blocks.push(block);
    for (key, bytes) in blocks.into_iter().filter_map(Block::into_row) {
        batch.insert(&rows.events, key.to_bytes(), bytes);
    }
    for ((table, key), value) in records {
        match value {
            Some(value) => batch.insert(rows.of(table), key.as_bytes(), value.as_ref()),
            None => batch.remove(rows.of(table), key.as_bytes()),
        }
    }
    for row in rows.events.range(before.oldest.to_be_bytes()..after.history.oldest.to_be_bytes()) {
        batch.remove(&rows.events, row.key().map_err(|error| StoreError::new(COMMIT, error))?);
    }
    rows.put_log(&mut batch, after);
    Ok(batch)
}
