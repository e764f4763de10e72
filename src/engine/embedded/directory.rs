//! The directory of a store: whose it is, and how it is written.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

const LOCK: &str = "lock";
const FORMAT: &str = "format";
const DATA: &str = "data";
const ACKNOWLEDGED: &str = "acknowledged";

/// The format that this version reads and writes. It grows with every change that an older version would misread.
const VERSION: u32 = 1;
const MAGIC: &str = "tertulia store ";

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is open already.
    #[error("the store in {} is in use by {}", directory.display(), process(*holder))]
    InUse {
        /// Its directory.
        directory: PathBuf,
        /// Id of the process that has it open, as far as is known.
        holder: Option<u32>,
    },
    /// It was written by a newer version, or it is no store.
    #[error("the store in {} has a format that this version does not know: {found}", directory.display())]
    UnknownFormat {
        /// Its directory.
        directory: PathBuf,
        /// What it says of its format.
        found: String,
    },
    /// What it holds contradicts itself.
    #[error("the store in {} is damaged: {what}", directory.display())]
    Damaged {
        /// Its directory.
        directory: PathBuf,
        /// The contradiction.
        what: String,
    },
    /// The system did not allow it.
    #[error("cannot {operation} the store in {}", directory.display())]
    System {
        /// Its directory.
        directory: PathBuf,
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

/// A directory that this process alone uses, until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    lock: File,
}

impl Directory {
    /// Takes the directory, which is made when it is missing, readable for its owner only.
    pub(super) fn claim(path: &Path) -> Result<Self, OpenError> {
        let failed = |operation| move |source| OpenError::System { directory: path.to_owned(), operation, source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make the directory of"))?;
        let mut lock = open_lock(path).map_err(failed("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { directory: path.to_owned(), holder: holder(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        sign(&mut lock).map_err(failed("lock"))?;
        let directory = Self { path: path.to_owned(), lock };
        directory.check_format()?;
        Ok(directory)
    }

    /// Where the data is.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Where the commits are counted.
    pub(super) fn acknowledged(&self) -> PathBuf {
        self.path.join(ACKNOWLEDGED)
    }

    fn check_format(&self) -> Result<(), OpenError> {
        let failed = |operation| move |source| OpenError::System { directory: self.path.clone(), operation, source };
        match fs::read(self.path.join(FORMAT)) {
            Ok(found) if found == current_format().as_bytes() => Ok(()),
            Ok(found) => Err(OpenError::UnknownFormat {
                directory: self.path.clone(),
                found: String::from_utf8_lossy(&found).trim().escape_debug().take(80).collect(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.data().exists() => {
                Err(OpenError::Damaged { directory: self.path.clone(), what: format!("its file {FORMAT} is missing") })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.write_format().map_err(failed("write the format of"))
            }
            Err(source) => Err(failed("read the format of")(source)),
        }
    }

    /// It is there as a whole or not at all.
    fn write_format(&self) -> io::Result<()> {
        let draft = self.path.join("format.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(current_format().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, self.path.join(FORMAT))?;
        File::open(&self.path)?.sync_all()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing the file is not enough where another thread is about to start a program.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "a store could not be given back before the process ends");
        }
    }
}

fn current_format() -> String {
    format!("{MAGIC}{VERSION}\n")
}

fn open_lock(directory: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(directory.join(LOCK))
}

/// Says who has the lock, for those who do not get it.
fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
