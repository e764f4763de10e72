//! The duty to run bulk jobs: jobs are loaded and run from the time this process takes the duty until it gives it back.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use prometheus_client::registry::Registry;
use tertulia_actors::{
    Tertulia,
    core::{
        id::ConversationId,
        placement::{Acting, DutyName},
    },
};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    connections::{Connections, Here},
    job::{AskedAs, JobId},
    jobs::{BulkError, DryRun, Jobs, Order},
    live::Progress,
    metrics::Metrics,
    records::Item,
};
use crate::cluster::{Work, give_back, until_lost};

/// How long a request waits for the stored jobs to be loaded.
const LOADS_WITHIN: Duration = Duration::from_secs(10);

/// The bulk jobs of a process. Where several nodes share a store, one of them runs the jobs.
pub struct Bulk {
    shared: Arc<Shared>,
    runtime: Handle,
    begun: Mutex<Option<Begun>>,
}

struct Shared {
    tertulia: Arc<Tertulia>,
    connections: Arc<dyn Connections>,
    metrics: Arc<Metrics>,
    /// The loaded jobs, while this process has the duty.
    jobs: watch::Sender<Option<Arc<Jobs>>>,
}

/// The task that has the duty or waits for it.
struct Begun {
    end: oneshot::Sender<End>,
    task: JoinHandle<()>,
}

/// How the task is to end.
struct End {
    /// How long running items may take.
    within: Duration,
    is_given_back: bool,
}

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk").finish_non_exhaustive()
    }
}

impl Bulk {
    /// Loads the jobs of the previous run and continues them. Must be called on a thread where tasks can be spawned and
    /// that serves nothing else.
    #[must_use]
    pub fn start(tertulia: Arc<Tertulia>) -> Arc<Self> {
        let connections = Arc::new(Here(Arc::clone(&tertulia)));
        let bulk = Self::among(tertulia, connections);
        bulk.begin();
        bulk
    }

    /// Prepares the jobs like [`Bulk::start`]. They are loaded and run once [`Work::begin`] is called, and act through
    /// `connections`.
    pub(crate) fn among(tertulia: Arc<Tertulia>, connections: Arc<dyn Connections>) -> Arc<Self> {
        let shared = Shared { tertulia, connections, metrics: Arc::default(), jobs: watch::Sender::default() };
        Arc::new(Self { shared: Arc::new(shared), runtime: Handle::current(), begun: Mutex::default() })
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        self.shared.metrics.register(registry);
    }

    /// Starts no further items and waits for running ones. Items that do not finish `within` are dropped; the next run
    /// continues them.
    pub async fn stop(&self, within: Duration) {
        self.finish(End { within, is_given_back: false }).await;
    }

    /// Whether this process runs the jobs: it has the duty, and has loaded the jobs.
    pub(crate) fn runs(&self) -> bool {
        self.shared.jobs.borrow().is_some()
    }

    async fn finish(&self, end: End) {
        let Some(Begun { end: ending, task }) = self.begun().take() else { return };
        // An error means that the task has ended already.
        let _ = ending.send(end);
        if task.await.is_err() {
            tracing::error!("the task of the bulk jobs panicked");
        }
    }

    fn begun(&self) -> MutexGuard<'_, Option<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn jobs(&self) -> Result<Arc<Jobs>, BulkError> {
        let mut jobs = self.shared.jobs.subscribe();
        let loaded = timeout(LOADS_WITHIN, jobs.wait_for(Option::is_some)).await;
        loaded.ok().and_then(|loaded| loaded.ok()?.clone()).ok_or(BulkError::Starting)
    }
}

impl Work for Bulk {
    fn begin(&self) {
        let mut begun = self.begun();
        if begun.is_none() {
            let (end, ended) = oneshot::channel();
            let task = self.runtime.spawn(Arc::clone(&self.shared).run(ended));
            *begun = Some(Begun { end, task });
        }
    }

    fn is_begun(&self) -> bool {
        self.begun().is_some()
    }

    fn end(&self, within: Duration) -> BoxFuture<'_, ()> {
        self.finish(End { within, is_given_back: true }).boxed()
    }
}

