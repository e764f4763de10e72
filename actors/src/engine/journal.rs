//! The access to the store: one writer, which commits all waiting steps together, and concurrent readers. Nothing here
//! makes an arbiter wait for a disk.

use std::{
    fmt, mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tertulia_core::{placement::Acting, session::Backoff, time::Timestamp};
use tokio::sync::{Semaphore, oneshot, watch};

use super::{
    Change, Cluster, Commit, CommitError, Committed, LocalCluster, LogReader, NewEvent, SendGate, Store, StoreCopy,
    StoreError, StoredEvent, batch::Batch, validation::check_changes, window::Window,
};
use crate::metrics::Latency;

/// How long the first step of a commit waits for further steps.
const GATHER: Duration = Duration::from_millis(2);
/// With this many steps a commit starts at once.
const ENOUGH: usize = 64;
/// The most steps of one commit.
const TOGETHER: usize = 1_024;
/// How long one call waits for events of other writers.
const FOLLOW: Duration = Duration::from_millis(250);
/// The most events of other writers read at once.
const READ_TOGETHER: usize = 256;
/// The pauses between attempts of a failed commit.
const RETRY: Backoff =
    Backoff { floor: Duration::from_millis(100), base: Duration::from_millis(100), max: Duration::from_secs(5) };
/// The most concurrent reads.
const READS: usize = 4;
/// How often the store is checked while nothing is committed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The oldest events are deleted together, once there are this many more than are to be kept.
const TRIM_BEHIND: u64 = 4_096;

/// Called with the outcome of a step, on the writer's thread. It should do little more than send a message.
pub(crate) type AfterCommit = Box<dyn FnOnce(Result<Committed, CommitError>) + Send>;

/// An event for the log.
pub trait Loggable: Send + Sync {
    /// Serializes the event. Called on the writer's thread.
    fn stored(&self) -> NewEvent;

    /// Called when the event is durable and has its `offset` in the log `epoch`, on the writer's thread.
    fn committed(&self, epoch: &Arc<str>, offset: u64) {
        let _ = (epoch, offset);
    }
}

/// Events and changes that become durable together.
#[derive(Default)]
pub struct Step {
    /// The duty for which the step is made, if only its holder may make it. If another node has the duty, nothing of the
    /// step is kept.
    pub acting: Option<Acting>,
    /// The events.
    pub events: Vec<Arc<dyn Loggable>>,
    /// Changes of records.
    pub changes: Vec<Change>,
    /// Called with the outcome: the step is durable, or nothing of it was kept. Called on the writer's thread, or
    /// immediately if there is no store or the journal is closed. It should do little more than send a message.
    pub then: Option<AfterCommit>,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("events", &self.events.len())
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// How much of the log and of the records is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The number of newest events kept.
    pub events: u64,
    /// How long the outcome of a durable command is kept for a caller that submits the command again.
    pub answers: Duration,
    /// How long a conversation is kept after it has left its connection. The numbering of its events is kept with it.
    pub conversations: Duration,
}

impl Default for Retention {
    /// A million events, a day, a week.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { events: 1_000_000, answers: DAY, conversations: 7 * DAY }
    }
}

/// Makes steps durable, in the order of their arrival. Without a store it only counts events.
pub struct Journal {
    shared: Arc<Shared>,
    cluster: Arc<dyn Cluster>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    reading: Arc<Semaphore>,
}

struct Shared {
    keeps: bool,
    /// Dropped when the journal is closed, even if the journal is still referenced, so that another process can open
    /// the store.
    store: Mutex<Option<Arc<dyn Store>>>,
    epoch: Arc<str>,
    queue: Mutex<Queue>,
    /// Signals a waiting step or the closing of the journal.
    filled: Condvar,
    /// The newest durable event that readers know of.
    committed: watch::Sender<u64>,
    window: Window,
    /// Held while the window and `committed` advance, and during a commit, whose events need not be read back.
    advance: Mutex<()>,
    healthy: AtomicBool,
    commits: Latency,
    retention: Retention,
}

