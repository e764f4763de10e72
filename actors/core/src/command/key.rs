//! The key of a command, sent with what the command publishes so that it can be found again.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::{
    id::CommandKey,
    ums::{Json, Text},
};

/// The longest key that the platform accepts, in characters (protocol [§7.12](crate::protocol#712)).
pub const KEY_CHARS: usize = 64;

const EXTERNAL_ID: &str = "ExternalId";

/// The key in a record's metadata: the id of its first `ExternalId` entry.
#[must_use]
pub fn key_of(metadata: &Json<'_>) -> Option<CommandKey> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(rename = "type", borrow, default)]
        kind: Option<Text<'a>>,
        #[serde(default)]
        id: Option<Text<'a>>,
    }

    let key = |entry: Entry<'_>| {
        entry.kind.filter(|kind| kind.as_str() == EXTERNAL_ID)?;
        entry.id?.non_empty().map(CommandKey::from)
    };
    match metadata.read::<Vec<Json<'_>>>() {
        Ok(entries) => entries.iter().filter_map(|entry| entry.read().ok()).find_map(key),
        Err(_) => metadata.read().ok().and_then(key),
    }
}

/// The caller's own key: the id of the first `ExternalId` entry.
pub(super) fn own_key(metadata: &[Value]) -> Option<CommandKey> {
    let own = metadata.iter().find(|entry| entry["type"] == EXTERNAL_ID)?;
    Some(CommandKey::from(own["id"].as_str().unwrap_or_default()))
}

/// Returns the metadata including the key, and the key: the caller's own if there is one, otherwise `key`.
pub(super) fn with_key(metadata: &[Value], key: &CommandKey) -> Result<(Vec<Value>, CommandKey), Refusal> {
    let own = own_key(metadata);
    let mut metadata = metadata.to_vec();
    if own.is_none() {
        metadata.push(json!({ "type": EXTERNAL_ID, "id": key }));
    }
    let key = own.unwrap_or_else(|| key.clone());
    check_key(&key)?;
    Ok((metadata, key))
}

/// Checks the length of a command's key.
///
/// # Errors
/// [`Refusal::BadKey`] if the key has not 1 to [`KEY_CHARS`] characters.
pub fn check_key(key: &CommandKey) -> Result<(), Refusal> {
    let length = key.as_str().chars().count();
    if (1..=KEY_CHARS).contains(&length) { Ok(()) } else { Err(Refusal::BadKey { length }) }
}