impl Shared {
    /// Takes the duty and runs the jobs, again if another process took the duty, until `ended`.
    async fn run(self: Arc<Self>, mut ended: oneshot::Receiver<End>) {
        loop {
            let mut taken = None;
            let end = tokio::select! {
                end = &mut ended => Some(end),
                () = self.run_until_lost(&mut taken) => None,
            };
            let jobs = self.jobs.send_replace(None);
            let Some(end) = end else {
                tracing::error!("another node runs the bulk jobs; this one stops");
                if let Some(jobs) = jobs {
                    jobs.stop(Duration::ZERO).await;
                }
                continue;
            };
            // An error means that the owner was dropped.
            let End { within, is_given_back } = end.unwrap_or(End { within: Duration::ZERO, is_given_back: false });
            if let Some(jobs) = jobs {
                jobs.stop(within).await;
                self.metrics.active.set(0);
            }
            if is_given_back {
                give_back(self.tertulia.journal(), taken.as_ref()).await;
            }
            return;
        }
    }

    /// Takes the duty and runs the jobs until another process has the duty. The right is in `taken` as soon as this process
    /// has it.
    async fn run_until_lost(&self, taken: &mut Option<Acting>) {
        let journal = self.tertulia.journal();
        if journal.keeps() {
            *taken = Some(journal.cluster().take_when_free(DutyName::Bulk).await);
        }
        let (connections, metrics) = (Arc::clone(&self.connections), Arc::clone(&self.metrics));
        let jobs = Jobs::new(Arc::clone(&self.tertulia), connections, metrics, taken.clone());
        jobs.load().await;
        jobs.run_all();
        self.jobs.send_replace(Some(jobs));
        until_lost(journal, taken.as_ref()).await;
    }
}

/// The interface for callers.
impl Bulk {
    /// Adds a job. If the same key was used before, returns the existing job.
    ///
    /// # Errors
    /// [`BulkError`]; no job was added.
    pub async fn add(&self, order: Order, asked_as: Option<AskedAs>) -> Result<Progress, BulkError> {
        self.jobs().await?.add(order, asked_as).await
    }

    /// Returns what a job would do, without doing it.
    ///
    /// # Errors
    /// [`BulkError`].
    pub async fn dry_run(&self, order: &Order) -> Result<DryRun, BulkError> {
        self.jobs().await?.dry_run(order).await
    }

    /// Lists the jobs, the newest first; with `before` only older jobs.
    ///
    /// # Errors
    /// [`BulkError::Starting`].
    pub async fn list(&self, before: Option<&JobId>) -> Result<Vec<Progress>, BulkError> {
        Ok(self.jobs().await?.list(before))
    }

    /// A job's progress.
    ///
    /// # Errors
    /// [`BulkError::UnknownJob`], [`BulkError::Starting`].
    pub async fn progress(&self, id: &JobId) -> Result<Progress, BulkError> {
        self.jobs().await?.progress(id)
    }

    /// Lists a job's items by conversation, and the position of the next page. With an outcome (`left`, `done`,
    /// `refused`, `unknown`) only items with it.
    ///
    /// # Errors
    /// [`BulkError`].
    pub async fn items(
        &self,
        id: &JobId,
        outcome: Option<String>,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<ConversationId>), BulkError> {
        self.jobs().await?.items(id, outcome, after, limit).await
    }

    /// Pauses a job: no further items start, and running items finish.
    ///
    /// # Errors
    /// [`BulkError`]: for example, the job has ended or does not exist.
    pub async fn pause(&self, id: &JobId) -> Result<Progress, BulkError> {
        self.jobs().await?.pause(id).await
    }

    /// Resumes a paused job.
    ///
    /// # Errors
    /// [`BulkError`]: for example, the job has ended or does not exist.
    pub async fn resume(&self, id: &JobId) -> Result<Progress, BulkError> {
        self.jobs().await?.resume(id).await
    }

    /// Cancels a job: running items finish, the others are left.
    ///
    /// # Errors
    /// [`BulkError`]: for example, the job has ended in another way or does not exist.
    pub async fn cancel(&self, id: &JobId) -> Result<Progress, BulkError> {
        self.jobs().await?.cancel(id).await
    }
}
