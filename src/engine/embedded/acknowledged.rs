//! How many commits were acknowledged, beside the tables: where they hold fewer, they have lost some.
//!
//! The tables cannot tell by themselves: what was written last is in a journal, and a journal that is damaged somewhere
//! looks like one that was cut off while it was written. The count is written after each commit and before it is
//! acknowledged, and not waited for: a process that is killed loses none of it, and a machine that loses power goes
//! back to a lower one.

use std::{
    fs::{File, OpenOptions},
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
    /// Nothing: the store is new.
    Nothing,
    /// So many commits, in the log with this epoch.
    Commits { epoch: String, count: u64 },
    /// Nothing that can be understood.
    Nonsense,
}

impl Acknowledged {
    /// Reads the file, which is made when it is missing.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Said)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut text = Vec::new();
        file.by_ref().take(256).read_to_end(&mut text)?;
        Ok((Self { file, epoch: String::new() }, said(&text)))
    }

    /// Says the first word of the log with this epoch, and waits until it is durable.
    pub(super) fn begin(&mut self, epoch: &str, count: u64) -> io::Result<()> {
        epoch.clone_into(&mut self.epoch);
        self.write(count)?;
        self.file.sync_all()
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
        let (mut acknowledged, said) = Acknowledged::open(&path).unwrap();
        assert_eq!(said, Said::Nothing);
        acknowledged.begin("6a", 0).unwrap();
        for count in [1, 2, 1_000_000] {
            acknowledged.write(count).unwrap();
            let (_, said) = Acknowledged::open(&path).unwrap();
            assert_eq!(said, Said::Commits { epoch: "6a".to_owned(), count });
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_nonsense() {
        for text in ["6a 0001", "6a\n", "6a x\n", "\0\n"] {
            assert_eq!(said(text.as_bytes()), Said::Nonsense, "{text:?}");
        }
    }
}
