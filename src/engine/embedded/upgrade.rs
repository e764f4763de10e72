//! Records of format 1 of the store get the time until which they are kept. Versions with that format parsed all records
//! again and again to find out which ones are over. Records whose key is too long for this version are deleted: nothing
//! would find them, and no change could remove them.

use fjall::Readable as _;
use serde::Deserialize;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{Record, RecordKey, Retention, Table},
};

use super::{
    expiry, record,
    rows::{Rows, TablesError},
};

/// Records changed in one batch.
const TOGETHER: usize = 1_000;

/// The part of a record that determines until when it is kept.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Age {
    /// When the record was written.
    at: Option<Timestamp>,
    /// Whether the record is a conversation that its connection still has.
    held: bool,
    /// The deadline of a command. After it the record serves only callers that ask for the outcome.
    deadline: Option<Timestamp>,
}

impl Age {
    /// Until when the record is kept; `None` if only a change removes it.
    fn keep_until(&self, table: Table, retention: Retention) -> Option<Timestamp> {
        match table {
            Table::Answers => Some(self.at?.after(retention.answers)),
            Table::Outbox => Some(self.deadline?.after(retention.conversations)),
            Table::Snapshots if !self.held => Some(self.at?.after(retention.conversations)),
            _ => None,
        }
    }
}

/// Writes the times of all records that have one, and deletes the records whose keys are too long.
pub(super) fn upgrade_records(rows: &Rows, retention: Retention) -> Result<(), TablesError> {
    for table in Table::ALL {
        let (mut batch, mut changed) = (rows.batch(), 0);
        for row in rows.snapshot().iter(rows.of(table)) {
            let (key, value) = row.into_inner()?;
            if key.len() > RecordKey::MAX_BYTES {
                batch.remove(rows.of(table), &*key);
            } else {
                let age: Age = serde_json::from_slice(&value).unwrap_or_default();
                let Some(until) = age.keep_until(table, retention) else { continue };
                let dated = Record::new(RecordKey::from_bytes(&key), value.to_vec()).until(until);
                batch.insert(rows.of(table), &*key, record::to_bytes(&dated).as_ref());
                batch.insert(&rows.expiries, expiry::entry(until, table, &key), []);
            }
            changed += 1;
            if changed % TOGETHER == 0 {
                std::mem::replace(&mut batch, rows.batch()).commit()?;
            }
        }
        batch.commit()?;
    }
    Ok(())
}