struct Queue {
    /// The newest event, if nothing is kept.
    counted: u64,
    waiting: Vec<Step>,
    /// Whether the writer is committing steps that it took from here.
    committing: bool,
    closed: bool,
}

impl Journal {
    /// Returns a journal without a store: events are numbered and go only to present subscribers.
    #[must_use]
    pub fn forgetful() -> Arc<Self> {
        let epoch = format!("{:x}", jiff::Timestamp::now().as_microsecond());
        Self::over(None, Arc::new(LocalCluster::default()), epoch.into(), 0, Retention::default())
    }

    /// Returns a journal that continues the log of `store`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |_, _| {
    /// use std::{num::NonZeroUsize, sync::Arc, time::Duration};
    /// use tertulia_actors::{
    ///     Tertulia,
    ///     engine::{Journal, MemoryStore, Retention},
    /// };
    ///
    /// // A store for tests. The package `tertulia` has a store on disk, `engine::embedded::EmbeddedStore`.
    /// let store = Arc::new(MemoryStore::new(NonZeroUsize::MAX));
    /// let journal = Journal::start(store, Retention::default())?;
    /// let tertulia = Tertulia::builder().journal(journal).start()?;
    /// tertulia.stop(Duration::from_secs(10)).await;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// No thread could be started for the writer.
    pub fn start(store: Arc<dyn Store>, retention: Retention) -> std::io::Result<Arc<Self>> {
        let history = store.history();
        let cluster = store.cluster();
        let journal = Self::over(Some(Arc::clone(&store)), cluster, history.epoch, history.newest, retention);
        if store.is_shared() {
            let store = Arc::clone(&store);
            journal.spawn("log-tail", move |shared| shared.follow(&*store))?;
        }
        journal.spawn("journal", move |shared| shared.write(&*store))?;
        Ok(journal)
    }

    fn spawn(&self, name: &str, run: impl FnOnce(&Shared) + Send + 'static) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn over(
        store: Option<Arc<dyn Store>>,
        cluster: Arc<dyn Cluster>,
        epoch: Arc<str>,
        newest: u64,
        retention: Retention,
    ) -> Arc<Self> {
        Arc::new(Self {
            cluster,
            shared: Arc::new(Shared {
                keeps: store.is_some(),
                store: Mutex::new(store),
                epoch,
                queue: Mutex::new(Queue { counted: newest, waiting: Vec::new(), committing: false, closed: false }),
                filled: Condvar::new(),
                committed: watch::Sender::new(newest),
                window: Window::default(),
                advance: Mutex::new(()),
                healthy: AtomicBool::new(true),
                commits: Latency::default(),
                retention,
            }),
            threads: Mutex::default(),
            reading: Arc::new(Semaphore::new(READS)),
        })
    }

    /// Identifies this log.
    #[must_use]
    pub fn epoch(&self) -> &Arc<str> {
        &self.shared.epoch
    }

    /// The nodes that share the store; without a store, this process alone.
    #[must_use]
    pub fn cluster(&self) -> &Arc<dyn Cluster> {
        &self.cluster
    }

    /// Waits while this process may not act, before something is sent to others; `false` if it may never act again.
    pub async fn may_act(&self) -> bool {
        SendGate::new(self.cluster.standing()).pass().await.is_ok()
    }

    /// The store itself, for callers that may block.
    pub(crate) fn store(&self) -> Option<Arc<dyn Store>> {
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether there is a store.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.shared.keeps
    }

