//! Reads the log by cursor: from memory if the reader keeps up, otherwise from the store.

use std::{ops::RangeInclusive, sync::Arc};

use tokio::sync::watch;

use super::{Journal, NewEvent, Store, StoreError, StoredEvent};

/// Events per read.
const BATCH: usize = 256;
/// The most bytes of JSON that a reader gets from the store at once, but at least one event. This bounds the memory of
/// a reader that is slow to pass its events on.
const BYTES: usize = 1 << 20;

/// Reads the log from a position, each event once, in order.
pub struct LogReader {
    journal: Arc<Journal>,
    committed: watch::Receiver<u64>,
    after: u64,
}

/// The result of a read.
#[derive(Clone, Debug)]
pub enum LogBatch {
    /// The next events.
    Events(Vec<Arc<StoredEvent>>),
    /// The next events were deleted; the reader continues after them.
    Forgotten {
        /// Their number.
        events: u64,
    },
    /// The next events are damaged; the reader continues after them.
    Damaged {
        /// Their number.
        events: u64,
    },
}

/// The store's response for the next events.
enum Stored {
    Events { oldest: u64, events: Vec<(u64, NewEvent)> },
    Damaged { last: u64 },
}

/// Reads the events after `after`, up to the first damaged event.
fn read(store: &dyn Store, after: u64) -> Result<Stored, StoreError> {
    let found = |events| Stored::Events { oldest: store.history().oldest, events };
    match store.events(after, BATCH) {
        Ok(events) => Ok(found(events)),
        Err(error) => match store.damage(after)?.map(RangeInclusive::into_inner) {
            Some((first, last)) if first <= after + 1 => Ok(Stored::Damaged { last }),
            Some((first, _)) => {
                let whole = usize::try_from(first - 1 - after).unwrap_or(BATCH).min(BATCH);
                store.events(after, whole).map(found)
            }
            None => Err(error),
        },
    }
}

impl LogReader {
    pub(super) fn new(journal: Arc<Journal>, committed: watch::Receiver<u64>, after: u64) -> Self {
        Self { journal, committed, after }
    }

    /// The offset of the last event that was read.
    #[must_use]
    pub fn after(&self) -> u64 {
        self.after
    }

    /// Returns the next events, waiting for them if necessary; `None` after the journal was dropped. Cancel-safe.
    ///
    /// # Errors
    /// [`StoreError`]; the call may be repeated.
    pub async fn next(&mut self) -> Result<Option<LogBatch>, StoreError> {
        let after = self.after;
        if self.committed.wait_for(|newest| *newest > after).await.is_err() {
            return Ok(None);
        }
        if let Some(events) = self.journal.window().after(after, BATCH) {
            return Ok(Some(self.take(events)));
        }
        let (oldest, events) = match self.journal.read(move |store| read(store, after)).await? {
            Stored::Events { oldest, events } => (oldest, events),
            Stored::Damaged { last } => {
                self.after = last.max(after + 1);
                return Ok(Some(LogBatch::Damaged { events: self.after - after }));
            }
        };
        match events.first() {
            Some((first, _)) if *first == after + 1 => {}
            // The events were deleted, before or during this read.
            first => {
                let next = first.map_or(oldest, |(first, _)| *first).max(after + 1);
                self.after = next - 1;
                return Ok(Some(LogBatch::Forgotten { events: self.after - after }));
            }
        }
        let epoch = Arc::clone(self.journal.epoch());
        let stored = |(offset, event)| Arc::new(StoredEvent::new(&epoch, offset, event));
        Ok(Some(self.take(few(events).map(stored).collect())))
    }

    fn take(&mut self, events: Vec<Arc<StoredEvent>>) -> LogBatch {
        if let Some(last) = events.last() {
            self.after = last.offset;
        }
        LogBatch::Events(events)
    }
}

/// The first events, up to the byte limit.
fn few(events: Vec<(u64, NewEvent)>) -> impl Iterator<Item = (u64, NewEvent)> {
    let mut bytes = 0;
    events.into_iter().take_while(move |(_, event)| {
        let is_first = bytes == 0;
        bytes += event.json.len();
        is_first || bytes <= BYTES
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_events_are_handed_on_few_at_a_time_and_always_one() {
        let event = |bytes: usize| {
            let json = vec![b' '; bytes].into();
            (1, NewEvent { connection: "c".into(), conversation: None, name: "message".into(), json })
        };
        for (sizes, expected) in
            [(&[][..], 0), (&[BYTES * 3, 1], 1), (&[BYTES / 2, BYTES / 2, 1], 2), (&[1, BYTES, 1], 1), (&[1; 256], 256)]
        {
            assert_eq!(few(sizes.iter().map(|size| event(*size)).collect()).count(), expected);
        }
    }
}
