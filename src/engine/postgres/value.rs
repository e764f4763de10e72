//! How values and blocks of events are stored: one byte names the format, and long ones are compressed.

use bytes::Bytes;
use lz4_flex::block::{compress_prepend_size, decompress_size_prepended};

/// As it is.
const PLAIN: u8 = 0;
/// Compressed by LZ4, with the size in front.
const LZ4: u8 = 1;
/// Longer values are compressed.
const SHORT: usize = 512;

/// Returns the stored form.
pub(super) fn pack(value: &[u8]) -> Vec<u8> {
    if value.len() > SHORT {
        let compressed = compress_prepend_size(value);
        if compressed.len() < value.len() {
            return prefixed(LZ4, &compressed);
        }
    }
    prefixed(PLAIN, value)
}

fn prefixed(format: u8, value: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(value.len() + 1);
    packed.push(format);
    packed.extend_from_slice(value);
    packed
}

/// Reads the stored form; `None` if it is damaged or of a later version.
pub(super) fn unpack(packed: &[u8]) -> Option<Bytes> {
    match packed.split_first()? {
        (&PLAIN, value) => Some(Bytes::copy_from_slice(value)),
        (&LZ4, value) => decompress_size_prepended(value).ok().map(Into::into),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_is_read_as_it_was_written(value: Vec<u8>, times in 1..2_000_usize) {
            let value = value.repeat(times);
            prop_assert_eq!(unpack(&pack(&value)), Some(Bytes::from(value)));
        }

        #[test]
        fn any_bytes_are_a_value_or_damaged(mut bytes: Vec<u8>) {
            // A size that nobody can have allocated is refused by what follows it.
            if let Some(size) = bytes.get_mut(3..5) {
                size.fill(0);
            }
            unpack(&bytes);
        }
    }

    #[test]
    fn long_text_becomes_shorter() {
        assert!(pack("text ".repeat(200).as_bytes()).len() < 100);
        assert_eq!(unpack(b""), None);
        assert_eq!(unpack(b"\x07later"), None);
    }
}
