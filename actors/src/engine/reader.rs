//! Reads the log by cursor: from memory while it keeps up, from the store where it is behind.

use std::{ops::RangeInclusive, sync::Arc};

use tokio::sync::watch;

use super::{Journal, Store, StoreError, StoredEvent};

/// Events of one read.
const BATCH: usize = 256;
/// What a reader is handed of the store at once, in bytes of JSON; one event at least. What it holds while it does not come
/// to handing it on is bounded so.
const BYTES: usize = 1 << 20;

/// Reads the log from a place on, each event once, in order.
pub struct LogReader {
    journal: Arc<Journal>,
    committed: watch::Receiver<u64>,
    after: u64,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum LogBatch {
    /// The next events.
    Events(Vec<Arc<StoredEvent>>),
    /// The next events are kept no more; the reader goes on behind them.
    Forgotten {
        /// How many.
        events: u64,
    },
    /// The next events are damaged; the reader goes on after them.
    Damaged {
        /// How many.
        events: u64,
    },
}

/// What the store says of the next events.
enum Stored {
    Events { oldest: u64, events: Vec<StoredEvent> },
    Damaged { last: u64 },
}

/// Reads the events after `after`, as far as they are whole.
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

    /// The last event that was read.
    #[must_use]
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The next events, once there are any; `None` once the journal is gone. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the reader may ask again.
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
            Some(first) if first.offset == after + 1 => {}
            // They were forgotten, before or while this was read.
            first => {
                let next = first.map_or(oldest, |first| first.offset).max(after + 1);
                self.after = next - 1;
                return Ok(Some(LogBatch::Forgotten { events: self.after - after }));
            }
        }
        Ok(Some(self.take(few(events).map(Arc::new).collect())))
    }

    fn take(&mut self, events: Vec<Arc<StoredEvent>>) -> LogBatch {
        if let Some(last) = events.last() {
            self.after = last.offset;
        }
        LogBatch::Events(events)
    }
}

/// The first events, as many as are not too large together.
fn few(events: Vec<StoredEvent>) -> impl Iterator<Item = StoredEvent> {
    let mut bytes = 0;
    events.into_iter().take_while(move |event| {
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
        let event = |bytes: usize| StoredEvent {
            offset: 1,
            connection: "c".into(),
            conversation: None,
            name: "message".into(),
            json: vec![b' '; bytes].into(),
        };
        for (sizes, expected) in
            [(&[][..], 0), (&[BYTES * 3, 1], 1), (&[BYTES / 2, BYTES / 2, 1], 2), (&[1, BYTES, 1], 1), (&[1; 256], 256)]
        {
            assert_eq!(few(sizes.iter().map(|size| event(*size)).collect()).count(), expected);
        }
    }
}
