//! Which changes may be made together: the same rules for every store.

use super::{Change, History, RecordKey, StoreError};

const OPERATION: &str = "commit";

impl History {
    /// The extent of a new log created at `at`, from which its epoch is made.
    #[must_use]
    pub fn begun(at: jiff::Timestamp) -> Self {
        Self { epoch: format!("{:x}", at.as_microsecond()).into(), oldest: 1, newest: 0 }
    }

    /// The extent of the log after `changes`.
    ///
    /// # Errors
    /// [`StoreError`] if an event is not the next one, or a key is empty or longer than [`RecordKey::MAX_BYTES`].
    pub fn after(&self, changes: &[Change]) -> Result<Self, StoreError> {
        let mut history = self.clone();
        for change in changes {
            match change {
                Change::Append(event) if event.offset == history.newest + 1 => history.newest = event.offset,
                Change::Append(event) => {
                    let (offset, next) = (event.offset, history.newest + 1);
                    return Err(StoreError::new(OPERATION, format!("event {offset} is not the next one, {next}")));
                }
                Change::Put(_, record) => check_key(&record.key)?,
                Change::Remove(_, key) => check_key(key)?,
                Change::Trim { oldest } => history.oldest = history.oldest.max((*oldest).min(history.newest + 1)),
            }
        }
        Ok(history)
    }
}

fn check_key(key: &RecordKey) -> Result<(), StoreError> {
    match key.as_bytes().len() {
        0 => Err(StoreError::new(OPERATION, "a record has an empty key")),
        1..=RecordKey::MAX_BYTES => Ok(()),
        length => {
            let most = RecordKey::MAX_BYTES;
            Err(StoreError::new(OPERATION, format!("a record's key has {length} bytes, over {most}")))
        }
    }
}
