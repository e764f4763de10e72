//! Dead letters: notifications, commands and deliveries that could not be handled. Each is kept with its bytes and the
//! reason, so that an operator can read it and retry it.

use std::{
    collections::VecDeque,
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::{Deserialize, Serialize};
use tertulia_core::id::{ConnectionId, ConversationId};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    engine::{Change, Journal, Record, RecordKey, Step, StoreError, Table},
    metrics::Metrics,
};

/// How long to wait until the removal of a letter is durable.
const KEPT_WITHIN: Duration = Duration::from_secs(10);

/// The id of a dead letter. Ids grow with time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct DeadLetterId(Arc<str>);

impl DeadLetterId {
    fn next() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn record_key(&self) -> RecordKey {
        RecordKey::of(&[self.as_str()])
    }
}

impl From<&str> for DeadLetterId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of a dead letter, which decides what its bytes are.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeadLetterKind {
    /// The state of a conversation, as sent.
    State,
    /// A frame with message records of a conversation.
    Records,
    /// A response of the platform with a conversation's history.
    Answer,
    /// One record of a conversation's history, as sent.
    Record,
    /// A range of a conversation's history that the platform refuses, as JSON.
    History,
    /// A caller's command and its key, as JSON.
    Command,
    /// A frame or webhook that could not be assigned to a conversation, as sent.
    Frame,
    /// An event that a subscriber's sink panicked on or that could not be delivered, as JSON.
    Delivery,
}

/// A notification, command or delivery that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// When the attempt was given up.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub time: jiff::Timestamp,
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// The conversation it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// The subscriber, if it is a delivery.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subscriber: Option<Arc<str>>,
    /// The kind of the bytes.
    pub kind: DeadLetterKind,
    /// Why handling failed. The reason may quote a message, so it is never logged.
    pub reason: String,
    /// The bytes, in base64 in JSON.
    #[serde(with = "base64_text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, content_encoding = "base64"))]
    pub body: Bytes,
    /// Whether the bytes were truncated, because there were more than [`DeadLetterLimits::body_bytes`].
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_cut: bool,
}

/// Limits on the dead letters kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterLimits {
    /// Number of letters; beyond it the oldest letter is removed. Default 10,000.
    pub letters: usize,
    /// Total bytes of all bodies and reasons; beyond it the oldest letter is removed. Default 64 MiB.
    pub bytes: usize,
    /// Bytes of one body, and of one reason; the rest is cut off. Default 1 MiB.
    pub body_bytes: usize,
    /// Letters per second, over all connections, for input of the platform that cannot be parsed; the rest is only
    /// counted. Default 10.
    pub unreadable_per_second: NonZeroU32,
}

impl Default for DeadLetterLimits {
    fn default() -> Self {
        Self {
            letters: 10_000,
            bytes: 64 << 20,
            body_bytes: 1 << 20,
            unreadable_per_second: NonZeroU32::MIN.saturating_add(9),
        }
    }
}

/// A dead letter without an id yet.
pub(crate) struct Unhandled<'a> {
    pub(crate) connection: &'a ConnectionId,
    pub(crate) conversation: Option<&'a ConversationId>,
    pub(crate) kind: DeadLetterKind,
    pub(crate) reason: String,
    pub(crate) body: &'a [u8],
}

/// The newest dead letters, in memory and, with a journal, in the store.
pub struct DeadLetters {
    limits: DeadLetterLimits,
    held: Mutex<Held>,
    unreadable: DefaultDirectRateLimiter,
    metrics: Arc<Metrics>,
    journal: Arc<Journal>,
}

/// The letters by id, which is the order of time.
#[derive(Default)]
struct Held {
    letters: VecDeque<Arc<DeadLetter>>,
    bytes: usize,
}

impl Held {
    fn position(&self, id: &DeadLetterId) -> Option<usize> {
        self.letters.binary_search_by(|letter| letter.id.cmp(id)).ok()
    }

    fn take(&mut self, position: usize) -> Option<Arc<DeadLetter>> {
        let letter = self.letters.remove(position)?;
        self.bytes -= letter.bytes();
        Some(letter)
    }
}

impl DeadLetter {
    fn bytes(&self) -> usize {
        self.body.len() + self.reason.len()
    }
}

impl DeadLetters {
    /// Begins with no letters.
    pub(crate) fn new(limits: DeadLetterLimits, metrics: Arc<Metrics>, journal: Arc<Journal>) -> Self {
        let unreadable = RateLimiter::direct(Quota::per_second(limits.unreadable_per_second));
        Self { limits, held: Mutex::default(), unreadable, metrics, journal }
    }

