//! The cause of a dead letter. Letters of one cause differ only in the conversation and in the numbers and ids in their
//! reason, so an operator can replay or discard them together.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tertulia_actors::dead_letters::DeadLetter;

use super::brief::Brief;

/// The most connections that are listed for one cause.
const CONNECTIONS: usize = 10;
/// The number of characters of a reason that distinguish causes.
const CHARACTERS: usize = 300;
/// A word with a digit is an id from this length on.
const ID: usize = 8;
/// A number of this many digits may be an HTTP status or a code of the platform. Such numbers distinguish causes.
const CODE: usize = 3;
const ID_BYTES: usize = 8;

/// Returns the id of the cause of a letter. The id of a cause is the same in every run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub(in crate::gateway) struct CauseId(String);

impl CauseId {
    pub(in crate::gateway) fn of(letter: &DeadLetter) -> Self {
        let mut digest = Sha256::new();
        let subscriber = letter.subscriber.as_deref().unwrap_or_default();
        for part in [format!("{:?}", letter.kind).as_str(), subscriber, &without_names(&letter.reason)] {
            digest.update(part);
            digest.update([0]);
        }
        Self(digest.finalize().iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The letters of one cause.
pub(in crate::gateway) struct Cause {
    pub(super) id: CauseId,
    pub(super) count: usize,
    /// When the oldest letter was written.
    pub(super) first: Timestamp,
    pub(in crate::gateway) newest: Brief,
    /// The connections of the letters, the first ten.
    pub(super) connections: Vec<String>,
}

impl Cause {
    /// Returns the cause of one letter.
    pub(in crate::gateway) fn new(letter: &DeadLetter) -> Self {
        let (id, newest) = (CauseId::of(letter), Brief::from(letter));
        let mut cause = Self { id, count: 0, first: letter.time, newest, connections: Vec::new() };
        cause.add(letter);
        cause
    }

    /// Adds a letter, which must be newer than the letters before.
    pub(in crate::gateway) fn add(&mut self, letter: &DeadLetter) {
        self.count += 1;
        let connection = letter.connection.as_str();
        if self.connections.len() < CONNECTIONS && !self.connections.iter().any(|known| known == connection) {
            self.connections.push(connection.to_owned());
        }
        self.newest = Brief::from(letter);
    }
}

/// Returns the reason without the numbers and ids in it.
fn without_names(reason: &str) -> String {
    let reason: String = reason.chars().take(CHARACTERS).collect();
    let is_apart = |character: char| !character.is_alphanumeric() && character != '-';
    reason.split(is_apart).map(|word| if is_name(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

fn is_name(word: &str) -> bool {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    (is_number && word.len() != CODE) || (has_digit && word.len() >= ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_distinguish_causes_but_other_numbers_and_ids_do_not() {
        let same = [
            (
                "conversation 4d1c-88aa-12: missing field at column 17",
                "conversation 9f00-17ab-77: missing field at column 5012",
            ),
            ("sequence 3 refused with 429", "sequence 71 refused with 429"),
        ];
        for (one, other) in same {
            assert_eq!(without_names(one), without_names(other));
        }
        assert_ne!(without_names("refused with 429"), without_names("refused with 503"));
        assert_ne!(without_names("a"), without_names("b"));
    }
}