    /// How much is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.shared.retention
    }

    /// Returns whether the last commit succeeded and the store's files are still in place. A failed commit is repeated.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Relaxed)
    }

    /// The duration of successful commits.
    #[must_use]
    pub fn commits(&self) -> &Latency {
        &self.shared.commits
    }

    /// The number of steps that wait for a commit.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.queue().waiting.len()
    }

    /// Appends one step. Never blocks, because an arbiter whose thread stands still misses its timers. What waits here is
    /// limited where it enters the process: most steps occupy the place of their frame until they are durable, and while
    /// no place is free no socket is read; others are commands, whose number is limited too.
    ///
    /// A step with a key that no store accepts is refused at once: its commit would be repeated without end, and with it
    /// no other step could be kept.
    pub fn append(&self, step: Step) {
        if self.keeps()
            && let Err(error) = check_changes(&step.changes)
        {
            tracing::error!(%error, events = step.events.len(), "a step cannot be kept");
            if let Some(then) = step.then {
                then(Err(error.into()));
            }
            return;
        }
        let mut queue = self.shared.queue();
        if self.keeps() && !queue.closed {
            queue.waiting.push(step);
            let count = queue.waiting.len();
            drop(queue);
            if count == 1 || count == ENOUGH {
                self.shared.filled.notify_one();
            }
            return;
        }
        let first = queue.counted + 1;
        queue.counted += step.events.len() as u64;
        drop(queue);
        let outcome = if self.keeps() { Err(closed()) } else { Ok(Committed { first, not_new: Vec::new() }) };
        if outcome.is_ok() {
            for (offset, event) in (first..).zip(&step.events) {
                event.committed(self.epoch(), offset);
            }
        }
        if let Some(then) = step.then {
            then(outcome);
        }
    }

    /// Appends changes of records as one step. The future completes with the outcome; without a store at once. The step
    /// is appended when this returns, whether or not the future is awaited.
    pub fn keep(&self, changes: Vec<Change>) -> impl Future<Output = Result<Committed, CommitError>> + Send + use<> {
        self.keep_for(None, changes)
    }

    /// Appends changes like [`Self::keep`], for a duty.
    pub fn keep_for(
        &self,
        acting: Option<Acting>,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<Committed, CommitError>> + Send + use<> {
        let (reply, outcome) = oneshot::channel();
        let then: AfterCommit = Box::new(move |outcome| drop(reply.send(outcome)));
        self.append(Step { acting, changes, then: Some(then), ..Step::default() });
        async move { outcome.await.unwrap_or_else(|_| Err(closed())) }
    }

    /// Waits until every step appended before is durable or was refused; `false` if the journal was closed before.
    pub async fn settled(&self) -> bool {
        {
            let queue = self.shared.queue();
            if queue.waiting.is_empty() && !queue.committing {
                return !queue.closed;
            }
        }
        self.keep(Vec::new()).await.is_ok()
    }

    /// Reads from the store on another thread.
    ///
    /// # Errors
    /// The error of `read`, or that there is no store or the process is ending.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let failed = |reason: &dyn fmt::Display| StoreError::new("read", reason);
        let store = self.store().ok_or_else(|| failed(&"nothing is kept, or it was closed"))?;
        let _turn = self.reading.acquire().await.map_err(|error| failed(&error))?;
        tokio::task::spawn_blocking(move || read(&*store)).await.map_err(|error| failed(&error))?
    }

    /// Makes a consistent copy of the store on another thread; see [`Store::copy`]. The copy has every step appended
    /// before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn copy(&self) -> Result<StoreCopy, StoreError> {
        let failed = |reason: &dyn fmt::Display| StoreError::new("copy itself", reason);
        let store = self.store().ok_or_else(|| failed(&"nothing is kept, or it was closed"))?;
        if !self.settled().await {
            return Err(failed(&"it was closed"));
        }
        // Not counted as a read: a copy takes long and would occupy the place of a read.
        tokio::task::spawn_blocking(move || store.copy()).await.map_err(|error| failed(&error))?
    }

    /// Returns a reader of the log after the offset `after`. It waits for events that are not durable yet.
    #[must_use]
    pub fn reader(self: &Arc<Self>, after: u64) -> LogReader {
        LogReader::new(Arc::clone(self), self.shared.committed.subscribe(), after)
    }

    /// The offset of the newest durable event.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.shared.committed.borrow()
    }

    /// The number of events found damaged since the store was opened. Readers get a gap in their place.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.store().map_or(0, |store| store.damaged())
    }

    /// The name of each part of the store, including the newest events kept for readers, and its memory in bytes.
    #[must_use]
    pub fn memory(&self) -> Vec<(&'static str, u64)> {
        let newest_events = ("newest_events", self.shared.window.bytes() as u64);
        let mut parts = self.store().map_or_else(Vec::new, |store| store.memory());
        parts.push(newest_events);
        parts
    }

    pub(super) fn window(&self) -> &Window {
        &self.shared.window
    }

    /// Commits the waiting steps, accepts no more, and drops the store. Blocks until then.
    pub fn close(&self) {
        self.shared.queue().closed = true;
        self.shared.filled.notify_all();
        let threads = mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of the writer's thread.
    fn write(&self, store: &dyn Store) {
        let (mut number, mut given_up) = (store.last_commit(), None);
        while let Some(steps) = self.gather(store) {
            let mut steps = steps.into_iter().peekable();
            while let Some(batch) = Batch::next(&mut steps) {
                // A step kept after one that was not would leave a hole in the log.
                match &given_up {
                    Some(error) => batch.refuse(error),
                    None => given_up = self.commit_or_refuse(store, batch, &mut number).err(),
                }
            }
            self.queue().committing = false;
            self.delete_oldest(store);
        }
    }

    /// Commits a batch, without the steps of duties that other nodes have, and gives every step its outcome. The error
    /// says why nothing more can be committed.
    fn commit_or_refuse(&self, store: &dyn Store, mut batch: Batch, number: &mut u64) -> Result<(), CommitError> {
        loop {
            if !batch.is_empty() {
                *number += 1;
            }
            match self.commit(store, &mut batch, *number) {
                Ok(committed) => {
                    batch.finish(&self.epoch, &committed);
                    return Ok(());
                }
                Err(CommitError::Lost(duties)) => {
                    tracing::warn!(?duties, "other nodes have these duties; what was done for them is not kept");
                    batch = batch.without(&duties);
                }
                Err(error) => {
                    batch.refuse(&error);
                    return Err(error);
                }
            }
        }
    }

    /// Commits a batch, and repeats a failed commit until its outcome is known or the journal is closed. Readers then
    /// find its events.
    fn commit(&self, store: &dyn Store, batch: &mut Batch, number: u64) -> Result<Committed, CommitError> {
        if batch.is_empty() {
            return Ok(Committed { first: self.newest() + 1, not_new: Vec::new() });
        }
        let _advance = self.advance();
        let commit = batch.commit(number);
        let committed = match self.try_to_commit(store, &commit) {
            Ok(committed) => committed,
            Err(error) => {
                batch.take_back(commit);
                return Err(error);
            }
        };
        let events = commit.events;
        let last = committed.first + events.len() as u64 - 1;
        if committed.first > self.newest() + 1 {
            self.read_up_to(store, committed.first - 1);
        }
        let stored = (committed.first..).zip(events).map(|(offset, event)| self.stored(offset, event));
        self.advance_to(last, stored.collect());
        Ok(committed)
    }

    /// The loop of the thread that follows the events of other writers.
    fn follow(&self, store: &dyn Store) {
        let mut tries = 0;
        while !self.queue().closed {
            match store.newer(self.newest(), FOLLOW) {
                Ok(newest) => {
                    tries = 0;
                    let _advance = self.advance();
                    self.read_up_to(store, newest);
                }
                Err(error) => {
                    tracing::error!(%error, "new events of other writers cannot be read");
                    thread::sleep(RETRY.delay(tries, rand::random()).min(FOLLOW));
                    tries += 1;
                }
            }
        }
    }

    fn advance(&self) -> MutexGuard<'_, ()> {
        self.advance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self) -> u64 {
        *self.committed.borrow()
    }

    fn stored(&self, offset: u64, event: NewEvent) -> Arc<StoredEvent> {
        Arc::new(StoredEvent::new(&self.epoch, offset, event))
    }

    /// Reads the events of other writers up to `newest` into the window. Events that cannot be read are left to readers,
    /// who find out why.
    fn read_up_to(&self, store: &dyn Store, newest: u64) {
        while self.newest() < newest {
            let next = self.newest() + 1;
            let limit = usize::try_from(newest - self.newest()).unwrap_or(READ_TOGETHER).min(READ_TOGETHER);
            let events = store.events(self.newest(), limit).unwrap_or_default();
            let is_dense = (next..).zip(&events).all(|(expected, (offset, _))| expected == *offset);
            if events.is_empty() || !is_dense {
                return self.advance_to(newest, Vec::new());
            }
            let stored: Vec<_> = events.into_iter().map(|(offset, event)| self.stored(offset, event)).collect();
            let last = next + stored.len() as u64 - 1;
            self.advance_to(last, stored);
        }
    }

    /// Lets readers know of the events up to `newest`, of which `events` are the last ones.
    fn advance_to(&self, newest: u64, events: Vec<Arc<StoredEvent>>) {
        self.window.extend(events);
        self.committed.send_if_modified(|committed| mem::replace(committed, newest.max(*committed)) < newest);
    }

    /// Deletes the oldest events, if many more than are to be kept have come.
    fn delete_oldest(&self, store: &dyn Store) {
        let history = store.history();
        let keep_from = history.newest.saturating_sub(self.retention.events) + 1;
        if keep_from > history.oldest + TRIM_BEHIND
            && let Err(error) = store.keep_house(Timestamp(i64::MIN), keep_from, usize::MAX)
        {
            tracing::error!(%error, "the oldest events cannot be deleted");
        }
    }

    /// Waits for the next steps to commit; `None` when the journal is closed and empty.
    fn gather(&self, store: &dyn Store) -> Option<Vec<Step>> {
        let idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.closed;
        let queue = loop {
            let waited = self.filled.wait_timeout_while(self.queue(), LOOK_EVERY, idle);
            let (queue, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if !timeout.timed_out() {
                break queue;
            }
            drop(queue);
            self.look_at(store);
        };
        let few = |queue: &mut Queue| queue.waiting.len() < ENOUGH && !queue.closed;
        let (mut queue, _) = self.filled.wait_timeout_while(queue, GATHER, few).unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.is_empty() {
            return None;
        }
        let steps = if queue.waiting.len() <= TOGETHER {
            mem::take(&mut queue.waiting)
        } else {
            queue.waiting.drain(..TOGETHER).collect()
        };
        queue.committing = true;
        Some(steps)
    }

    /// Checks the store while nothing is committed, because no commit would show that it is unusable.
    fn look_at(&self, store: &dyn Store) {
        let looked = store.check();
        if let Err(error) = &looked {
            tracing::error!(%error, "the store cannot commit; sockets are not read until it can");
        }
        self.healthy.store(looked.is_ok(), Ordering::Relaxed);
    }

    fn try_to_commit(&self, store: &dyn Store, commit: &Commit) -> Result<Committed, CommitError> {
        let mut tries = 0;
        loop {
            let began = Instant::now();
            let error = match store.commit(commit) {
                Ok(committed) => {
                    self.commits.observe(began.elapsed());
                    self.healthy.store(true, Ordering::Relaxed);
                    return Ok(committed);
                }
                Err(CommitError::Unavailable(error)) => error,
                Err(CommitError::Fenced) => {
                    self.healthy.store(false, Ordering::Relaxed);
                    return Err(CommitError::Fenced);
                }
                Err(CommitError::Lost(duties)) => return Err(CommitError::Lost(duties)),
            };
            self.healthy.store(false, Ordering::Relaxed);
            let (events, changes) = (commit.events.len(), commit.changes.len());
            tracing::error!(%error, events, changes, "the store cannot commit; sockets are not read until it can");
            if self.queue().closed {
                return Err(closed());
            }
            thread::sleep(RETRY.delay(tries, rand::random()));
            tries += 1;
        }
    }
}

