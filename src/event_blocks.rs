//! A parser of Server-Sent Events (HTML standard).

use std::time::Duration;

/// The most bytes read of one block; no event is that long.
const LONGEST: usize = 64 * 1024 * 1024;

/// A block that is longer than every event.
#[derive(Debug, thiserror::Error)]
#[error("an event of the stream has more than {LONGEST} bytes")]
pub(crate) struct TooLong;

/// The fields between two empty lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) id: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) retry: Option<Duration>,
}

/// Parses blocks from bytes that arrive in arbitrary pieces.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// A line that has not ended yet.
    unread: Vec<u8>,
    /// The last line ended with a carriage return, so a line feed may follow.
    returned: bool,
    block: Block,
    size: usize,
}

impl Blocks {
    /// Returns the blocks that end in `bytes`.
    ///
    /// # Errors
    /// [`TooLong`].
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Block>, TooLong> {
        let mut blocks = Vec::new();
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            if std::mem::take(&mut self.returned) && piece == b"\n" {
                continue;
            }
            self.size += piece.len();
            if self.size > LONGEST {
                return Err(TooLong);
            }
            let (line, is_whole) = match piece {
                [line @ .., b'\n'] => (line, true),
                [line @ .., b'\r'] => {
                    self.returned = true;
                    (line, true)
                }
                line => (line, false),
            };
            self.unread.extend_from_slice(line);
            if is_whole {
                let line = std::mem::take(&mut self.unread);
                if line.is_empty() {
                    self.size = 0;
                    blocks.push(std::mem::take(&mut self.block));
                } else {
                    self.field(&String::from_utf8_lossy(&line));
                }
            }
        }
        Ok(blocks)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" if !value.contains('\0') => self.block.id = Some(value.to_owned()),
            "data" => match &mut self.block.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                data => *data = Some(value.to_owned()),
            },
            "retry" => self.block.retry = value.parse().ok().map(Duration::from_millis),
            // A comment, or a field of a later version.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(id: &str, data: Option<&str>) -> Block {
        Block { id: Some(id.to_owned()), data: data.map(str::to_owned), retry: None }
    }

    #[test]
    fn blocks_are_the_same_wherever_the_bytes_are_cut() {
        let text =
            "retry: 700\nid: e-1\n: heartbeat\n\nid: e-2\r\ndata: ä\r\ndata:{}\r\n\r\nid:e-3\rdata\r\rnew: x\n\n";
        let first = Block { retry: Some(Duration::from_millis(700)), ..block("e-1", None) };
        let expected = [first, block("e-2", Some("ä\n{}")), block("e-3", Some("")), Block::default()];
        for size in [1, 2, 3, 7, text.len()] {
            let mut blocks = Blocks::default();
            let read: Vec<_> = text.as_bytes().chunks(size).flat_map(|bytes| blocks.read(bytes).unwrap()).collect();
            assert_eq!(read, expected, "{size}");
        }
    }

    #[test]
    fn a_block_without_an_end_is_not_kept_for_ever() {
        let mut blocks = Blocks::default();
        let megabyte = vec![b'x'; 1 << 20];
        let failed = (0..100).find(|_| blocks.read(&megabyte).is_err());
        assert_eq!(failed, Some(64));
    }
}
