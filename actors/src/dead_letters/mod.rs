//! Dead letters: notifications, commands and deliveries that could not be handled. Each is kept with its bytes and the
//! reason, so that an operator can read it and retry it.
//!
//! They are records of the store and nowhere else, so every process of a shared store lists the same letters. Without a
//! store they are in a store in memory of their own.

mod letter;
#[cfg(test)]
mod tests;

use std::{
    io,
    num::{NonZeroU32, NonZeroUsize},
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tertulia_core::id::{ConnectionId, ConversationId};
use tokio::time::timeout;

pub use letter::{DeadLetter, DeadLetterId, DeadLetterKind};

use crate::{
    engine::{Change, Journal, MemoryStore, Record, RecordKey, Retention, Step, Store, StoreError, Table},
    metrics::Metrics,
};

/// How long to wait until a letter or its removal is durable.
const KEPT_WITHIN: Duration = Duration::from_secs(10);
/// Letters that are read at a time, of up to 3 MiB each.
const PAGE: usize = 32;
/// So many new letters are a reason to keep house.
const MANY: usize = 1_000;

/// Limits on the dead letters kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterLimits {
    /// Number of letters. Housekeeping removes the oldest letters beyond it, every ten minutes and after as many new
    /// letters, or after 1,000. Default 10,000.
    pub letters: usize,
    /// Bytes of all letters as stored, in which a body takes a third more. Housekeeping removes the oldest letters
    /// beyond it, every ten minutes and after as many new bytes. Default 64 MiB.
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

/// The newest dead letters.
pub struct DeadLetters {
    limits: DeadLetterLimits,
    /// What was written since housekeeping began the last time. Also orders letters: an id is issued and its letter
    /// appended to the journal under this lock.
    written: Mutex<Written>,
    unreadable: DefaultDirectRateLimiter,
    metrics: Arc<Metrics>,
    journal: Arc<Journal>,
}

/// Letters and their bytes as stored.
#[derive(Clone, Copy, Default)]
struct Written {
    letters: usize,
    bytes: usize,
    /// Whether the letters before were beyond the limits when they were counted.
    is_over: bool,
}

impl DeadLetters {
    /// Dead letters in the store of `journal`. Without one, they begin empty and end with this.
    ///
    /// # Errors
    /// There is no store, and no thread could be started for one in memory.
    pub(crate) fn new(limits: DeadLetterLimits, metrics: Arc<Metrics>, journal: Arc<Journal>) -> io::Result<Self> {
        let unreadable = RateLimiter::direct(Quota::per_second(limits.unreadable_per_second));
        let journal = match journal.keeps() {
            true => journal,
            // It gets no events.
            false => Journal::start(Arc::new(MemoryStore::new(NonZeroUsize::MIN)), Retention::default())?,
        };
        Ok(Self { limits, written: Mutex::default(), unreadable, metrics, journal })
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
        let mut written = self.lock();
        let letter = DeadLetter {
            id: DeadLetterId::next(),
            time: jiff::Timestamp::now(),
            connection: connection.clone(),
            conversation: conversation.cloned(),
            subscriber,
            kind,
            reason,
            is_cut: kept.len() < body.len(),
            body: kept,
        };
        // The names and values of a letter can always be serialized.
        let Ok(value) = serde_json::to_vec(&letter) else { return };
        written.letters += 1;
        written.bytes += value.len();
        self.metrics.dead_letters_held.inc();
        let put = Change::Put(Table::DeadLetters, Record::new(letter.id.record_key(), value));
        self.journal.append(Step { changes: vec![put], ..Step::default() });
        // From now on it can be listed.
        self.metrics.dead_letters.inc();
    }

    /// Returns at most `limit` letters after the id `after`, oldest first. Waits until the letters of this process are
    /// durable, for ten seconds at most.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, after: Option<&DeadLetterId>, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.settle().await;
        let after = after.map(DeadLetterId::record_key);
        self.journal.read(move |store| page(store, after, limit)).await
    }

    /// Returns one letter, if it is still kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, id: &DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
        self.settle().await;
        let key = id.record_key();
        self.journal
            .read(move |store| {
                let value = store.get(Table::DeadLetters, &key)?;
                Ok(value.and_then(|value| DeadLetter::read(&Record::new(key, value))))
            })
            .await
    }

    /// Returns the number of letters that are kept, of all processes that share the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held(&self) -> Result<usize, StoreError> {
        if self.journal.tail_lag().is_none() {
            // Only this process writes and removes letters, and counts them.
            return Ok(usize::try_from(self.metrics.dead_letters_held.get()).unwrap_or_default());
        }
        self.journal.read(|store| store.count(Table::DeadLetters)).await
    }

    /// Removes one letter. Returns the letter when its removal is durable.
    ///
    /// # Errors
    /// [`ReplayError::Unknown`]; [`ReplayError::Unreadable`]; or [`ReplayError::NotKept`] after ten seconds: the letter
    /// may still be removed.
    pub async fn remove(&self, id: &DeadLetterId) -> Result<DeadLetter, ReplayError> {
        let found = self.get(id).await.map_err(|error| unreadable(id, &error))?;
        let letter = found.ok_or_else(|| ReplayError::Unknown(id.clone()))?;
        self.commit_removal(slice::from_ref(id)).await?;
        Ok(letter)
    }

    /// Removes the letters that are still kept. Returns the number of removed letters when the removal is durable.
    ///
    /// # Errors
    /// [`ReplayError::Unreadable`]; or [`ReplayError::NotKept`] with the last letter, if the removal is not durable
    /// after ten seconds. The letters may still be removed.
    pub async fn remove_all(&self, ids: &[DeadLetterId]) -> Result<usize, ReplayError> {
        let Some(last) = ids.last() else { return Ok(0) };
        self.settle().await;
        let ids = ids.to_vec();
        let kept = self.journal.read(move |store| {
            let mut kept = Vec::new();
            for id in ids {
                if store.get(Table::DeadLetters, &id.record_key())?.is_some() {
                    kept.push(id);
                }
            }
            Ok(kept)
        });
        let kept = kept.await.map_err(|error| unreadable(last, &error))?;
        self.commit_removal(&kept).await?;
        Ok(kept.len())
    }

    async fn commit_removal(&self, ids: &[DeadLetterId]) -> Result<(), ReplayError> {
        let Some(last) = ids.last() else { return Ok(()) };
        let removals = ids.iter().map(|id| Change::Remove(Table::DeadLetters, id.record_key())).collect();
        match timeout(KEPT_WITHIN, self.journal.keep(removals)).await {
            Ok(Ok(_)) => {
                self.metrics.dead_letters_held.dec_by(i64::try_from(ids.len()).unwrap_or(i64::MAX));
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(ReplayError::NotKept(last.clone())),
        }
    }

    /// Whether there are so many letters that [`DeadLetters::purge`] should not wait for its time.
    pub(crate) fn is_purge_due(&self) -> bool {
        let written = *self.lock();
        let is_much = written.letters >= self.limits.letters.clamp(1, MANY) || written.bytes >= self.limits.bytes;
        is_much || written.is_over
    }

    /// Removes the oldest letters beyond the limits, and what else the store need not keep any more; see
    /// [`Journal::purge`]. Returns the number of removed records.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn purge(&self, now: jiff::Timestamp) -> Result<usize, StoreError> {
        let sizes = self.measure().await?;
        let kept = newest_within(&sizes, self.limits);
        // Below the limits no letter is removed, whatever is written meanwhile.
        let letters = if kept == sizes.len() { usize::MAX } else { kept };
        let removed = self.journal.purge(now, letters).await?;
        self.show(kept, false);
        Ok(removed)
    }

    /// Counts the letters that the store has, for the metric and for [`DeadLetters::is_purge_due`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn count(&self) -> Result<(), StoreError> {
        let sizes = self.measure().await?;
        self.show(sizes.len(), newest_within(&sizes, self.limits) < sizes.len());
        Ok(())
    }

    /// Returns the size of each letter that the store has now, the oldest first. Later letters are counted as written.
    async fn measure(&self) -> Result<Vec<usize>, StoreError> {
        let now = {
            let mut written = self.lock();
            *written = Written::default();
            DeadLetterId::next().record_key()
        };
        self.settle().await;
        self.journal.read(move |store| sizes(store, &now)).await
    }

    fn show(&self, kept: usize, is_over: bool) {
        let mut written = self.lock();
        written.is_over = is_over;
        self.metrics.dead_letters_held.set(i64::try_from(kept + written.letters).unwrap_or(i64::MAX));
    }

    /// Waits until the letters of this process are durable. After ten seconds, what is durable by then must do.
    async fn settle(&self) {
        let _ = timeout(KEPT_WITHIN, self.journal.settled()).await;
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads at most `limit` letters with a key after `after`. Letters of an unknown format are skipped.
fn page(store: &dyn Store, mut after: Option<RecordKey>, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
    let mut letters = Vec::new();
    loop {
        let wanted = PAGE.min(limit - letters.len());
        let records = store.scan(Table::DeadLetters, &RecordKey::of(&[]), after.as_ref(), wanted)?;
        letters.extend(records.iter().filter_map(DeadLetter::read));
        if letters.len() == limit || records.len() < wanted {
            return Ok(letters);
        }
        after = records.into_iter().next_back().map(|record| record.key);
    }
}

/// The size of each letter up to the key `newest`, the oldest first.
fn sizes(store: &dyn Store, newest: &RecordKey) -> Result<Vec<usize>, StoreError> {
    let (mut sizes, mut after) = (Vec::new(), None);
    loop {
        let records = store.scan(Table::DeadLetters, &RecordKey::of(&[]), after.as_ref(), PAGE)?;
        sizes.extend(records.iter().filter(|record| record.key <= *newest).map(|record| record.value.len()));
        if records.len() < PAGE {
            return Ok(sizes);
        }
        after = records.into_iter().next_back().map(|record| record.key);
    }
}

/// How many of the newest letters, of these sizes from the oldest on, are within the limits.
fn newest_within(sizes: &[usize], limits: DeadLetterLimits) -> usize {
    let mut bytes = 0;
    let newest = sizes.iter().rev().take(limits.letters);
    let fits = |size: &&usize| {
        bytes += **size;
        bytes <= limits.bytes
    };
    newest.take_while(fits).count()
}

fn unreadable(id: &DeadLetterId, error: &StoreError) -> ReplayError {
    tracing::error!(%error, "the dead letters cannot be read");
    ReplayError::Unreadable(id.clone())
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
    /// The removal did not become durable in time.
    #[error("dead letter {0} may still exist: the store did not record its removal")]
    NotKept(DeadLetterId),
    /// The store could not be read.
    #[error("dead letter {0} cannot be read now: the store failed")]
    Unreadable(DeadLetterId),
}
