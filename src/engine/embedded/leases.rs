//! Who may log in, among the processes of one user on one machine: a locked file for each login.

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
use tertulia_actors::engine::{FencingToken, Lease, LeaseError, Leases, LoginName, RecordKey};
use tokio_util::sync::CancellationToken;

/// Leases as locks on files in a directory. The system releases them when the process ends, however it ends, and no
/// process can lose one before. All processes that use the same logins must use the same directory, on a local disk.
///
/// A lease's number is in its file: where the directory is lost, as with a machine that starts anew, numbers begin
/// again, and so does everybody who had one.
#[derive(Clone, Debug)]
pub struct FileLeases {
    directory: Arc<Path>,
}

impl FileLeases {
    /// Leases in `directory`, which is made with the first one, if it is missing. It must belong to this user alone.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into().into() }
    }

    /// The directory that all processes of this user share: `tertulia-leases` in `XDG_RUNTIME_DIR`, or one with the
    /// user's number in the directory of temporary files.
    #[must_use]
    pub fn default_directory() -> PathBuf {
        match env::var_os("XDG_RUNTIME_DIR").filter(|directory| Path::new(directory).is_absolute()) {
            Some(directory) => Path::new(&directory).join("tertulia-leases"),
            None => env::temp_dir().join(format!("tertulia-leases-{}", geteuid())),
        }
    }
}

impl Leases for FileLeases {
    fn acquire(&self, login: LoginName) -> BoxFuture<'_, Result<Lease, LeaseError>> {
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

/// Another one has it.
struct Elsewhere {
    holder: String,
}

/// A lock on the file of a login, and one on its directory: those who clear away old files leave a directory alone that
/// is locked.
struct Held {
    file: File,
    _directory: File,
}

impl Held {
    fn take(directory: &Path, login: &LoginName) -> io::Result<Result<(FencingToken, Self), Elsewhere>> {
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
        Ok(Ok((FencingToken(note.token), Self { file, _directory: shared })))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file is not enough where another thread is about to start a program.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "cannot release a lease; it stays held until the process ends");
        }
    }
}

/// What is in the file of a login.
struct Note {
    token: u64,
    process: u32,
}

impl Note {
    const LENGTH: usize = 32;

    /// `None` where nobody ever had the lease.
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

    /// All notes are of the same length, and are written over each other at once.
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

/// In a directory that others can write, they could take leases away, or lead us to other files.
fn check_owner(directory: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(directory)?;
    let is_ours = metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    let refused = "it is not a directory that this user alone can write";
    is_ours.then_some(()).ok_or_else(|| io::Error::new(io::ErrorKind::PermissionDenied, refused))
}
