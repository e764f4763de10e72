//! A copy of a store in its own directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A directory with a consistent copy of a store. The directory is removed on drop.
#[derive(Debug)]
pub struct StoreCopy(PathBuf);

impl StoreCopy {
    /// Takes ownership of the copy in `directory`.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// The path of the copy.
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
