//! The directory of a store: whose it is, and how it is written.

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
/// Where the data of a new store is made, until it is all there.
const DRAFT: &str = "data.new";
/// Where copies of the store are made, until they are handed on: the beginning of their names.
const COPY: &str = "copy-";
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
    #[error("the store in {} has a format that this version cannot read: {found}", directory.display())]
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

    /// An earlier version let a data directory that others may enter decide who reads the secrets in it.
    fn close_to_others(&self) -> io::Result<()> {
        let data = self.data();
        match fs::metadata(&data) {
            Ok(metadata) if metadata.mode() & 0o077 != 0 => fs::set_permissions(&data, Permissions::from_mode(0o700)),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The directory of a store that is made in `path`, which is removed first if it is there.
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

    /// Where the next copy of the store is made.
    pub(super) fn next_copy(&self) -> PathBuf {
        static COPIES: AtomicU64 = AtomicU64::new(0);
        self.path.join(format!("{COPY}{}", COPIES.fetch_add(1, Ordering::Relaxed)))
    }

    /// A process that was killed leaves the copies that it made.
    fn remove_copies(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(COPY)) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Where the data is.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Has `make` fill an empty directory, which takes the place of the data at once: it is there as a whole or not at
    /// all, whenever the process ends.
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
            // The room may be needed; the next start removes what stays.
            let _ = remove(&draft);
        }
        made
    }

    /// Which files these are now.
    pub(super) fn identity(&self) -> io::Result<Identity> {
        let of = |path: PathBuf| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
        Ok(Identity { data: of(self.data())?, acknowledged: of(self.acknowledged())? })
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

/// Which data and which count a store has: another directory at the same path has another identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    data: (u64, u64),
    acknowledged: (u64, u64),
}

/// A directory that only its owner can look into, whatever the one around it allows.
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
        // Closing the file is not enough where another thread is about to start a program.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "cannot unlock the store; it stays locked until the process ends");
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
