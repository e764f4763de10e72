//! The number of acknowledged commits, in a file beside the tables. If the tables hold fewer commits, they have lost
//! some.
//!
//! The tables alone cannot detect the loss: the last writes are in a journal, and a damaged journal looks like one that
//! was cut off during a write. The count is written after each commit and before its acknowledgement, without waiting
//! for the disk: a killed process loses no count, and a power failure leaves at worst a lower count.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

/// The file of the count.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
    epoch: String,
}

/// The content of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The file does not exist.
    Missing,
    /// The file is empty: the store was never opened.
    Nothing,
    /// The number of commits, in the log with this epoch.
    Commits { epoch: String, count: u64 },
    /// The content cannot be parsed.
    Nonsense,
}

impl Said {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(256).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Missing),
            Err(error) => return Err(error),
        };
        Ok(said(&text))
    }
}

impl Acknowledged {
    /// Replaces the file at `path` by one with the first count of the log with this epoch. Returns once the file is
    /// durable; a crash leaves the old or the new file, never a part.
    pub(super) fn begin(path: &Path, epoch: &str, count: u64) -> io::Result<Self> {
        let draft = path.with_extension("new");
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        let begun = Self { file, epoch: epoch.to_owned() };
        begun.write(count)?;
        begun.file.sync_all()?;
        fs::rename(&draft, path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(begun)
    }

    /// Overwrites the count in a single write, because all counts have the same length.
    pub(super) fn write(&self, count: u64) -> io::Result<()> {
        self.file.write_all_at(format!("{} {count:020}\n", self.epoch).as_bytes(), 0)
    }
}

fn said(text: &[u8]) -> Said {
    if text.is_empty() {
        return Said::Nothing;
    }
    let line = std::str::from_utf8(text).ok().and_then(|text| text.strip_suffix('\n'));
    let said = line.and_then(|line| line.split_once(' ')).and_then(|(epoch, count)| Some((epoch, count.parse().ok()?)));
    said.map_or(Said::Nonsense, |(epoch, count)| Said::Commits { epoch: epoch.to_owned(), count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_survives_a_killed_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("acknowledged");
        assert_eq!(Said::read(&path).unwrap(), Said::Missing);
        let acknowledged = Acknowledged::begin(&path, "6a", 0).unwrap();
        for count in [1, 2, 1_000_000] {
            acknowledged.write(count).unwrap();
            assert_eq!(Said::read(&path).unwrap(), Said::Commits { epoch: "6a".to_owned(), count });
        }
    }

    #[test]
    fn a_cut_off_or_damaged_file_is_nonsense() {
        for text in ["6a 0001", "6a\n", "6a x\n", "\0\n"] {
            assert_eq!(said(text.as_bytes()), Said::Nonsense, "{text:?}");
        }
    }
}
