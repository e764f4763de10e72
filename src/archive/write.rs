//! Writing an archive.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use bytes::Bytes;

use super::{BLOCK, CHECKSUM, DIRECTORY, FILE, KIND, MAGIC, MODE, NAME, SIZE, USTAR, checksum, padding};

/// The most bytes of a file that are passed on at once.
const PIECE: usize = 256 * 1_024;

/// Passes the archive of everything in `directory` to `take`, in pieces. The directory must not change meanwhile.
///
/// # Errors
/// The system refused an operation, or `take` failed.
pub(crate) fn write(directory: &Path, take: &mut dyn FnMut(Bytes) -> io::Result<()>) -> io::Result<()> {
    entries(directory, "", take)?;
    // Two empty blocks end an archive.
    take(vec![0; 2 * BLOCK].into())
}

fn entries(directory: &Path, name: &str, take: &mut dyn FnMut(Bytes) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        let file_name = entry.file_name().into_string().map_err(|_| unusable(&path))?;
        let name = format!("{name}{file_name}");
        if metadata.is_dir() {
            let name = format!("{name}/");
            take(header(&name, DIRECTORY, 0).ok_or_else(|| unusable(&path))?)?;
            entries(&path, &name, take)?;
        } else {
            let mut file = File::open(&path)?.take(metadata.len());
            take(header(&name, FILE, metadata.len()).ok_or_else(|| unusable(&path))?)?;
            let mut left = metadata.len();
            while left > 0 {
                let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
                file.read_exact(&mut piece)?;
                left -= piece.len() as u64;
                take(piece.into())?;
            }
            let padding = padding(metadata.len());
            if padding > 0 {
                take(vec![0; padding].into())?;
            }
        }
    }
    Ok(())
}

fn unusable(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{} does not fit into an archive: its name or its content is too long", path.display()),
    )
}

/// The header of an entry; `None` if the name or the size is too long.
fn header(name: &str, kind: u8, size: u64) -> Option<Bytes> {
    let mut header = [0; BLOCK];
    let mode: &[u8; 8] = if kind == DIRECTORY { b"0000700\0" } else { b"0000600\0" };
    let size = format!("{size:011o}\0");
    header.get_mut(NAME)?.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
    header[MODE].copy_from_slice(mode);
    for number in [108..116, 116..124] {
        header[number].copy_from_slice(b"0000000\0");
    }
    (size.len() == SIZE.len()).then(|| header[SIZE].copy_from_slice(size.as_bytes()))?;
    header[136..148].copy_from_slice(b"00000000000\0");
    header[KIND] = kind;
    header[MAGIC].copy_from_slice(USTAR);
    let sum = format!("{:06o}\0 ", checksum(&header));
    header[CHECKSUM].copy_from_slice(sum.as_bytes());
    Some(Bytes::copy_from_slice(&header))
}
