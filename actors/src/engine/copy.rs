//! A copy of a store in a directory of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A directory with a consistent copy of a store. It is removed when this is dropped.
#[derive(Debug)]
pub struct StoreCopy(PathBuf);

impl StoreCopy {
    /// The copy in `directory`, which belongs to this from now on.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Where the copy is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }
}

impl Drop for StoreCopy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, directory = %self.0.display(), "a copy of the store could not be removed");
        }
    }
}
