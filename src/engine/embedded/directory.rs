//! The directory of a store: its owner and its format.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

const LOCK: &str = "lock";
const FORMAT: &str = "format";
const DATA: &str = "data";
/// The directory in which the data of a new store is created until it is complete.
const DRAFT: &str = "data.new";
/// The prefix of directories in which copies of the store are created.
const COPY: &str = "copy-";
const ACKNOWLEDGED: &str = "acknowledged";
/// Exists while a store of an older format is being upgraded.
const UPGRADING: &str = "upgrading";

/// The format that this version reads and writes. It increases with every change that older versions would misread.
const VERSION: u32 = 2;
/// The oldest format that this version reads. The records of format 1 have no time until which they are kept, and there is
/// no index of these times.
const OLDEST: u32 = 1;
const MAGIC: &str = "tertulia store ";

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store is already open.
    #[error("the store in {} is in use by {}", directory.display(), process(*holder))]
    InUse {
        /// Its directory.
        directory: PathBuf,
        /// The id of the process that has it open, if known.
        holder: Option<u32>,
    },
    /// The store was written by a newer version, or the directory is not a store.
    #[error("the store in {} has a format that this version cannot read: {found}", directory.display())]
    UnknownFormat {
        /// Its directory.
        directory: PathBuf,
        /// The format as found.
        found: String,
    },
    /// The content contradicts itself.
    #[error("the store in {} is damaged: {what}", directory.display())]
    Damaged {
        /// Its directory.
        directory: PathBuf,
        /// The contradiction.
        what: String,
    },
    /// The system refused an operation.
    #[error("cannot {operation} the store in {}", directory.display())]
    System {
        /// Its directory.
        directory: PathBuf,
        /// The operation.
        operation: &'static str,
        /// The system's error.
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
    /// Locks the directory for this process. Creates it if missing, accessible to its owner only.
    pub(super) fn claim(path: &Path) -> Result<Self, OpenError> {
        let failed = |operation| move |source| OpenError::System { directory: path.to_owned(), operation, source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create the directory of"))?;
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
        directory.close_to_others().map_err(failed("take the permissions of other users from"))?;
        directory.remove_copies().map_err(failed("remove old copies of"))?;
        Ok(directory)
    }

    /// An earlier version created data directories that other users could enter, although the files in them hold
    /// secrets.
    fn close_to_others(&self) -> io::Result<()> {
        let data = self.data();
        match fs::metadata(&data) {
            Ok(metadata) if metadata.mode() & 0o077 != 0 => fs::set_permissions(&data, Permissions::from_mode(0o700)),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Creates the directory of a new store at `path`; removes what is there first.
    pub(super) fn begun(path: &Path) -> io::Result<Self> {
        remove(path)?;
        private_directory(path)?;
        let mut lock = open_lock(path)?;
        lock.try_lock()?;
        sign(&mut lock)?;
        let directory = Self { path: path.to_owned(), lock };
        directory.write_format()?;
        Ok(directory)
    }

    /// The path for the next copy of the store.
    pub(super) fn next_copy(&self) -> PathBuf {
        static COPIES: AtomicU64 = AtomicU64::new(0);
        self.path.join(format!("{COPY}{}", COPIES.fetch_add(1, Ordering::Relaxed)))
    }

    /// Removes copies that a killed process left.
    fn remove_copies(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(COPY)) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// The directory of the data.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Lets `make` fill an empty directory and then moves it into place, so that the data directory is complete or
    /// missing, whenever the process ends.
    pub(super) fn begin<T, E: From<io::Error>>(&self, make: impl FnOnce(&Path) -> Result<T, E>) -> Result<T, E> {
        let (draft, data) = (self.path.join(DRAFT), self.data());
        remove(&draft)?;
        let made = (|| {
            private_directory(&draft)?;
            let made = make(&draft)?;
            remove(&data)?;
            fs::rename(&draft, &data)?;
            File::open(&self.path)?.sync_all()?;
            Ok(made)
        })();
        if made.is_err() {
            // Frees disk space now; the next start removes what remains.
            let _ = remove(&draft);
        }
        made
    }

    /// The identity of the current files.
    pub(super) fn identity(&self) -> io::Result<Identity> {
        let of = |path: PathBuf| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
        Ok(Identity { data: of(self.data())?, acknowledged: of(self.acknowledged())? })
    }

    /// The file with the count of commits.
    pub(super) fn acknowledged(&self) -> PathBuf {
        self.path.join(ACKNOWLEDGED)
    }

    fn check_format(&self) -> Result<(), OpenError> {
        let failed = |operation| move |source| OpenError::System { directory: self.path.clone(), operation, source };
        match fs::read(self.path.join(FORMAT)) {
            Ok(found) if (OLDEST..=VERSION).any(|version| found == format(version).as_bytes()) => Ok(()),
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

    /// Lets `upgrade` change a store of an older format. The store is marked as one of the current format before that,
    /// because older versions would misread what is written. An upgrade that was interrupted is made again by the next
    /// start.
    pub(super) fn upgrade<E: From<io::Error>>(&self, upgrade: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let mark = self.path.join(UPGRADING);
        if fs::read(self.path.join(FORMAT))? != format(VERSION).as_bytes() {
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&mark)?;
            File::open(&self.path)?.sync_all()?;
            self.write_format()?;
        }
        if mark.try_exists()? {
            upgrade()?;
            fs::remove_file(&mark)?;
            File::open(&self.path)?.sync_all()?;
        }
        Ok(())
    }

    /// Writes the file so that it is complete or missing after a crash.
    fn write_format(&self) -> io::Result<()> {
        let draft = self.path.join("format.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(format(VERSION).as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, self.path.join(FORMAT))?;
        File::open(&self.path)?.sync_all()
    }
}

/// Identifies the data directory and the count's file: another directory at the same path has another identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    data: (u64, u64),
    acknowledged: (u64, u64),
}

/// Creates a directory that only its owner can enter, whatever the permissions of its parent.
fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is just being started may still hold it.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "cannot unlock the store; it stays locked until the process ends");
        }
    }
}

fn format(version: u32) -> String {
    format!("{MAGIC}{version}\n")
}

fn open_lock(directory: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(directory.join(LOCK))
}

/// Writes the process id into the lock's file, for processes that cannot get the lock.
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
