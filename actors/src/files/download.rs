//! A file on its way from the platform's storage to a reader in this process.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::FileError;

/// Pieces that wait for a slow reader; at this limit the storage is not read any more.
pub(super) const WAITING: usize = 8;

/// A file on its way. Dropping it ends the transfer.
#[derive(Debug)]
pub struct FileDownload {
    pub(super) size: Option<u64>,
    pub(super) file_name: String,
    pub(super) pieces: mpsc::Receiver<Result<Bytes, FileError>>,
}

impl FileDownload {
    /// Its bytes, where the storage tells.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Its name on the storage, without a path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The next piece; `None` behind the last one.
    ///
    /// # Errors
    /// [`FileError`] where the transfer broke off; nothing follows.
    pub async fn next(&mut self) -> Option<Result<Bytes, FileError>> {
        self.pieces.recv().await
    }
}

/// The last part of a storage's path.
pub(super) fn file_name(relative_path: &str) -> String {
    let name = relative_path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}
