//! The access to the store: one writer, which commits all waiting steps together, and concurrent readers. Nothing here
//! makes an arbiter wait for a disk.

mod shared;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use prometheus_client::metrics::histogram::Histogram;
use tertulia_core::placement::{Acting, DutyName, FencingToken};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::timeout,
};

use super::{
    AfterCommit, Change, Cluster, CommitError, Committed, LocalCluster, LogReader, Retention, SendGate, Step, Store,
    StoreCopy, StoreError, Tenure, validation::check_changes, window::Window,
};
use crate::metrics::Latency;
use shared::{ENOUGH, Queue, Shared, closed, steps};

/// The most concurrent reads.
const READS: usize = 4;

/// Makes steps durable, in the order of their arrival. Without a store it only counts events.
pub struct Journal {
    shared: Arc<Shared>,
    cluster: Arc<dyn Cluster>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    reading: Arc<Semaphore>,
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
                lost: watch::Sender::default(),
                commits: Latency::default(),
                steps: steps(),
                followed: AtomicU64::new(Tenure::now().0),
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
        SendGate::new(self.cluster.tenure()).pass().await.is_ok()
    }

    /// The newest right to each duty with which a step was refused, because another node has the duty.
    pub(crate) fn lost(&self) -> watch::Receiver<HashMap<DutyName, FencingToken>> {
        self.shared.lost.subscribe()
    }

    /// Waits until a step made with this right is refused because another node has the duty.
    pub async fn until_lost(&self, acting: &Acting) {
        let is_lost =
            |lost: &HashMap<DutyName, FencingToken>| lost.get(&acting.duty).is_some_and(|token| *token >= acting.token);
        // An error is impossible: the sender is part of this journal.
        let _ = self.lost().wait_for(is_lost).await;
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

    /// The steps of each successful commit.
    #[must_use]
    pub fn commit_steps(&self) -> &Histogram {
        &self.shared.steps
    }

    /// The time since readers of this process last had every event of all processes that write to the log. A look for new
    /// events takes up to a quarter of a second. `None` if no other process writes.
    #[must_use]
    pub fn tail_lag(&self) -> Option<Duration> {
        self.store().filter(|store| store.is_shared()).map(|_| self.shared.lag())
    }

    /// How often the store was found to have lost commits that it had acknowledged, since this process began.
    #[must_use]
    pub fn lost_commits(&self) -> u64 {
        self.store().map_or(0, |store| store.lost_commits())
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

    /// Whether readers of this process know of the event at `offset`. If other processes write to the same log, one of them may
    /// have handed the offset out before this process has seen it, so this waits for it, at most `within`.
    pub async fn reaches(&self, offset: u64, within: Duration) -> bool {
        let mut committed = self.shared.committed.subscribe();
        let is_shared = self.store().is_some_and(|store| store.is_shared());
        let within = if is_shared { within } else { Duration::ZERO };
        matches!(timeout(within, committed.wait_for(|newest| *newest >= offset)).await, Ok(Ok(_)))
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
