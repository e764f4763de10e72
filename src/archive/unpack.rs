//! Unpacking an archive while it arrives.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
};

use super::{BLOCK, CHECKSUM, DIRECTORY, FILE, KIND, MAGIC, NAME, SIZE, USTAR, checksum, padding};

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// The archive ends too early, or continues after its end.
    #[error("the archive is incomplete")]
    NotWhole,
    /// The archive is damaged, or has an entry that this program never writes.
    #[error("the archive is damaged at the entry {0:?}")]
    Damaged(String),
    /// The system refused an operation.
    #[error("cannot write {}", path.display())]
    System {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// An archive being unpacked. Files and directories are accessible to their owner only.
pub(crate) struct Unpacking {
    directory: PathBuf,
    /// The received part of a header.
    header: Vec<u8>,
    state: State,
}

enum State {
    Header,
    /// The rest of a file's content, and the padding after it.
    File {
        path: PathBuf,
        file: File,
        left: u64,
        padding: usize,
    },
    Padding(usize),
    /// The first of the two empty blocks at the end was read.
    Ending,
    Ended,
}

impl Unpacking {
    /// Unpacks into `directory`, which must exist and be empty.
    pub(crate) fn into(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), header: Vec::new(), state: State::Header }
    }

    /// Unpacks the next bytes.
    ///
    /// # Errors
    /// [`UnpackError`]; the files unpacked so far must not be used.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<(), UnpackError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header | State::Ending => {
                    let (part, rest) = bytes.split_at(bytes.len().min(BLOCK - self.header.len()));
                    self.header.extend_from_slice(part);
                    bytes = rest;
                    if let Ok(header) = <[u8; BLOCK]>::try_from(self.header.as_slice()) {
                        self.header.clear();
                        self.state = self.entry(&header)?;
                    }
                }
                State::File { path, file, left, padding } => {
                    let (part, rest) = bytes.split_at(bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
                    file.write_all(part).map_err(|source| system(path, source))?;
                    bytes = rest;
                    *left -= part.len() as u64;
                    if *left == 0 {
                        file.sync_all().map_err(|source| system(path, source))?;
                        self.state = after(*padding);
                    }
                }
                State::Padding(left) => {
                    let (part, rest) = bytes.split_at(bytes.len().min(*left));
                    bytes = rest;
                    self.state = after(*left - part.len());
                }
                State::Ended => return Err(UnpackError::NotWhole),
            }
        }
        Ok(())
    }

    /// Checks that the archive has ended.
    ///
    /// # Errors
    /// [`UnpackError::NotWhole`].
    pub(crate) fn finish(self) -> Result<(), UnpackError> {
        if matches!(self.state, State::Ended) { Ok(()) } else { Err(UnpackError::NotWhole) }
    }

    fn entry(&self, header: &[u8; BLOCK]) -> Result<State, UnpackError> {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(if matches!(self.state, State::Ending) { State::Ended } else { State::Ending });
        }
        let name = text(&header[NAME]);
        let damaged = || UnpackError::Damaged(name.unwrap_or_default().to_owned());
        let octal = |field: &[u8]| text(field).and_then(|text| u64::from_str_radix(text.trim(), 8).ok());
        let is_ours = header[MAGIC] == *USTAR && octal(&header[CHECKSUM]) == Some(checksum(header).into());
        let (Some(name), Some(size), true) = (name, octal(&header[SIZE]), is_ours) else { return Err(damaged()) };
        let within = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !within || !matches!(self.state, State::Header) {
            return Err(damaged());
        }
        let path = self.directory.join(name);
        match header[KIND] {
            DIRECTORY if size == 0 => {
                DirBuilder::new().mode(0o700).create(&path).map_err(|source| system(&path, source))?;
                Ok(State::Header)
            }
            FILE => {
                let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                let file = opened.map_err(|source| system(&path, source))?;
                Ok(if size == 0 {
                    State::Header
                } else {
                    State::File { path, file, left: size, padding: padding(size) }
                })
            }
            _ => Err(damaged()),
        }
    }
}

fn after(padding: usize) -> State {
    if padding == 0 { State::Header } else { State::Padding(padding) }
}

fn system(path: &Path, source: io::Error) -> UnpackError {
    UnpackError::System { path: path.to_owned(), source }
}

/// A field up to its first zero.
fn text(field: &[u8]) -> Option<&str> {
    field.split(|byte| *byte == 0).next().and_then(|field| std::str::from_utf8(field).ok())
}