    /// Restores the dead letters of a previous run. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn restore(&self) -> Result<(), StoreError> {
        let Some(store) = self.journal.store() else { return Ok(()) };
        let records = store.scan(Table::DeadLetters, &RecordKey::of(&[]), None, usize::MAX)?;
        let mut held = self.lock();
        for letter in records.iter().filter_map(|record| serde_json::from_slice::<DeadLetter>(&record.value).ok()) {
            held.bytes += letter.bytes();
            held.letters.push_back(Arc::new(letter));
        }
        self.make_room(&mut held);
        self.show(&held);
        Ok(())
    }

    /// Keeps input that an actor panicked on. Not rate-limited, because the restart policies bound it.
    pub(crate) fn put(&self, unhandled: Unhandled<'_>) {
        self.write(unhandled, None);
    }

    /// Keeps an event that a subscriber's sink panicked on.
    pub(crate) fn put_delivery(&self, subscriber: Arc<str>, unhandled: Unhandled<'_>) {
        self.write(unhandled, Some(subscriber));
    }

    /// Keeps an event that could not be delivered to an external receiver, as the JSON that was sent. `subscriber`
    /// identifies the receiver.
    pub fn put_undelivered(
        &self,
        subscriber: &str,
        connection: &ConnectionId,
        conversation: Option<&ConversationId>,
        reason: String,
        body: &[u8],
    ) {
        let kind = DeadLetterKind::Delivery;
        self.write(Unhandled { connection, conversation, kind, reason, body }, Some(subscriber.into()));
    }

    /// Keeps input of the platform that cannot be parsed, at most as often as the limits allow.
    pub(crate) fn put_unreadable(&self, unhandled: Unhandled<'_>) {
        if self.unreadable.check().is_ok() {
            self.write(unhandled, None);
        }
    }

    /// The one place where a dead letter is written.
    fn write(&self, unhandled: Unhandled<'_>, subscriber: Option<Arc<str>>) {
        let Unhandled { connection, conversation, kind, mut reason, body } = unhandled;
        let limit = self.limits.body_bytes;
        reason.truncate(reason.floor_char_boundary(limit));
        // A copy: a slice would keep the whole buffer of the socket in memory.
        let kept = Bytes::copy_from_slice(&body[..body.len().min(limit)]);
        let mut held = self.lock();
        let letter = Arc::new(DeadLetter {
            // The id is created under the lock, so that letters are ordered by id.
            id: DeadLetterId::next(),
            time: jiff::Timestamp::now(),
            connection: connection.clone(),
            conversation: conversation.cloned(),
            subscriber,
            kind,
            reason,
            is_cut: kept.len() < body.len(),
            body: kept,
        });
        self.metrics.dead_letters.inc();
        // The names and values of a letter can always be serialized.
        if let Ok(value) = serde_json::to_vec(&*letter) {
            self.keep(Change::Put(Table::DeadLetters, Record::new(letter.id.record_key(), value)));
        }
        held.bytes += letter.bytes();
        held.letters.push_back(letter);
        self.make_room(&mut held);
        self.show(&held);
    }

    fn make_room(&self, held: &mut Held) {
        while held.letters.len() > self.limits.letters || held.bytes > self.limits.bytes {
            let Some(oldest) = held.take(0) else { break };
            self.keep(Change::Remove(Table::DeadLetters, oldest.id.record_key()));
        }
    }

    fn keep(&self, change: Change) {
        if self.journal.keeps() {
            self.journal.append(Step { changes: vec![change], ..Step::default() });
        }
    }

    /// Returns at most `limit` letters after the id `after`, oldest first.
    #[must_use]
    pub fn list(&self, after: Option<&DeadLetterId>, limit: usize) -> Vec<Arc<DeadLetter>> {
        let held = self.lock();
        let first = after.map_or(0, |after| held.letters.partition_point(|letter| letter.id <= *after));
        held.letters.iter().skip(first).take(limit).cloned().collect()
    }

    /// Returns one letter, if it is still kept.
    #[must_use]
    pub fn get(&self, id: &DeadLetterId) -> Option<Arc<DeadLetter>> {
        let held = self.lock();
        held.position(id).and_then(|position| held.letters.get(position)).cloned()
    }

    /// Removes one letter. Returns the letter when its removal is durable.
    ///
    /// # Errors
    /// [`ReplayError::Unknown`], or [`ReplayError::NotKept`] after ten seconds: the letter may return with the next
    /// start.
    pub async fn remove(&self, id: &DeadLetterId) -> Result<Arc<DeadLetter>, ReplayError> {
        let letter = self.take(id).ok_or_else(|| ReplayError::Unknown(id.clone()))?;
        match timeout(KEPT_WITHIN, self.journal.settled()).await {
            Ok(true) => Ok(letter),
            Ok(false) | Err(_) => Err(ReplayError::NotKept(id.clone())),
        }
    }

    /// Removes the letters that are still kept. Returns the number of removed letters when the removal is durable.
    ///
    /// # Errors
    /// [`ReplayError::NotKept`] with the last letter, if the removal is not durable after ten seconds. The letters may
    /// then be there again after a restart.
    pub async fn remove_all(&self, ids: &[DeadLetterId]) -> Result<usize, ReplayError> {
        let removed = ids.iter().filter(|id| self.take(id).is_some()).count();
        match (timeout(KEPT_WITHIN, self.journal.settled()).await, ids.last()) {
            (Ok(false) | Err(_), Some(last)) => Err(ReplayError::NotKept(last.clone())),
            _ => Ok(removed),
        }
    }

    fn take(&self, id: &DeadLetterId) -> Option<Arc<DeadLetter>> {
        let mut held = self.lock();
        let letter = held.position(id).and_then(|position| held.take(position))?;
        self.keep(Change::Remove(Table::DeadLetters, id.record_key()));
        self.show(&held);
        Some(letter)
    }

    fn show(&self, held: &Held) {
        self.metrics.dead_letters_held.set(i64::try_from(held.letters.len()).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a dead letter was not retried or removed. It is still kept.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// No dead letter has this id any more.
    #[error("dead letter {0} does not exist")]
    Unknown(DeadLetterId),
    /// It is a response or a delivery, which nobody waits for any more, or it was truncated.
    #[error("dead letter {0} is read-only and cannot be retried")]
    NotReplayable(DeadLetterId),
    /// Its connection does not run, or its conversation is not in memory or is in quarantine.
    #[error("nothing can process dead letter {0} now")]
    NobodyThere(DeadLetterId),
    /// Too many notifications or commands wait there already.
    #[error("no room for dead letter {0} now")]
    Overloaded(DeadLetterId),
    /// The removal did not become durable.
    #[error("dead letter {0} may return after a restart: the store did not record its removal")]
    NotKept(DeadLetterId),
}

mod base64_text {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        num::NonZeroUsize,
        pin::pin,
        sync::atomic::{AtomicBool, Ordering},
    };

    use tertulia_core::time::Timestamp;

    use super::*;
    use crate::engine::{
        Cluster, Commit, CommitError, Committed, History, MemoryStore, NewEvent, Retention, Store, StoreError,
    };

    fn letters(limits: DeadLetterLimits) -> DeadLetters {
        DeadLetters::new(limits, Arc::default(), Journal::forgetful())
    }

    fn put(letters: &DeadLetters, body: &[u8]) {
        letters.put(unhandled(&"bot-1".into(), body));
    }

    fn unhandled<'a>(connection: &'a ConnectionId, body: &'a [u8]) -> Unhandled<'a> {
        Unhandled { connection, conversation: None, kind: DeadLetterKind::State, reason: String::new(), body }
    }

    fn bodies(letters: &DeadLetters) -> Vec<Vec<u8>> {
        letters.list(None, usize::MAX).iter().map(|letter| letter.body.to_vec()).collect()
    }

    #[test]
    fn the_newest_are_kept_by_number() {
        let letters = letters(DeadLetterLimits { letters: 2, ..DeadLetterLimits::default() });
        [b"1", b"2", b"3"].iter().for_each(|body| put(&letters, *body));
        assert_eq!(bodies(&letters), [b"2", b"3"]);
        assert_eq!(letters.metrics.dead_letters.get(), 3);
        assert_eq!(letters.metrics.dead_letters_held.get(), 2);
    }

    #[test]
    fn the_newest_are_kept_by_bytes() {
        let letters = letters(DeadLetterLimits { bytes: 5, ..DeadLetterLimits::default() });
        [b"12", b"34", b"56"].iter().for_each(|body| put(&letters, *body));
        assert_eq!(bodies(&letters), [b"34", b"56"]);
        put(&letters, b"more than there is room for");
        assert!(bodies(&letters).is_empty());
        assert_eq!(letters.lock().bytes, 0);
    }

    #[test]
    fn a_long_body_is_cut_and_says_so() {
        let letters = letters(DeadLetterLimits { body_bytes: 2, ..DeadLetterLimits::default() });
        put(&letters, b"123");
        put(&letters, b"12");
        let listed = letters.list(None, 2);
        assert_eq!((&*listed[0].body, listed[0].is_cut), (&b"12"[..], true));
        assert_eq!((&*listed[1].body, listed[1].is_cut), (&b"12"[..], false));
    }

    #[tokio::test]
    async fn letters_are_listed_in_pages_and_removed_by_id() {
        let letters = letters(DeadLetterLimits::default());
        [b"1", b"2", b"3", b"4"].iter().for_each(|body| put(&letters, *body));
        let page = letters.list(None, 2);
        assert_eq!(letters.list(Some(&page[1].id), 1)[0].body, "3");
        assert_eq!(letters.remove(&page[1].id).await.unwrap().body, "2");
        assert_eq!(letters.remove(&page[1].id).await, Err(ReplayError::Unknown(page[1].id.clone())));
        assert_eq!(letters.get(&page[0].id).map(|letter| letter.id.clone()), Some(page[0].id.clone()));
        assert_eq!(letters.list(Some(&page[1].id), 1)[0].body, "3", "a page continues after a removed letter");
    }

    #[test]
    fn what_cannot_be_read_fills_no_more_than_its_rate() {
        let limits = DeadLetterLimits { unreadable_per_second: NonZeroU32::MIN, ..DeadLetterLimits::default() };
        let (letters, connection) = (letters(limits), ConnectionId::from("bot-1"));
        (0..100).for_each(|_| letters.put_unreadable(unhandled(&connection, b"{")));
        assert!(bodies(&letters).len() < 100);
        assert!(!bodies(&letters).is_empty());
    }

    #[test]
    fn a_letter_survives_being_written_and_read() {
        let letters = letters(DeadLetterLimits::default());
        put(&letters, &[0, 159, 146, 150]);
        let letter = letters.list(None, 1).remove(0);
        let text = serde_json::to_string(&*letter).unwrap();
        assert_eq!(serde_json::from_str::<DeadLetter>(&text).unwrap(), *letter);
    }

    #[tokio::test]
    async fn letters_outlive_the_process_those_that_were_removed_or_pushed_out_do_not() {
        let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
        let limits = DeadLetterLimits { letters: 2, ..DeadLetterLimits::default() };
        let life = || {
            let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
            let letters = DeadLetters::new(limits, Arc::default(), Arc::clone(&journal));
            letters.restore().unwrap();
            (letters, journal)
        };
        let (letters, _journal) = life();
        [b"1", b"2", b"3"].iter().for_each(|body| put(&letters, *body));
        letters.remove(&letters.list(None, 1)[0].id).await.unwrap();
        let (again, _) = life();
        assert_eq!(bodies(&again), [b"3"]);
        assert_eq!(again.list(None, 1), letters.list(None, 1));
        assert_eq!(again.metrics.dead_letters_held.get(), 1);
    }

    /// A store that refuses commits on request.
    struct Refusing {
        store: MemoryStore,
        refuses: AtomicBool,
    }

    impl Store for Refusing {
        fn history(&self) -> History {
            self.store.history()
        }

        fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
            if self.refuses.load(Ordering::SeqCst) {
                return Err(StoreError::new("commit", "there is no room").into());
            }
            self.store.commit(commit)
        }

        fn cluster(&self) -> Arc<dyn Cluster> {
            self.store.cluster()
        }

        fn last_commit(&self) -> u64 {
            self.store.last_commit()
        }

        fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
            self.store.keep_house(now, oldest, letters)
        }

        fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
            self.store.events(after, limit)
        }

        fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
            self.store.get(table, key)
        }

        fn scan(
            &self,
            table: Table,
            prefix: &RecordKey,
            after: Option<&RecordKey>,
            limit: usize,
        ) -> Result<Vec<Record>, StoreError> {
            self.store.scan(table, prefix, after, limit)
        }
    }

    #[tokio::test]
    async fn a_letter_is_removed_once_that_is_durable() {
        let store = Arc::new(Refusing { store: MemoryStore::new(NonZeroUsize::MIN), refuses: AtomicBool::new(false) });
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
        let letters = DeadLetters::new(DeadLetterLimits::default(), Arc::default(), Arc::clone(&journal));
        put(&letters, b"1");
        assert!(journal.settled().await);

        store.refuses.store(true, Ordering::SeqCst);
        let id = letters.list(None, 1)[0].id.clone();
        let kept = || store.get(Table::DeadLetters, &id.record_key()).unwrap().is_some();
        let mut removing = pin!(letters.remove(&id));
        assert!(timeout(Duration::from_millis(20), &mut removing).await.is_err(), "nothing of it is durable");
        assert!(kept());
        store.refuses.store(false, Ordering::SeqCst);
        assert_eq!(removing.await.unwrap().id, id);
        assert!(!kept());
        journal.close();
    }
}
