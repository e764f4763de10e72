//! Deletes records that nobody will ask for any more.

use serde::Deserialize;

use super::{Change, Journal, Record, RecordKey, Step, StoreError, Table};

/// Records read at once.
const PAGE: usize = 1_000;

/// The part of a record that shows whether the record may be deleted.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Age {
    /// When the record was written, in milliseconds.
    at: Option<i64>,
    /// Whether the record is a conversation that its connection still has.
    held: bool,
    /// The deadline of a command, in milliseconds. After it the record serves only callers that ask for the outcome.
    deadline: Option<i64>,
}

impl Journal {
    /// Deletes the records that are older at `now` than the journal's [`Retention`](super::Retention) allows, and
    /// returns their number. A running system calls this every ten minutes.
    ///
    /// # Errors
    /// [`StoreError`]; records deleted before the error stay deleted.
    pub async fn purge(&self, now: jiff::Timestamp) -> Result<usize, StoreError> {
        let retention = self.retention();
        let ago = |age: std::time::Duration| {
            now.as_millisecond().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
        };
        let (answers, conversations) = (ago(retention.answers), ago(retention.conversations));
        let mut forgotten = 0;
        for (table, oldest) in
            [(Table::Answers, answers), (Table::Outbox, conversations), (Table::Snapshots, conversations)]
        {
            forgotten += purge(self, table, oldest).await?;
        }
        Ok(forgotten)
    }
}

async fn purge(journal: &Journal, table: Table, oldest: i64) -> Result<usize, StoreError> {
    let (mut after, mut forgotten): (Option<RecordKey>, usize) = (None, 0);
    loop {
        let from = after.take();
        let (over, last) = journal
            .read(move |store| {
                let page = store.scan(table, &RecordKey::of(&[]), from.as_ref(), PAGE)?;
                let last = page.last().filter(|_| page.len() == PAGE).map(|record| record.key.clone());
                Ok((page.iter().filter(|record| is_over(record, oldest)).map(|it| it.key.clone()).collect(), last))
            })
            .await?;
        let over: Vec<RecordKey> = over;
        forgotten += over.len();
        if !over.is_empty() {
            let changes = over.into_iter().map(|key| Change::Remove(table, key)).collect();
            journal.append(Step { changes, ..Step::default() });
        }
        match last {
            Some(last) => after = Some(last),
            None => return Ok(forgotten),
        }
    }
}

fn is_over(record: &Record, oldest: i64) -> bool {
    let Age { at, held, deadline } = serde_json::from_slice(&record.value).unwrap_or_default();
    !held && at.or(deadline).is_some_and(|time| time < oldest)
}
