//! The way into the store: one writer, which commits what has come together in the meantime at once, and readers beside
//! it. Nothing here makes an arbiter wait for a disk.

use std::{
    fmt, mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tertulia_core::session::Backoff;
use tokio::sync::{Semaphore, oneshot, watch};

use super::{Change, LogReader, Store, StoreCopy, StoreError, StorePart, StoredEvent, window::Window};
use crate::metrics::Latency;

/// How long the first step of a commit waits for others to go with it.
const GATHER: Duration = Duration::from_millis(2);
/// With so many steps a commit waits no longer.
const ENOUGH: usize = 64;
/// Steps of one commit at most.
const TOGETHER: usize = 1_024;
/// Steps that wait to be committed at most. Most hold the place of their frame, so that the sockets are not read any
/// further long before; whoever comes at the limit all the same waits, its whole arbiter with it.
const WAITING: usize = 65_536;
/// The pauses between two tries of a commit that failed.
const RETRY: Backoff =
    Backoff { floor: Duration::from_millis(100), base: Duration::from_millis(100), max: Duration::from_secs(5) };
/// Reads that block at the same time.
const READS: usize = 4;
/// How often the store is looked at while nothing is committed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events beyond those to be kept before the oldest are forgotten, together.
const TRIM_BEHIND: u64 = 4_096;

/// Called once a step is durable, on the writer's thread: it should do little more than tell somebody.
pub type Then = Box<dyn FnOnce() + Send>;

/// An event on its way into the log.
pub trait Loggable: Send + Sync {
    /// The event as it is stored. Called on the writer's thread.
    fn stored(&self) -> StoredEvent;
}

/// What becomes durable together.
#[derive(Default)]
pub struct Step {
    /// Events, at the offsets that they were given.
    pub events: Vec<Arc<dyn Loggable>>,
    /// Changes of records.
    pub changes: Vec<Change>,
    /// Who is told of it.
    pub then: Option<Then>,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("events", &self.events.len())
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// How much of the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest events that are kept.
    pub events: u64,
    /// How long the answer to a durable command is kept for whoever asks again.
    pub answers: Duration,
    /// How long a conversation that is its connection's no more is kept, and with it the numbering of its events.
    pub conversations: Duration,
}

impl Default for Retention {
    /// A million events, a day, a week.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { events: 1_000_000, answers: DAY, conversations: 7 * DAY }
    }
}

/// Gives events their place in the log and makes steps durable, in the order in which they came. Without a store it
/// only counts.
pub struct Journal {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    reading: Arc<Semaphore>,
}

struct Shared {
    keeps: bool,
    /// Let go of when the journal is closed, whoever still holds the journal: the store is then free for others.
    store: Mutex<Option<Arc<dyn Store>>>,
    epoch: Arc<str>,
    queue: Mutex<Queue>,
    /// Something waits, or nothing more will come.
    filled: Condvar,
    /// There is room again.
    drained: Condvar,
    /// The newest event that is durable.
    committed: watch::Sender<u64>,
    window: Window,
    healthy: AtomicBool,
    commits: Latency,
    retention: Retention,
}

struct Queue {
    next: u64,
    waiting: Vec<Step>,
    /// Whether steps that were taken from here are not durable yet.
    committing: bool,
    closed: bool,
}

impl Journal {
    /// A journal that keeps nothing: events are numbered and go to those who listen now.
    #[must_use]
    pub fn forgetful() -> Arc<Self> {
        let epoch = format!("{:x}", jiff::Timestamp::now().as_microsecond());
        Self::over(None, epoch.into(), 0, Retention::default())
    }

    /// A journal that goes on where `store` ends.
    ///
    /// # Errors
    /// The system gave no thread for the writer.
    pub fn start(store: Arc<dyn Store>, retention: Retention) -> std::io::Result<Arc<Self>> {
        let history = store.history();
        let journal = Self::over(Some(Arc::clone(&store)), history.epoch, history.newest, retention);
        let shared = Arc::clone(&journal.shared);
        let writer = thread::Builder::new().name("journal".to_owned()).spawn(move || shared.write(&*store))?;
        *journal.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        Ok(journal)
    }

