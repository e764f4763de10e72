//! The keys of records. A key has several parts and is ordered part by part, so that all records with the same first
//! parts are adjacent.

use std::fmt;

/// Encodes a zero byte within a part.
const ESCAPED_ZERO: [u8; 2] = [0, 0xff];
/// Ends a part. It sorts before any continuation of the part.
const END: [u8; 2] = [0, 1];

/// The key of a record. Keys are ordered like the lists of their parts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(Vec<u8>);

impl RecordKey {
    /// The longest key, in bytes. A store on a database indexes keys, and an index entry must fit into a part of a page.
    /// The longest keys are of a connection, a conversation and a command: two ids of at most
    /// [`LONGEST_ID`](tertulia_core::id::LONGEST_ID) bytes and at most 64 characters, of which each zero byte takes two.
    pub const MAX_BYTES: usize = 2_048;

    /// Returns the key of these parts, which may have any text. The key of fewer parts is a prefix of longer keys.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + END.len()).sum());
        for part in parts {
            for byte in part.bytes() {
                match byte {
                    0 => bytes.extend(ESCAPED_ZERO),
                    byte => bytes.push(byte),
                }
            }
            bytes.extend(END);
        }
        Self(bytes)
    }

    /// Returns this key with one more part.
    #[must_use]
    pub fn with(&self, part: &str) -> Self {
        let mut key = self.clone();
        key.0.extend(Self::of(&[part]).0);
        key
    }

    /// The bytes of the key as stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the key with these stored bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Returns the parts; `None` if the key was not made by [`RecordKey::of`].
    #[must_use]
    pub fn parts(&self) -> Option<Vec<String>> {
        let (mut parts, mut part) = (Vec::new(), Vec::new());
        let mut bytes = self.0.iter().copied();
        while let Some(byte) = bytes.next() {
            match (byte, byte == 0) {
                (byte, false) => part.push(byte),
                (_, true) => match bytes.next()? {
                    0xff => part.push(0),
                    1 => parts.push(String::from_utf8(std::mem::take(&mut part)).ok()?),
                    _ => return None,
                },
            }
        }
        part.is_empty().then_some(parts)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Some(parts) => f.debug_list().entries(parts).finish(),
            None => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tertulia_core::{command::KEY_CHARS, id::LONGEST_ID};

    use super::*;

    fn key(parts: &[String]) -> RecordKey {
        RecordKey::of(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn the_key_of_the_longest_ids_and_command_key_can_be_stored() {
        for (id, character) in [("\0".repeat(LONGEST_ID), "\0"), ("a".repeat(LONGEST_ID), "\u{10ffff}")] {
            let longest = RecordKey::of(&[&id, &id, &character.repeat(KEY_CHARS)]);
            assert!(longest.as_bytes().len() <= RecordKey::MAX_BYTES);
        }
    }

    proptest! {
        #[test]
        fn parts_survive_whatever_they_hold(parts in proptest::collection::vec("[\\x00-\\x02a-c]{0,4}", 0..4)) {
            prop_assert_eq!(key(&parts).parts(), Some(parts));
        }

        #[test]
        fn keys_are_ordered_as_their_parts(
            one in proptest::collection::vec("[\\x00-\\x02ab]{0,3}", 0..4),
            other in proptest::collection::vec("[\\x00-\\x02ab]{0,3}", 0..4),
        ) {
            prop_assert_eq!(key(&one).cmp(&key(&other)), one.cmp(&other));
        }

        #[test]
        fn a_key_begins_with_its_first_parts_and_with_no_other_ones(
            parts in proptest::collection::vec("[\\x00-\\x02ab]{0,3}", 2..4),
            other in "[\\x00-\\x02ab]{0,3}",
        ) {
            let begins = |first: &str| key(&parts).as_bytes().starts_with(RecordKey::of(&[first]).as_bytes());
            prop_assert!(begins(&parts[0]));
            prop_assert_eq!(begins(&other), other == parts[0]);
        }
    }
}
