//! Secrets in records.

use super::{RecordKey, StoreError};

/// Encrypts secrets that are kept in records, with a key that is not in the store.
pub trait RecordSeal: Send + Sync + 'static {
    /// Encrypts the value of the record with this key.
    ///
    /// # Errors
    /// [`StoreError`]: the value cannot be encrypted, and must not be stored.
    fn close(&self, key: &RecordKey, value: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Decrypts the value of the record with this key. Returns a value that was never encrypted as it is.
    ///
    /// # Errors
    /// [`StoreError`]: the value was encrypted with another key, or was changed.
    fn open(&self, key: &RecordKey, value: &[u8]) -> Result<Vec<u8>, StoreError>;
}
