//! A directory as one stream: a tar archive (POSIX ustar) of plain files and directories, written and unpacked.

mod unpack;
mod write;

pub(crate) use unpack::Unpacking;
pub(crate) use write::write;

/// The block size of an archive, in bytes.
const BLOCK: usize = 512;
const NAME: std::ops::Range<usize> = 0..100;
const MODE: std::ops::Range<usize> = 100..108;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: std::ops::Range<usize> = 257..265;
const FILE: u8 = b'0';
const DIRECTORY: u8 = b'5';
const USTAR: &[u8; 8] = b"ustar\x0000";

/// The sum of all bytes of a header, with the checksum field counted as spaces.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().copied().map(u32::from).sum::<u32>();
    sum(header) - sum(&header[CHECKSUM]) + 8 * u32::from(b' ')
}

/// The zeros between the end of a file and the next block.
fn padding(size: u64) -> usize {
    let block = BLOCK as u64;
    // The result is less than a block.
    usize::try_from((block - size % block) % block).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{unpack::UnpackError, *};

    fn archived(directory: &std::path::Path) -> Vec<u8> {
        let mut archive = Vec::new();
        write(directory, &mut |bytes| {
            archive.extend_from_slice(&bytes);
            Ok(())
        })
        .unwrap();
        archive
    }

    fn unpacked(archive: &[u8], chunk: usize) -> Result<tempfile::TempDir, UnpackError> {
        let directory = tempfile::tempdir().unwrap();
        let mut unpacking = Unpacking::into(directory.path());
        for chunk in archive.chunks(chunk) {
            unpacking.take(chunk)?;
        }
        unpacking.finish()?;
        Ok(directory)
    }

    fn written() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("data/keyspaces/1")).unwrap();
        for (name, size) in [("format", 17), ("empty", 0), ("data/block", BLOCK), ("data/keyspaces/1/large", 200_000)] {
            let bytes: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        directory
    }

    #[test]
    fn an_archive_gives_back_every_file_wherever_it_is_cut() {
        let from = written();
        let archive = archived(from.path());
        assert_eq!(archive.len() % BLOCK, 0);
        for chunk in [1, 511, 512, 10_000, archive.len()] {
            let to = unpacked(&archive, chunk).unwrap();
            for name in ["format", "empty", "data/block", "data/keyspaces/1/large"] {
                assert_eq!(
                    fs::read(to.path().join(name)).unwrap(),
                    fs::read(from.path().join(name)).unwrap(),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn an_incomplete_or_damaged_archive_is_refused() {
        let archive = archived(written().path());
        for end in [0, 100, BLOCK, archive.len() / 2, archive.len() - BLOCK, archive.len() - 2 * BLOCK] {
            assert!(unpacked(&archive[..end], BLOCK).is_err(), "{end} of {}", archive.len());
        }
        let mut damaged = archive.clone();
        damaged[3] ^= 1;
        assert!(unpacked(&damaged, BLOCK).is_err());
    }

    #[test]
    fn nothing_is_unpacked_outside_of_its_directory() {
        for name in ["../out", "/tmp/out", "a/../../out", ""] {
            let mut header = [0; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[SIZE].copy_from_slice(b"00000000000\0");
            header[KIND] = FILE;
            header[MAGIC].copy_from_slice(USTAR);
            let sum = format!("{:06o}\0 ", checksum(&header));
            header[CHECKSUM].copy_from_slice(sum.as_bytes());
            let mut archive = header.to_vec();
            archive.extend([0; 2 * BLOCK]);
            assert!(unpacked(&archive, BLOCK).is_err(), "{name:?}");
        }
    }
}
