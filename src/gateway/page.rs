//! Lists in pages: at most `limit` items after a `cursor`.

use std::{fmt, ops::Deref};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Items at most, 1 to 1,000; 100 by default.
    pub(super) limit: Option<usize>,
    /// The `nextCursor` of the previous page.
    #[param(value_type = Option<String>)]
    pub(super) cursor: Option<Cursor>,
}

/// The position after which a page begins, as given by an earlier page. A checksum detects misspelt cursors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor(String);

/// The length of the checksum at the end of a cursor.
const CHECK_BYTES: usize = 4;

impl Cursor {
    /// The cursor's text for `place`.
    pub(super) fn name(place: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([place.as_bytes(), &check_bytes(place)].concat())
    }

    /// Parses a cursor; `None` if the text is not a cursor.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let check = bytes.split_off(bytes.len().checked_sub(CHECK_BYTES)?);
        let place = String::from_utf8(bytes).ok()?;
        (check == check_bytes(&place)).then_some(Self(place))
    }

    pub(super) fn into_place(self) -> String {
        self.0
    }
}

/// The position of an item in a list: its id, and its connection if the list has items of several connections. Ordered by the id
/// first, so that the order does not depend on what separates the two in a cursor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) connection: Option<String>,
}

/// Separates the id of an item from its connection in a cursor. No connection's id has it.
const SEPARATOR: char = '/';

impl Place {
    pub(super) fn new(id: &str, connection: Option<&str>) -> Self {
        Self { id: id.to_owned(), connection: connection.map(str::to_owned) }
    }

    /// The position that a cursor names.
    pub(super) fn of_cursor(place: &str) -> Self {
        match place.rsplit_once(SEPARATOR) {
            Some((id, connection)) => Self::new(id, Some(connection)),
            None => Self::new(place, None),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        self.connection.as_ref().map_or(Ok(()), |connection| write!(f, "{SEPARATOR}{connection}"))
    }
}

fn check_bytes(place: &str) -> [u8; CHECK_BYTES] {
    let digest: [u8; 32] = Sha256::digest(place).into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

impl Deref for Cursor {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unknown = || de::Error::custom("cursor is not the nextCursor of an earlier page");
        Self::read(&text).ok_or_else(unknown)
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The cursor of the next page; null on the last page.
    pub(super) next_cursor: Option<String>,
    /// The nodes that did not answer in time, so that their items are missing; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) incomplete: Vec<String>,
}

impl<T> Page<T> {
    /// The page that this node has.
    pub(super) fn new(items: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { items, next_cursor, incomplete: Vec::new() }
    }
}

/// Returns the requested number of items, 100 by default.
///
/// # Errors
/// The number is not from 1 to 1,000.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Problem::bad_request(format!("limit must be from 1 to {MAX_LIMIT}"))),
    }
}

/// Returns the first `limit` items after the cursor, in the order of `key`, and the cursor after them.
pub(super) fn cut<T, K: Ord>(
    mut items: Vec<T>,
    limit: usize,
    key: impl Fn(&T) -> K,
    cursor: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let is_more = items.len() > limit;
    if is_more {
        items.select_nth_unstable_by_key(limit - 1, &key);
        items.truncate(limit);
    }
    items.sort_unstable_by_key(&key);
    let next = items.last().filter(|_| is_more).map(|last| Cursor::name(&cursor(last)));
    (items, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unchanged_cursor_is_accepted() {
        for place in ["", "bots-1", "a/b c/\u{e9}", &"x".repeat(300)] {
            let named = Cursor::name(place);
            assert_eq!(Cursor::read(&named).as_deref(), Some(place));
            assert!(named.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{named}");
            for wrong in [&named[1..], &named[..named.len() - 1], &format!("{named}A"), &format!("A{named}")] {
                assert_eq!(Cursor::read(wrong), None, "{wrong}");
            }
        }
        for wrong in ["zz", "bots-1", "x/y", "AAAA", "AAAAAAAA", "\0"] {
            assert_eq!(Cursor::read(wrong), None, "{wrong}");
        }
    }
}
