//! The threads of the journal: one writes, and one follows the events of other writers.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tertulia_core::{
    placement::{DutyName, FencingToken},
    session::{Backoff, Millis},
    time::Timestamp,
};
use tokio::sync::watch;

use crate::{
    engine::{
        Commit, CommitError, Committed, NewEvent, Retention, Step, Store, StoreError, StoredEvent, Tenure,
        batch::Batch, window::Window,
    },
    metrics::Latency,
};

/// How long the first step of a commit waits for further steps.
const GATHER: Duration = Duration::from_millis(2);
/// With this many steps a commit starts at once.
pub(super) const ENOUGH: usize = 64;
/// The most steps of one commit.
const TOGETHER: usize = 1_024;
/// How long one call waits for events of other writers.
const FOLLOW: Duration = Duration::from_millis(250);
/// The most events of other writers read at once.
const READ_TOGETHER: usize = 256;
/// The pauses between attempts of a failed commit.
const RETRY: Backoff =
    Backoff { floor: Duration::from_millis(100), base: Duration::from_millis(100), max: Duration::from_secs(5) };
/// How often the store is checked while nothing is committed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The oldest events are deleted together, once there are this many more than are to be kept.
const TRIM_BEHIND: u64 = 4_096;

/// What the journal and its threads share.
pub(super) struct Shared {
    pub(super) keeps: bool,
    /// Dropped when the journal is closed, even if the journal is still referenced, so that another process can open
    /// the store.
    pub(super) store: Mutex<Option<Arc<dyn Store>>>,
    pub(super) epoch: Arc<str>,
    pub(super) queue: Mutex<Queue>,
    /// Signals a waiting step or the closing of the journal.
    pub(super) filled: Condvar,
    /// The newest durable event that readers know of.
    pub(super) committed: watch::Sender<u64>,
    pub(super) window: Window,
    /// Held while the window and `committed` advance, and during a commit, whose events need not be read back.
    pub(super) advance: Mutex<()>,
    pub(super) healthy: AtomicBool,
    /// The newest right to each duty with which a step was refused, because another node has the duty.
    pub(super) lost: watch::Sender<HashMap<DutyName, FencingToken>>,
    pub(super) commits: Latency,
    /// The steps of each commit.
    pub(super) steps: Histogram,
    /// When readers last had every event of all writers, by [`Tenure::now`]; used only if there are other writers.
    pub(super) followed: AtomicU64,
    pub(super) retention: Retention,
}

/// The steps that wait for a commit.
pub(super) struct Queue {
    /// The newest event, if nothing is kept.
    pub(super) counted: u64,
    pub(super) waiting: Vec<Step>,
    /// Whether the writer is committing steps that it took from here.
    pub(super) committing: bool,
    pub(super) closed: bool,
}

impl Shared {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of the writer's thread.
    pub(super) fn write(&self, store: &dyn Store) {
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
                    let rights = batch.rights().iter().filter(|right| duties.contains(&right.duty));
                    self.lost.send_modify(|lost| {
                        lost.extend(rights.map(|right| (right.duty.clone(), right.token)));
                    });
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
        self.steps.observe(batch.steps());
        let last = committed.first + events.len() as u64 - 1;
        if committed.first > self.newest() + 1 {
            self.read_up_to(store, committed.first - 1);
        }
        let stored = (committed.first..).zip(events).map(|(offset, event)| self.stored(offset, event));
        self.advance_to(last, stored.collect());
        Ok(committed)
    }

    /// The loop of the thread that follows the events of other writers.
    pub(super) fn follow(&self, store: &dyn Store) {
        let mut tries = 0;
        while !self.queue().closed {
            match store.newer(self.newest(), FOLLOW) {
                Ok(newest) => {
                    tries = 0;
                    let _advance = self.advance();
                    self.read_up_to(store, newest);
                    self.followed.store(Tenure::now().0, Ordering::Relaxed);
                }
                Err(error) => {
                    tracing::error!(%error, "new events of other writers cannot be read");
                    thread::sleep(RETRY.delay(tries, rand::random()).min(FOLLOW));
                    tries += 1;
                }
            }
        }
    }

    /// The time since readers last had every event of all writers.
    pub(super) fn lag(&self) -> Duration {
        Tenure::now().since(Millis(self.followed.load(Ordering::Relaxed)))
    }

    fn advance(&self) -> MutexGuard<'_, ()> {
        self.advance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn newest(&self) -> u64 {
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

/// A histogram of the steps of commits, from 1 to [`TOGETHER`].
pub(super) fn steps() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 11))
}

/// The outcome of a step for which there is no store any more.
pub(super) fn closed() -> CommitError {
    StoreError::new("commit", "the journal was closed").into()
}