/// The outcome of a step for which there is no store any more.
fn closed() -> CommitError {
    StoreError::new("commit", "the journal was closed").into()
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, sync::mpsc};

    use super::*;
    use crate::engine::{History, MemoryStore, Record, RecordKey, Table};

    /// A store that stands still until it is released.
    struct Standing {
        store: MemoryStore,
        stands: Mutex<bool>,
        released: Condvar,
    }

    impl Store for Standing {
        fn history(&self) -> History {
            self.store.history()
        }

        fn cluster(&self) -> Arc<dyn Cluster> {
            self.store.cluster()
        }

        fn last_commit(&self) -> u64 {
            self.store.last_commit()
        }

        fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
            drop(self.released.wait_while(self.stands.lock().unwrap(), |stands| *stands).unwrap());
            self.store.commit(commit)
        }

        fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
            self.store.events(after, limit)
        }

        fn get(&self, table: Table, key: &RecordKey) -> Result<Option<bytes::Bytes>, StoreError> {
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

        fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
            self.store.keep_house(now, oldest, letters)
        }
    }

    #[test]
    fn a_step_that_no_store_accepts_holds_up_no_other_step() {
        let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
        let (outcomes, kept) = mpsc::channel();
        let longest = "a".repeat(RecordKey::MAX_BYTES);
        for key in [RecordKey::of(&[&longest]), RecordKey::of(&[]), RecordKey::of(&["a"])] {
            let (outcomes, change) = (outcomes.clone(), Change::Put(Table::Notes, Record::new(key, "")));
            let then: AfterCommit = Box::new(move |outcome| outcomes.send(outcome.is_ok()).unwrap());
            journal.append(Step { changes: vec![change], then: Some(then), ..Step::default() });
        }
        let outcome = || kept.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!([outcome(), outcome(), outcome()], [false, false, true]);
        assert!(store.get(Table::Notes, &RecordKey::of(&["a"])).unwrap().is_some());
        journal.close();
    }

    /// An arbiter whose thread stands still misses its timers, so no number of waiting steps makes a caller wait.
    #[test]
    fn steps_are_appended_while_the_store_stands_still() {
        const STEPS: usize = 100_000;
        let store = MemoryStore::new(NonZeroUsize::MIN);
        let store = Arc::new(Standing { store, stands: Mutex::new(true), released: Condvar::new() });
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
        let (outcomes, kept) = mpsc::channel();
        let appending = {
            let journal = Arc::clone(&journal);
            let (appended, done) = mpsc::channel();
            thread::spawn(move || {
                for step in 0..STEPS {
                    let outcomes = outcomes.clone();
                    let change = Change::Put(Table::Notes, Record::new(RecordKey::of(&["newest"]), step.to_string()));
                    let then: AfterCommit = Box::new(move |outcome| outcomes.send((step, outcome.is_ok())).unwrap());
                    journal.append(Step { changes: vec![change], then: Some(then), ..Step::default() });
                }
                appended.send(()).unwrap();
            });
            done
        };
        let appended = appending.recv_timeout(Duration::from_secs(60));
        *store.stands.lock().unwrap() = false;
        store.released.notify_all();
        appended.expect("the caller waits for the store");
        let outcomes: Vec<(usize, bool)> = kept.iter().take(STEPS).collect();
        assert!(outcomes.into_iter().eq((0..STEPS).map(|step| (step, true))), "each is kept, in order");
        journal.close();
    }
}
