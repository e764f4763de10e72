//! Removes what the store need not keep any more.

use std::ops::Bound;

use fjall::Readable as _;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{StoreError, Table},
};

use super::{
    expiry, record,
    rows::{Log, Rows, TablesError},
};

pub(super) const KEEP_HOUSE: &str = "remove what is over";

/// The most records removed in one batch.
const TOGETHER: usize = 1_000;

/// Deletes the rows of all events below `log.history.oldest`, and writes the state of the log.
pub(super) fn forget_events(rows: &Rows, oldest_before: u64, log: &Log) -> Result<(), TablesError> {
    let mut batch = rows.batch();
    for row in rows.events.range(oldest_before.to_be_bytes()..log.history.oldest.to_be_bytes()) {
        batch.remove(&rows.events, row.key()?);
    }
    rows.put_log(&mut batch, log);
    Ok(batch.commit()?)
}

/// Removes at most [`TOGETHER`] records that were to be kept until `now` or less, with the entries after `after`. Returns
/// the number of removed records, and the last entry if there may be more.
///
/// The entries before `after` are removed, and reading from the first one would pass all of them again.
pub(super) fn remove_expired(
    rows: &Rows,
    now: Timestamp,
    after: Option<&[u8]>,
) -> Result<(usize, Option<Vec<u8>>), StoreError> {
    let failed = |error: fjall::Error| StoreError::new(KEEP_HOUSE, error);
    let end = expiry::end(now);
    let first = after.map_or(Bound::Unbounded, Bound::Excluded);
    let (mut batch, mut entries, mut removed, mut last) = (rows.batch(), 0, 0, None);
    for entry in rows.snapshot().range::<&[u8], _>(&rows.expiries, (first, Bound::Excluded(&end[..]))).take(TOGETHER) {
        let entry = entry.key().map_err(failed)?;
        if let Some((until, table, key)) = expiry::record_of(&entry) {
            let value = rows.of(table).get(key).map_err(failed)?;
            let kept_until = value.as_deref().and_then(record::from_bytes).and_then(|(until, _)| until);
            // A record that was written again has another entry, by which it is removed and counted.
            if kept_until == Some(until) {
                batch.remove(rows.of(table), key);
                removed += 1;
            }
        }
        last = Some(entry.to_vec());
        batch.remove(&rows.expiries, entry);
        entries += 1;
    }
    if entries > 0 {
        batch.commit().map_err(failed)?;
    }
    Ok((removed, last.filter(|_| entries == TOGETHER)))
}

/// Removes the oldest dead letters beyond the newest `letters`. Returns their number.
pub(super) fn remove_letters(rows: &Rows, letters: usize) -> Result<usize, StoreError> {
    let failed = |error: fjall::Error| StoreError::new(KEEP_HOUSE, error);
    // Skipping the letters that stay would read all of them.
    if letters == usize::MAX {
        return Ok(0);
    }
    let (table, snapshot) = (rows.of(Table::DeadLetters), rows.snapshot());
    let mut batch = rows.batch();
    let mut removed = 0;
    for row in snapshot.iter(table).rev().skip(letters) {
        batch.remove(table, row.key().map_err(failed)?);
        removed += 1;
    }
    if removed > 0 {
        batch.commit().map_err(failed)?;
    }
    Ok(removed)
}
