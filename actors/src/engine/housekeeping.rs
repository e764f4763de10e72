//! Deletes events and records that nobody will ask for any more.

use tertulia_core::time::Timestamp;

use super::{Journal, StoreError};

impl Journal {
    /// Deletes the oldest events beyond those to be kept, the records that were to be kept until `now` or less, and the
    /// oldest dead letters beyond the newest `letters`. Returns the number of deleted records. A running system calls
    /// this every ten minutes.
    ///
    /// # Errors
    /// [`StoreError`]; what was deleted before the error stays deleted.
    pub async fn purge(&self, now: jiff::Timestamp, letters: usize) -> Result<usize, StoreError> {
        let events = self.retention().events;
        self.read(move |store| {
            let oldest = store.history().newest.saturating_sub(events) + 1;
            store.keep_house(Timestamp(now.as_millisecond()), oldest, letters)
        })
        .await
    }
}
