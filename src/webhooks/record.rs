//! The records of webhooks in the store, and their keys.
//!
//! | key | holds |
//! |---|---|
//! | `webhook`, `definition`, id | the webhook, including its secrets |
//! | `webhook`, `progress`, id | the position up to which the log was read, and the earlier events not done |
//! | `webhook`, `kept`, id, lane, offset | one event that waits for another attempt, or waits after such an event |
//! | `webhook`, `reply`, id, lane, offset | a receiver's reply whose commands have no outcome yet |
//! | `webhook`, `attempt`, id, number | one line of the delivery log; the newest is the first |
//! | `webhook`, `key`, the digest of the caller's reach if bounded, idempotency key | the answer to a creation with this key |

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tertulia_actors::{
    core::{
        command::Command,
        id::{ConnectionId, ConversationId},
    },
    engine::{Change, Record, RecordKey, Store, StoreError, Table},
};

use crate::{
    engine::{Seal, SealError},
    reach::Reach,
};

use super::{
    definition::WebhookId,
    delivery::Delivery,
    lanes::{Content, Head, Item, Lane, Progress},
};

/// Records per read.
const PAGE: usize = 1_000;

pub(super) fn definitions() -> RecordKey {
    RecordKey::of(&["webhook", "definition"])
}

pub(super) fn definition(id: &WebhookId) -> RecordKey {
    definitions().with(id.as_str())
}

pub(super) fn progress(id: &WebhookId) -> RecordKey {
    RecordKey::of(&["webhook", "progress", id.as_str()])
}

pub(super) fn all_kept(id: &WebhookId) -> RecordKey {
    RecordKey::of(&["webhook", "kept", id.as_str()])
}

/// Hexadecimal offsets of fixed length sort like their numbers.
pub(super) fn kept(id: &WebhookId, lane: &Lane, offset: u64) -> RecordKey {
    all_kept(id).with(lane.as_str()).with(&format!("{offset:016x}"))
}

pub(super) fn all_replies(id: &WebhookId) -> RecordKey {
    RecordKey::of(&["webhook", "reply", id.as_str()])
}

pub(super) fn reply(id: &WebhookId, lane: &Lane, offset: u64) -> RecordKey {
    all_replies(id).with(lane.as_str()).with(&format!("{offset:016x}"))
}

pub(super) fn attempts(id: &WebhookId) -> RecordKey {
    RecordKey::of(&["webhook", "attempt", id.as_str()])
}

/// The name of a line of the delivery log; newer lines sort first.
pub(super) fn attempt_name(number: u64) -> String {
    format!("{:016x}", u64::MAX - number)
}

pub(super) fn attempt(id: &WebhookId, number: u64) -> RecordKey {
    attempts(id).with(&attempt_name(number))
}

pub(super) fn creations() -> RecordKey {
    RecordKey::of(&["webhook", "key"])
}

/// Callers of different reach have different keys, so that none gets the webhook of another. Records of earlier versions
/// have the reach itself in the key and are not found; they are kept for a day.
pub(super) fn creation(reach: &Reach, key: &str) -> RecordKey {
    let whose = if reach.is_everything() { creations() } else { creations().with(&reach.digest()) };
    whose.with(key)
}

/// A webhook's progress.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProgressRecord {
    pub(super) read: u64,
    #[serde(default)]
    pub(super) fresh: Vec<u64>,
    /// The number of attempts written to the delivery log.
    #[serde(default)]
    pub(super) attempts: u64,
    /// When the current series of failures began, in milliseconds since 1970.
    #[serde(default)]
    pub(super) failing_since: Option<i64>,
}

impl ProgressRecord {
    pub(super) fn new(progress: Progress, attempts: u64, failing_since: Option<i64>) -> Self {
        Self { read: progress.read, fresh: progress.fresh, attempts, failing_since }
    }
}

/// An event that waits.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct KeptRecord {
    #[serde(default)]
    failed: u32,
    #[serde(default)]
    tried: u32,
    #[serde(default)]
    due: i64,
    /// Set if the record is a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<Missed>,
    /// The event of a dead letter, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    letter: Option<String>,
}

/// The number of missing events, if known.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Missed {
    events: Option<u64>,
}

impl KeptRecord {
    /// The record of an event of the log, or of a gap.
    pub(super) fn of(item: &Item, head: Head) -> Self {
        let gap = match item.content {
            Content::Gap { missed } => Some(Missed { events: missed }),
            Content::Event | Content::Letter => None,
        };
        Self { failed: head.failed, tried: head.tried, due: head.due, gap, letter: None }
    }

    /// Adds the event of a dead letter.
    pub(super) fn with_letter(self, body: &[u8]) -> Self {
        Self { letter: Some(BASE64_STANDARD.encode(body)), ..self }
    }

    pub(super) fn content(&self) -> Content {
        match (self.gap, &self.letter) {
            (Some(Missed { events }), _) => Content::Gap { missed: events },
            (None, Some(_)) => Content::Letter,
            (None, None) => Content::Event,
        }
    }

    pub(super) fn head(&self) -> Head {
        Head { failed: self.failed, tried: self.tried, due: self.due }
    }

    /// The event of a dead letter.
    pub(super) fn body(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(self.letter.as_ref()?).ok()
    }
}

/// A receiver's reply.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReplyRecord {
    pub(super) reply: PendingReply,
    /// The event that was answered, in base64.
    event: String,
}

/// A reply whose commands have no outcome yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PendingReply {
    /// The part of the keys of the commands that identifies the event.
    pub(super) event: String,
    pub(super) connection: ConnectionId,
    pub(super) conversation: ConversationId,
    pub(super) commands: Vec<Command>,
    /// When commands that were not sent yet fail, in milliseconds since 1970.
    pub(super) until: i64,
}

