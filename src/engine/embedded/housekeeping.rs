//! Removes what the store need not keep any more.

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

/// Removes at most [`TOGETHER`] records that were to be kept until `now` or less. Returns the number of removed records,
/// and whether there may be more.
pub(super) fn remove_expired(rows: &Rows, now: Timestamp) -> Result<(usize, bool), StoreError> {
    let failed = |error: fjall::Error| StoreError::new(KEEP_HOUSE, error);
    let (mut batch, mut entries, mut removed) = (rows.batch(), 0, 0);
    for entry in rows.snapshot().range(&rows.expiries, ..&expiry::end(now)[..]).take(TOGETHER) {
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
        batch.remove(&rows.expiries, entry);
        entries += 1;
    }
    if entries > 0 {
        batch.commit().map_err(failed)?;
    }
    Ok((removed, entries == TOGETHER))
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
