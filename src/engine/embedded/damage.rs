//! Which events of a log are damaged, so that readers can skip them.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
};

use fjall::Readable as _;

use super::rows::{Rows, TablesError};
use crate::engine::block::{self, BlockKey};

/// The most separate runs of damaged events; further damage is not recorded.
const RUNS: usize = 10_000;

/// The damage that was found so far.
#[derive(Debug, Default)]
pub(super) struct Damaged(Mutex<BTreeMap<u64, u64>>);

impl Damaged {
    /// Records damage, and logs it when it is new.
    pub(super) fn note(&self, found: RangeInclusive<u64>) {
        let (first, last) = found.into_inner();
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = runs.range(..=first).next_back().is_some_and(|(_, known)| *known >= last);
        if !is_known && runs.len() < RUNS {
            runs.insert(first, last);
            tracing::error!(first, last, "events of the log are damaged; readers get a gap event in their place");
        }
    }

    /// The number of damaged events.
    pub(super) fn events(&self) -> u64 {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut events, mut counted) = (0, 0);
        for (first, last) in &*runs {
            let first = (*first).max(counted + 1);
            if *last >= first {
                events += last - first + 1;
                counted = *last;
            }
        }
        events
    }
}

/// The first unreadable event in `events`, with the events that are unreadable together with it. The keys name the
/// events of a row; if the keys cannot be read, no event can be skipped.
pub(super) fn first(rows: &Rows, events: RangeInclusive<u64>) -> Result<Option<RangeInclusive<u64>>, TablesError> {
    let (mut next, newest) = events.into_inner();
    let snapshot = rows.snapshot();
    for row in snapshot.range(&rows.events, next.to_be_bytes()..) {
        let Some(key) = BlockKey::from_bytes(&row.key()?) else { return Ok(Some(next..=next)) };
        if key.first() > next {
            return Ok(Some(next..=key.first() - 1));
        }
        match snapshot.get(&rows.events, key.to_bytes()).map_err(TablesError::from) {
            Ok(Some(bytes)) if block::read(key, &bytes).is_some() => next = key.last.saturating_add(1),
            Ok(_) | Err(TablesError::Damaged(_)) => return Ok(Some(next..=key.last)),
            Err(failure) => return Err(failure),
        }
    }
    Ok((next <= newest).then_some(next..=newest))
}
