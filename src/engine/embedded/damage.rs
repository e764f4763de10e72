//! Which events of a log cannot be read any more, so that its readers can pass them.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
};

use fjall::Readable as _;

use super::{
    block::{self, BlockKey},
    rows::{Failure, Rows},
};

/// Runs of damaged events that are told apart; more are counted with the last one.
const RUNS: usize = 10_000;

/// The damage that was found so far.
#[derive(Debug, Default)]
pub(super) struct Damaged(Mutex<BTreeMap<u64, u64>>);

impl Damaged {
    /// Tells of damage where it is found for the first time.
    pub(super) fn note(&self, found: RangeInclusive<u64>) {
        let (first, last) = found.into_inner();
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = runs.range(..=first).next_back().is_some_and(|(_, known)| *known >= last);
        if !is_known && runs.len() < RUNS {
            runs.insert(first, last);
            tracing::error!(first, last, "events of the log are damaged; readers get a gap event in their place");
        }
    }

    /// How many events are damaged.
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

/// The first of `events` that cannot be read, and those that cannot be read with it. The keys tell which events a row
/// holds; where they cannot be read, nothing can be passed.
pub(super) fn first(rows: &Rows, events: RangeInclusive<u64>) -> Result<Option<RangeInclusive<u64>>, Failure> {
    let (mut next, newest) = events.into_inner();
    let snapshot = rows.snapshot();
    for row in snapshot.range(&rows.events, next.to_be_bytes()..) {
        let Some(key) = BlockKey::from_bytes(&row.key()?) else { return Ok(Some(next..=next)) };
        if key.first() > next {
            return Ok(Some(next..=key.first() - 1));
        }
        match snapshot.get(&rows.events, key.to_bytes()).map_err(Failure::from) {
            Ok(Some(bytes)) if block::read(key, &bytes).is_some() => next = key.last.saturating_add(1),
            Ok(_) | Err(Failure::Damaged(_)) => return Ok(Some(next..=key.last)),
            Err(failure) => return Err(failure),
        }
    }
    Ok((next <= newest).then_some(next..=newest))
}