impl ReplyRecord {
    pub(super) fn new(reply: PendingReply, event: &[u8]) -> Self {
        Self { reply, event: BASE64_STANDARD.encode(event) }
    }

    /// The event that was answered.
    pub(super) fn event(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&self.event).ok()
    }
}

/// Writes a record.
pub(super) fn put(key: RecordKey, value: &impl Serialize) -> Change {
    // The values here can always be serialized.
    let value = serde_json::to_vec(value).unwrap_or_default();
    Change::Put(Table::Notes, Record::new(key, value))
}

/// Writes a record that contains secrets: sealed, if there is a seal.
pub(super) fn put_secret(seal: Option<&Seal>, key: RecordKey, value: &impl Serialize) -> Change {
    let plain = serde_json::to_vec(value).unwrap_or_default();
    let value = match seal {
        // The values here are short enough to be sealed.
        Some(seal) => seal.close(key.as_bytes(), &plain).unwrap_or_default(),
        None => plain,
    };
    Change::Put(Table::Notes, Record::new(key, value))
}

/// Reads the value of a record that may be sealed.
///
/// # Errors
/// It is sealed with another key, or cannot be parsed.
pub(super) fn open<T: DeserializeOwned>(
    seal: Option<&Seal>,
    key: &RecordKey,
    value: &[u8],
) -> Result<T, UnreadableError> {
    Ok(serde_json::from_slice(&Seal::open(seal, key.as_bytes(), value)?)?)
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreadableError {
    #[error(transparent)]
    Sealed(#[from] SealError),
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

/// Removes a record.
pub(super) fn remove(key: RecordKey) -> Change {
    Change::Remove(Table::Notes, key)
}

/// Returns a record; `None` if it is missing or cannot be parsed.
pub(super) fn get<T: DeserializeOwned>(store: &dyn Store, key: &RecordKey) -> Result<Option<T>, StoreError> {
    Ok(store.get(Table::Notes, key)?.and_then(|value| serde_json::from_slice(&value).ok()))
}

/// Returns every record whose key begins with `prefix`.
pub(super) fn scan(store: &dyn Store, prefix: &RecordKey) -> Result<Vec<Record>, StoreError> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let page = store.scan(Table::Notes, prefix, records.last().map(|record| &record.key), PAGE)?;
        let is_last = page.len() < PAGE;
        records.extend(page);
        if is_last {
            return Ok(records);
        }
    }
}

/// Returns the delivery log after the line named `after`, newest first, at most `limit` lines, each with its name.
pub(super) fn log(
    store: &dyn Store,
    id: &WebhookId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Delivery)>, StoreError> {
    let prefix = attempts(id);
    let after = after.map(|after| prefix.with(after));
    let lines = store.scan(Table::Notes, &prefix, after.as_ref(), limit)?;
    let line = |found: Record| Some((found.key.parts()?.pop()?, serde_json::from_slice(&found.value).ok()?));
    Ok(lines.into_iter().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_records_sort_by_lane_and_offset_and_attempts_newest_first() {
        let id = WebhookId::from("w");
        let (one, other) = (Lane::named("conversation:a"), Lane::named("conversation:b"));
        let keys = [kept(&id, &one, 9), kept(&id, &one, 10), kept(&id, &one, u64::MAX), kept(&id, &other, 1)];
        assert!(keys.is_sorted());
        assert!(attempt(&id, 10) < attempt(&id, 9));
    }

    #[test]
    fn kept_records_survive_a_round_trip() {
        let head = Head { failed: 2, tried: 5, due: 77 };
        for content in [Content::Event, Content::Gap { missed: None }, Content::Gap { missed: Some(3) }] {
            let written = serde_json::to_vec(&KeptRecord::of(&Item { offset: 1, content }, head)).unwrap();
            let read: KeptRecord = serde_json::from_slice(&written).unwrap();
            assert_eq!((read.content(), read.head()), (content, head));
        }
        let reply = PendingReply {
            event: "e-1".to_owned(),
            connection: "bots-1".into(),
            conversation: "c".into(),
            commands: vec![Command::Close, Command::CloseAtOnce],
            until: 7,
        };
        let written = serde_json::to_vec(&ReplyRecord::new(reply.clone(), b"{}")).unwrap();
        let read: ReplyRecord = serde_json::from_slice(&written).unwrap();
        assert_eq!((read.event(), read.reply), (Some(b"{}".to_vec()), reply));
        let letter = Item { offset: 1, content: Content::Letter };
        let written = serde_json::to_vec(&KeptRecord::of(&letter, head).with_letter(b"{}")).unwrap();
        let read: KeptRecord = serde_json::from_slice(&written).unwrap();
        assert_eq!((read.content(), read.body()), (Content::Letter, Some(b"{}".to_vec())));
    }

    #[test]
    fn a_record_with_secrets_is_sealed_if_there_is_a_seal() {
        let seal = Seal::new(&"a key".into());
        let key = definition(&WebhookId::from("w"));
        for seal in [None, Some(&seal)] {
            let Change::Put(_, record) = put_secret(seal, key.clone(), &"whsec_x") else {
                panic!("a record is written")
            };
            let is_plain = String::from_utf8(record.value.to_vec()).unwrap().contains("whsec_x");
            assert_eq!(is_plain, seal.is_none());
            assert_eq!(open::<String>(seal, &record.key, &record.value).unwrap(), "whsec_x");
        }
        let Change::Put(_, sealed) = put_secret(Some(&seal), key, &"whsec_x") else { panic!("a record is written") };
        assert!(matches!(open::<String>(None, &sealed.key, &sealed.value), Err(UnreadableError::Sealed(_))));
    }
}
