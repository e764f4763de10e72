//! How many commits were acknowledged, beside the tables: where they hold fewer, they have lost some.
//!
//! The tables cannot tell by themselves: what was written last is in a journal, and a journal that is damaged somewhere
//! looks like one that was cut off while it was written. The count is written after each commit and before it is
//! acknowledged, and not waited for: a process that is killed loses none of it, and a machine that loses power goes
//! back to a lower one.

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

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// There is no such file.
    Missing,
    /// Nothing: the store was never opened.
    Nothing,
    /// So many commits, in the log with this epoch.
    Commits { epoch: String, count: u64 },
    /// Nothing that can be understood.
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
    /// durable; it is there as a whole or not at all.
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

    /// Every count takes the place of the one before at once: it is as long.
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
    fn the_last_count_is_said_also_by_a_process_that_did_not_end_well() {
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
    fn what_is_cut_off_or_damaged_is_nonsense() {
        for text in ["6a 0001", "6a\n", "6a x\n", "\0\n"] {
            assert_eq!(said(text.as_bytes()), Said::Nonsense, "{text:?}");
        }
    }
}
