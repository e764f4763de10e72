//! What a commit may contain: the same rules for every store.

use super::{Change, Commit, History, Record, RecordKey, StoreError};

const OPERATION: &str = "commit";

impl History {
    /// The extent of a new log created at `at`, from which its epoch is made.
    #[must_use]
    pub fn begun(at: jiff::Timestamp) -> Self {
        Self { epoch: format!("{:x}", at.as_microsecond()).into(), oldest: 1, newest: 0 }
    }
}

impl Commit {
    /// Checks the keys of the changed records.
    ///
    /// # Errors
    /// [`StoreError`] if a key is empty or longer than [`RecordKey::MAX_BYTES`].
    pub fn check(&self) -> Result<(), StoreError> {
        check_changes(&self.changes)
    }
}

/// Checks the keys of changed records.
pub(super) fn check_changes(changes: &[Change]) -> Result<(), StoreError> {
    changes.iter().try_for_each(|change| match change {
        Change::Put(_, Record { key, .. }) | Change::PutNew(_, Record { key, .. }) | Change::Remove(_, key) => {
            check_key(key)
        }
    })
}

impl Commit {
    /// The failure of a commit whose number is below that of the commit `last`.
    #[must_use]
    pub fn late(&self, last: u64) -> StoreError {
        StoreError::new(OPERATION, format!("commit {} came after commit {last}", self.number))
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
