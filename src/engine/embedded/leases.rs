//! Which process of a user may use a login on this machine: one locked file per login.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};
use tertulia_actors::engine::{Lease, LeaseError, LoginName, RecordKey};
use tokio_util::sync::CancellationToken;

/// Leases as locks on files in a directory. The system releases a lock when its process ends, however it ends, and no
/// process can lose a lock earlier. All processes that use the same logins must use the same directory, on a local
/// disk.
///
/// The file contains the lease's number. If the directory is lost, for example when the machine restarts, the numbers
/// begin again, but then all earlier holders are gone too.
#[derive(Clone, Debug)]
pub struct FileLeases {
    directory: Arc<Path>,
}

impl FileLeases {
    /// Leases in `directory`, which is created with the first lease if missing. Only this user may have write access to
    /// it.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into().into() }
    }

    /// The default directory, which all processes of this user share: `tertulia-leases` in `XDG_RUNTIME_DIR`, or a
    /// directory with the user's number in the temporary directory.
    #[must_use]
    pub fn default_directory() -> PathBuf {
        match env::var_os("XDG_RUNTIME_DIR").filter(|directory| Path::new(directory).is_absolute()) {
            Some(directory) => Path::new(&directory).join("tertulia-leases"),
            None => env::temp_dir().join(format!("tertulia-leases-{}", geteuid())),
        }
    }
}

impl FileLeases {
    /// Acquires the right to log in, immediately or not at all.
    pub fn acquire(&self, login: LoginName) -> BoxFuture<'_, Result<Lease, LeaseError>> {
        let directory = Arc::clone(&self.directory);
        async move {
            let asked = login.clone();
            let unavailable = |error: &dyn std::fmt::Display| LeaseError::Unavailable {
                login: login.clone(),
                reason: format!("{error}, in {}", self.directory.display()),
            };
            match tokio::task::spawn_blocking(move || Held::take(&directory, &asked)).await {
                Ok(Ok(Ok((token, hold)))) => {
                    Ok(Lease { login, token, lost: CancellationToken::new(), hold: Box::new(hold) })
                }
                Ok(Ok(Err(Elsewhere { holder }))) => Err(LeaseError::Held { login, holder }),
                Ok(Err(error)) => Err(unavailable(&error)),
                Err(error) => Err(unavailable(&error)),
            }
        }
        .boxed()
    }
}

/// Another process has the lease.
struct Elsewhere {
    holder: String,
}

/// Locks on the file of a login and on its directory. Programs that clean up old files skip locked directories.
struct Held {
    file: File,
    _directory: File,
}

impl Held {
    fn take(directory: &Path, login: &LoginName) -> io::Result<Result<(u64, Self), Elsewhere>> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        check_owner(directory)?;
        let shared = File::open(directory)?;
        shared.lock_shared()?;
        let path = directory.join(file_name(login));
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = match Note::read(&mut file) {
                    Ok(Some(Note { process, .. })) => format!("process {process}"),
                    _ => "another process".to_owned(),
                };
                return Ok(Err(Elsewhere { holder }));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let last = Note::read(&mut file)?.map_or(0, |note| note.token);
        let note = Note { token: last + 1, process: std::process::id() };
        note.write(&mut file)?;
        Ok(Ok((note.token, Self { file, _directory: shared })))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is just being started may still hold it.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "cannot release a lease; it stays held until the process ends");
        }
    }
}

/// The content of a login's file.
struct Note {
    token: u64,
    process: u32,
}

impl Note {
    const LENGTH: usize = 32;

    /// `None` if nobody has had the lease yet.
    fn read(file: &mut File) -> io::Result<Option<Self>> {
        let mut text = String::new();
        file.rewind()?;
        file.take(Self::LENGTH as u64).read_to_string(&mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        let note = text
            .strip_suffix('\n')
            .and_then(|text| text.split_once(' '))
            .and_then(|(token, process)| Some(Self { token: token.parse().ok()?, process: process.parse().ok()? }));
        note.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the lease's file is damaged"))
    }

    /// Overwrites the note in a single write, because all notes have the same length.
    fn write(&self, file: &mut File) -> io::Result<()> {
        file.rewind()?;
        file.write_all(format!("{:020} {:010}\n", self.token, self.process).as_bytes())?;
        file.sync_data()
    }
}

fn file_name(login: &LoginName) -> String {
    let digest = Sha256::digest(RecordKey::of(&[&login.platform, login.account.as_str(), &login.user]).as_bytes());
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name}.lease")
}

/// Checks that only this user can write the directory: other users could take leases away, or redirect the files.
fn check_owner(directory: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(directory)?;
    let is_ours = metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    let refused = "it is not a directory that this user alone can write";
    is_ours.then_some(()).ok_or_else(|| io::Error::new(io::ErrorKind::PermissionDenied, refused))
}
