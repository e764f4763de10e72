//! The records of the recent past in the store. Their number is limited, because each new record replaces the record of
//! an hour ago, or the record of 200 events ago.
//!
//! | key | holds |
//! |---|---|
//! | `overview`, reach, `minute`, number of the minute modulo 60 | what happened in the minute |
//! | `overview`, reach, `notable`, number of the event modulo 200 | the event and its number |
//!
//! Of several nodes, each has records of its own, with its name as the last part of the keys. They end by themselves, because a
//! node may never come back.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tertulia_actors::{
    core::{self, id::NodeId},
    engine::{Change, Journal, Record, RecordKey, Step, StoreError, Table},
};
use tokio::time::sleep;

use super::{
    past::Past,
    series::{MINUTES, Minute, NOTABLE, Notable, Series},
};
use crate::reach::Reach;

/// The first part of the keys.
const ROOM: &str = "overview";
const MINUTE: &str = "minute";
const NOTABLE_EVENT: &str = "notable";
/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long records of one node of several are kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
fn key(reach: &str, kind: &str, place: u64, node: Option<&NodeId>) -> RecordKey {
    let key = RecordKey::of(&[ROOM, reach, kind, &format!("{place:03}")]);
    node.map_or(key.clone(), |node| key.with(node.as_str()))
}

/// Writes the new records of `series`, those of `node` if there are several, without waiting until they are durable.
pub(super) fn write(journal: &Journal, node: Option<&NodeId>, series: &mut Series) {
    if !journal.keeps() {
        return;
    }
    let reach = series.reach.digest();
    let minute = series.take_minute().and_then(|minute| {
        let number = u64::try_from(minute.time.as_second() / 60).unwrap_or_default();
        put(key(&reach, MINUTE, number % MINUTES, node), minute, node)
    });
    let notable =
        series.take_unstored().filter_map(|item| put(key(&reach, NOTABLE_EVENT, item.0 % NOTABLE, node), item, node));
    let changes: Vec<Change> = minute.into_iter().chain(notable).collect();
    if !changes.is_empty() {
        journal.append(Step { changes, ..Step::default() });
    }
}

fn put(key: RecordKey, value: &impl Serialize, node: Option<&NodeId>) -> Option<Change> {
    let record = Record::new(key, serde_json::to_vec(value).ok()?);
    let record = match node {
        Some(_) => {
            let end = Timestamp::now().checked_add(KEPT).ok()?;
            record.until(core::time::Timestamp(end.as_millisecond()))
        }
        None => record,
    };
    Some(Change::Put(Table::Notes, record))
}

/// Reads the records that previous runs stored for `reaches`, those of `node` if there are several. Removes records of other
/// reaches and records of an unknown format. Repeats the request until the store responds.
pub(super) async fn read(journal: &Journal, node: Option<&NodeId>, reaches: &[Reach]) -> Vec<(Reach, Stored)> {
    if !journal.keeps() {
        return Vec::new();
    }
    let records = loop {
        match scan(journal, RecordKey::of(&[ROOM])).await {
            Ok(records) => break records,
            Err(error) => tracing::error!(%error, "the recent past cannot be read; trying again"),
        }
        sleep(AGAIN_AFTER).await;
    };
    let known: HashMap<String, &Reach> = reaches.iter().map(|reach| (reach.digest(), reach)).collect();
    let (mut found, mut useless) = (HashMap::<String, Stored>::new(), Vec::new());
    for record in records {
        let is_taken = match record.key.parts().unwrap_or_default().as_slice() {
            // Another node's.
            [_, _, _, _, owner] if node.is_some_and(|node| owner != node.as_str()) => true,
            [_, reach, kind, _, rest @ ..]
                if known.contains_key(reach) && rest.len() == usize::from(node.is_some()) =>
            {
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

/// Reads what the other nodes have stored for `reach`.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn of_others(journal: &Journal, me: &NodeId, reach: &Reach) -> Result<Past, StoreError> {
    let mut stored = Stored::default();
    for record in scan(journal, RecordKey::of(&[ROOM, &reach.digest()])).await? {
        if let [_, _, kind, _, owner] = record.key.parts().unwrap_or_default().as_slice()
            && owner != me.as_str()
        {
            stored.take(kind, &record);
        }
    }
    let Stored { minutes, notable } = stored;
    Ok(Past { minutes, notable: notable.into_iter().map(|(_, event)| event).collect() })
}

async fn scan(journal: &Journal, prefix: RecordKey) -> Result<Vec<Record>, StoreError> {
    journal.read(move |store| store.scan(Table::Notes, &prefix, None, usize::MAX)).await
}

fn parse<T: DeserializeOwned>(record: &Record) -> Option<T> {
    serde_json::from_slice(&record.value).ok()
}

fn is_recent(minute: &Minute) -> bool {
    let hour = i64::try_from(MINUTES * 60).unwrap_or_default();
    minute.time.as_second() > Timestamp::now().as_second() - hour
}
