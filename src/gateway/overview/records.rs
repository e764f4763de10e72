//! The records of the recent past in the store. Their number is limited, because each new record replaces the record of
//! an hour ago, or the record of 200 events ago.
//!
//! | key | holds |
//! |---|---|
//! | `overview`, reach as JSON, `minute`, number of the minute modulo 60 | what happened in the minute |
//! | `overview`, reach as JSON, `notable`, number of the event modulo 200 | the event and its number |

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tertulia_actors::engine::{Change, Journal, Record, RecordKey, Step, StoreError, Table};
use tokio::time::sleep;

use super::series::{MINUTES, Minute, NOTABLE, Notable, Series};
use crate::reach::Reach;

const MINUTE: &str = "minute";
const NOTABLE_EVENT: &str = "notable";
/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What was stored for one reach.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) minutes: Vec<Minute>,
    pub(super) notable: Vec<(u64, Notable)>,
}

impl Stored {
    /// Adds a record. Returns whether the record is still needed.
    fn take(&mut self, kind: &str, record: &Record) -> bool {
        match kind {
            MINUTE => parse(record).filter(is_recent).map(|minute| self.minutes.push(minute)).is_some(),
            NOTABLE_EVENT => parse(record).map(|item| self.notable.push(item)).is_some(),
            _ => false,
        }
    }
}

/// The key of a record for the reach with the digest `reach`. The keys of earlier versions have the reach itself, and
/// their records are removed as those of an unknown reach: they cover an hour.
fn key(reach: &str, kind: &str, place: u64) -> RecordKey {
    RecordKey::of(&["overview", reach, kind, &format!("{place:03}")])
}

/// Writes the new records of `series`, without waiting until they are durable.
pub(super) fn write(journal: &Journal, series: &mut Series) {
    if !journal.keeps() {
        return;
    }
    let reach = series.reach.digest();
    let minute = series.take_minute().and_then(|minute| {
        let number = u64::try_from(minute.time.as_second() / 60).unwrap_or_default();
        put(key(&reach, MINUTE, number % MINUTES), minute)
    });
    let notable = series.take_unstored().filter_map(|item| put(key(&reach, NOTABLE_EVENT, item.0 % NOTABLE), item));
    let changes: Vec<Change> = minute.into_iter().chain(notable).collect();
    if !changes.is_empty() {
        journal.append(Step { changes, ..Step::default() });
    }
}

fn put(key: RecordKey, value: &impl Serialize) -> Option<Change> {
    let value = serde_json::to_vec(value).ok()?;
    Some(Change::Put(Table::Notes, Record::new(key, value)))
}

/// Reads the records that previous runs stored for `reaches`. Removes records of other reaches and records of an
/// unknown format. Repeats the request until the store responds.
pub(super) async fn read(journal: &Journal, reaches: &[Reach]) -> Vec<(Reach, Stored)> {
    if !journal.keeps() {
        return Vec::new();
    }
    let records = loop {
        match scan(journal).await {
            Ok(records) => break records,
            Err(error) => tracing::error!(%error, "the recent past cannot be read; trying again"),
        }
        sleep(AGAIN_AFTER).await;
    };
    let known: HashMap<String, &Reach> = reaches.iter().map(|reach| (reach.digest(), reach)).collect();
    let (mut found, mut useless) = (HashMap::<String, Stored>::new(), Vec::new());
    for record in records {
        let is_taken = match record.key.parts().unwrap_or_default().as_slice() {
            [_, reach, kind, _] if known.contains_key(reach) => {
                found.entry(reach.clone()).or_default().take(kind, &record)
            }
            _ => false,
        };
        if !is_taken {
            useless.push(Change::Remove(Table::Notes, record.key));
        }
    }
    if !useless.is_empty() {
        journal.append(Step { changes: useless, ..Step::default() });
    }
    found.into_iter().filter_map(|(reach, stored)| Some(((*known.get(&reach)?).clone(), stored))).collect()
}

async fn scan(journal: &Journal) -> Result<Vec<Record>, StoreError> {
    journal.read(|store| store.scan(Table::Notes, &RecordKey::of(&["overview"]), None, usize::MAX)).await
}

fn parse<T: DeserializeOwned>(record: &Record) -> Option<T> {
    serde_json::from_slice(&record.value).ok()
}

fn is_recent(minute: &Minute) -> bool {
    let hour = i64::try_from(MINUTES * 60).unwrap_or_default();
    minute.time.as_second() > Timestamp::now().as_second() - hour
}
