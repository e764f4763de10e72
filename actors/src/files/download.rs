//! A file being transferred from the platform's storage to a reader in this process.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::FileError;

/// Pieces buffered for a slow reader; at this limit reading from the storage pauses.
pub(super) const WAITING: usize = 8;

/// A running download. Dropping it ends the transfer.
#[derive(Debug)]
pub struct FileDownload {
    pub(super) size: Option<u64>,
    pub(super) file_name: String,
    pub(super) pieces: mpsc::Receiver<Result<Bytes, FileError>>,
}

impl FileDownload {
    /// The size in bytes, if the storage reports it.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Its name on the storage, without a path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Returns the next piece; `None` after the last piece.
    ///
    /// # Errors
    /// [`FileError`] if the transfer broke off; nothing follows the error.
    pub async fn next(&mut self) -> Option<Result<Bytes, FileError>> {
        self.pieces.recv().await
    }
}

/// The last part of a storage's path.
pub(super) fn file_name(relative_path: &str) -> String {
    let name = relative_path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}