    fn over(store: Option<Arc<dyn Store>>, epoch: Arc<str>, newest: u64, retention: Retention) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::new(Shared {
                keeps: store.is_some(),
                store: Mutex::new(store),
                epoch,
                queue: Mutex::new(Queue { next: newest + 1, waiting: Vec::new(), committing: false, closed: false }),
                filled: Condvar::new(),
                drained: Condvar::new(),
                committed: watch::Sender::new(newest),
                window: Window::default(),
                healthy: AtomicBool::new(true),
                commits: Latency::default(),
                retention,
            }),
            writer: Mutex::new(None),
            reading: Arc::new(Semaphore::new(READS)),
        })
    }

    /// Tells this log from any other.
    #[must_use]
    pub fn epoch(&self) -> &Arc<str> {
        &self.shared.epoch
    }

    /// The store itself, for what may block.
    pub(crate) fn store(&self) -> Option<Arc<dyn Store>> {
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anything is kept.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.shared.keeps
    }

    /// How much is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.shared.retention
    }

    /// Whether the last commit went well, and the store is still where it was. A commit that failed is tried again.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Relaxed)
    }

    /// How long commits took, those that did not go well left aside.
    #[must_use]
    pub fn commits(&self) -> &Latency {
        &self.shared.commits
    }

    /// Steps that wait to be committed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.queue().waiting.len()
    }

    /// Takes one step, whose `events` events get the offsets from the one that `step` is told.
    pub fn append(&self, events: usize, step: impl FnOnce(u64) -> Step) {
        let mut queue = self.shared.queue();
        if self.keeps() {
            let is_full = |queue: &mut Queue| queue.waiting.len() >= WAITING && !queue.closed;
            queue = self.shared.drained.wait_while(queue, is_full).unwrap_or_else(PoisonError::into_inner);
        }
        let first = queue.next;
        queue.next += events as u64;
        let step = step(first);
        if self.keeps() && !queue.closed {
            queue.waiting.push(step);
            let count = queue.waiting.len();
            drop(queue);
            if count == 1 || count == ENOUGH {
                self.shared.filled.notify_one();
            }
        } else {
            drop(queue);
            if let Some(then) = step.then {
                then();
            }
        }
    }

    /// Waits until everything that was appended before is durable; `false` where the journal was closed before.
    pub async fn settled(&self) -> bool {
        {
            let queue = self.shared.queue();
            if queue.waiting.is_empty() && !queue.committing {
                return !queue.closed;
            }
        }
        let (told, settled) = oneshot::channel();
        let then: Then = Box::new(move || {
            let _ = told.send(());
        });
        self.append(0, |_| Step { then: Some(then), ..Step::default() });
        settled.await.is_ok()
    }

    /// Reads from the store beside the arbiters.
    ///
    /// # Errors
    /// What `read` says; also that there is no store, or that the process ends.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let failed = |reason: &dyn fmt::Display| StoreError::new("read", reason);
        let store = self.store().ok_or_else(|| failed(&"nothing is kept, or it was closed"))?;
        let _turn = self.reading.acquire().await.map_err(|error| failed(&error))?;
        tokio::task::spawn_blocking(move || read(&*store)).await.map_err(|error| failed(&error))?
    }

    /// Makes a consistent copy of the store beside the arbiters; see [`Store::copy`]. What was appended before is in it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn copy(&self) -> Result<StoreCopy, StoreError> {
        let failed = |reason: &dyn fmt::Display| StoreError::new("copy itself", reason);
        let store = self.store().ok_or_else(|| failed(&"nothing is kept, or it was closed"))?;
        if !self.settled().await {
            return Err(failed(&"it was closed"));
        }
        // Not among the reads: it lasts, and would take the place of one.
        tokio::task::spawn_blocking(move || store.copy()).await.map_err(|error| failed(&error))?
    }

    /// Reads the log after `after`; what is not durable yet when it comes to it is waited for.
    #[must_use]
    pub fn reader(self: &Arc<Self>, after: u64) -> LogReader {
        LogReader::new(Arc::clone(self), self.shared.committed.subscribe(), after)
    }

    /// The newest event that is durable.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.shared.committed.borrow()
    }

    /// The events of the log that were found to be damaged since the store was opened. Readers pass them with a gap.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.store().map_or(0, |store| store.damaged())
    }

    /// The memory that each part of the store takes now, the events for readers that keep up among them.
    #[must_use]
    pub fn memory(&self) -> Vec<StorePart> {
        let newest_events = StorePart { name: "newest_events", bytes: self.shared.window.bytes() as u64 };
        let mut parts = self.store().map_or_else(Vec::new, |store| store.memory());
        parts.push(newest_events);
        parts
    }

    pub(super) fn window(&self) -> &Window {
        &self.shared.window
    }

    /// Commits what waits, takes nothing more, and lets go of the store. Blocks for as long as that takes.
    pub fn close(&self) {
        self.shared.queue().closed = true;
        self.shared.filled.notify_all();
        self.shared.drained.notify_all();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = writer.map(JoinHandle::join) {
            tracing::error!("the journal's writer panicked");
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

    /// The writer's life.
    fn write(&self, store: &dyn Store) {
        let mut oldest = store.history().oldest;
        while let Some(steps) = self.gather(store) {
            let (mut changes, mut events, mut thens) = (Vec::new(), Vec::new(), Vec::new());
            for Step { events: own, changes: others, then } in steps {
                for event in own {
                    let event = event.stored();
                    events.push(Arc::new(event.clone()));
                    changes.push(Change::Append(event));
                }
                changes.extend(others);
                thens.extend(then);
            }
            let newest =
                events.last().map_or_else(|| *self.committed.borrow(), |event: &Arc<StoredEvent>| event.offset);
            let keep_from = newest.saturating_sub(self.retention.events) + 1;
            if keep_from > oldest + TRIM_BEHIND {
                oldest = keep_from;
                changes.push(Change::Trim { oldest });
            }
            if !changes.is_empty() && !self.commit(store, changes) {
                return;
            }
            self.window.extend(events);
            self.committed.send_replace(newest);
            self.queue().committing = false;
            for then in thens {
                then();
            }
        }
    }

    /// What is to be committed next; `None` once all is done.
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
        self.drained.notify_all();
        Some(steps)
    }

    /// Where nothing is committed, nothing else tells that nothing could be.
    fn look_at(&self, store: &dyn Store) {
        let looked = store.check();
        if let Err(error) = &looked {
            tracing::error!(%error, "the store fails; sockets stay closed until a commit succeeds");
        }
        self.healthy.store(looked.is_ok(), Ordering::Relaxed);
    }

    /// Commits, if need be again and again. `false` where the journal is closed and it does not work.
    fn commit(&self, store: &dyn Store, changes: Vec<Change>) -> bool {
        let mut tries = 0;
        loop {
            let began = Instant::now();
            match store.commit(changes.clone()) {
                Ok(()) => {
                    self.commits.observe(began.elapsed());
                    self.healthy.store(true, Ordering::Relaxed);
                    return true;
                }
                Err(error) => {
                    self.healthy.store(false, Ordering::Relaxed);
                    tracing::error!(%error, changes = changes.len(), "the store fails; sockets stay closed until a commit succeeds");
                    if self.queue().closed {
                        return false;
                    }
                    thread::sleep(RETRY.delay(tries, rand::random()));
                    tries += 1;
                }
            }
        }
    }
}
