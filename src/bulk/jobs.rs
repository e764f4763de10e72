//! The jobs of the node that runs them, and their interface.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tertulia_actors::{
    Tertulia,
    core::{
        id::{ConnectionId, ConversationId},
        placement::Acting,
    },
    engine::{Change, Journal, StoreError},
};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    accounts::Accounts,
    connections::Connections,
    counts::Counts,
    filter::Filter,
    housekeeping::JOBS_AT_MOST,
    job::{AskedAs, HasEnded, Job, JobId, Rate, State},
    live::{Live, Progress},
    matching::{Candidates, Match},
    metrics::Metrics,
    operation::Operation,
    records::{self, Item},
};
use crate::reach::Reach;

/// The most active jobs.
const ACTIVE_AT_MOST: usize = 16;
/// The most conversations of one job.
pub(super) const ITEMS_AT_MOST: usize = 200_000;
/// Concurrent dry runs; others wait.
const DRY_RUNS: usize = 2;
/// How long a dry run may take, including the wait for other dry runs.
const DRY_RUN_WITHIN: Duration = Duration::from_secs(60);
/// How long a dry run waits for connections that are about to be ready.
const DRY_RUN_WAITS: Duration = Duration::from_secs(5);
/// The most items that a dry run returns.
const SAMPLE: usize = 100;

/// Why a request about jobs failed.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// No job has this id.
    #[error("job {0} does not exist")]
    UnknownJob(JobId),
    /// No connection has this id.
    #[error("connection {0} does not exist")]
    UnknownConnection(ConnectionId),
    /// The job has ended.
    #[error("job {0} has already ended")]
    HasEnded(JobId),
    /// A limit of jobs is reached.
    #[error("{0}")]
    TooManyJobs(&'static str),
    /// More conversations match than a job may have.
    #[error("more than {ITEMS_AT_MOST} conversations match; narrow the filter")]
    TooManyItems,
    /// The idempotency key was used for another request.
    #[error("the Idempotency-Key {0} was already used for another job")]
    KeyReused(String),
    /// The jobs of the previous run are still being loaded.
    #[error("the jobs of the previous run are still being loaded; try again")]
    Starting,
    /// Reading the conversations took too long.
    #[error("the matching conversations could not be counted in time")]
    TimedOut,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A request for a job.
#[derive(Clone, Debug)]
pub struct Order {
    /// The operation.
    pub operation: Operation,
    /// Selects the conversations.
    pub filter: Filter,
    /// The rate.
    pub rate: Rate,
    /// The connections that the job may act on.
    pub reach: Reach,
    /// The name of the caller.
    pub caller: Option<Arc<str>>,
}

/// What a job would do.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// How many conversations match.
    pub matched: usize,
    /// The number of conversations that each connection would act on.
    pub by_connection: BTreeMap<ConnectionId, usize>,
    /// Listed conversations that no connection sees.
    pub unseen: usize,
    /// The first 100 matching conversations, by id.
    pub sample: Vec<Item>,
}

/// All jobs, and the tasks that run them, from the time this process takes the duty until it gives the duty back.
pub(super) struct Jobs {
    pub(super) tertulia: Arc<Tertulia>,
    pub(super) connections: Arc<dyn Connections>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) accounts: Accounts,
    jobs: Mutex<BTreeMap<JobId, Arc<Entry>>>,
    /// Held while a job is added, so that two requests with the same key cannot both add a job.
    adding: tokio::sync::Mutex<()>,
    dry_runs: Semaphore,
    /// The right to run jobs, with which everything is written; `None` if nothing is kept.
    acting: Option<Acting>,
    runtime: Handle,
    tasks: TaskTracker,
    /// Cancelled when no further items may start.
    pub(super) stopping: CancellationToken,
    /// Cancelled when running items must be dropped.
    ending: CancellationToken,
}

/// One job.
pub(super) struct Entry {
    pub(super) id: JobId,
    live: Mutex<Live>,
    /// Held by the task that runs the job, so that after a pause the old task ends before the new one starts.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Entry {
    pub(super) fn new(job: Job, counts: Counts) -> Arc<Self> {
        Arc::new(Self {
            id: job.id.clone(),
            live: Mutex::new(Live::new(job, counts)),
            turn: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// No jobs yet, to be run with the right `acting` on the present thread.
    pub(super) fn new(
        tertulia: Arc<Tertulia>,
        connections: Arc<dyn Connections>,
        metrics: Arc<Metrics>,
        acting: Option<Acting>,
    ) -> Arc<Self> {
        Arc::new(Self {
            tertulia,
            connections,
            metrics,
            accounts: Accounts::default(),
            jobs: Mutex::default(),
            adding: tokio::sync::Mutex::default(),
            dry_runs: Semaphore::new(DRY_RUNS),
            acting,
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
        })
    }

    /// Continues the loaded jobs, and deletes old ones from now on.
    pub(super) fn run_all(self: &Arc<Self>) {
        self.count_active();
        let entries: Vec<_> = self.jobs().values().cloned().collect();
        entries.iter().for_each(|entry| self.run(entry));
        let keeping = Arc::clone(self);
        self.spawn(async move {
            keeping.stopping.run_until_cancelled(keeping.keep_house()).await;
        });
    }

    /// Starts no further items and waits for running ones. Items that do not finish `within` are dropped; the next run
    /// continues them.
    pub(super) async fn stop(&self, within: Duration) {
        self.stopping.cancel();
        self.tasks.close();
        if timeout(within, self.tasks.wait()).await.is_err() {
            tracing::warn!("bulk items did not finish in time; the next run continues them");
            self.ending.cancel();
            self.tasks.wait().await;
        }
    }

    pub(super) fn journal(&self) -> &Journal {
        self.tertulia.journal()
    }

    /// Passes changes to the journal. The future completes once they are durable.
    pub(super) fn write(&self, changes: Vec<Change>) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let kept = self.journal().keep_for(self.acting.clone(), changes);
        async move { kept.await.map(drop).map_err(|error| StoreError::new("write", error)) }
    }

    pub(super) fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, Arc<Entry>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let ending = self.ending.clone();
        let work = async move {
            ending.run_until_cancelled(work).await;
        };
        self.tasks.spawn_on(work, &self.runtime);
    }

    fn entry(&self, id: &JobId) -> Result<Arc<Entry>, BulkError> {
        self.jobs().get(id).cloned().ok_or_else(|| BulkError::UnknownJob(id.clone()))
    }
}

/// The interface for callers; see [`Bulk`](super::Bulk).
impl Jobs {
    pub(super) async fn add(self: &Arc<Self>, order: Order, asked_as: Option<AskedAs>) -> Result<Progress, BulkError> {
        let _adding = self.adding.lock().await;
        if let Some(known) = self.known(asked_as.as_ref(), &order.reach)? {
            return Ok(known);
        }
        self.check(&order)?;
        self.forget_old().await?;
        self.check_room()?;
        let Order { operation, filter, rate, reach, caller } = order;
        let job = Job {
            id: JobId::new(),
            operation,
            filter,
            rate,
            reach,
            caller,
            asked_as,
            created: Timestamp::now(),
            started: None,
            state: State::NEW,
            counts: Counts::default(),
        };
        self.write(records::put_job(&job).into_iter().collect()).await?;
        tracing::info!(job = %job.id, operation = job.operation.name(), "bulk job accepted");
        let entry = Entry::new(job, Counts::default());
        self.jobs().insert(entry.id.clone(), Arc::clone(&entry));
        self.count_active();
        self.run(&entry);
        Ok(entry.live().progress(Instant::now()))
    }

    /// The job with the same key, among the jobs of callers with the same reach.
    fn known(&self, asked_as: Option<&AskedAs>, reach: &Reach) -> Result<Option<Progress>, BulkError> {
        let Some(AskedAs { key, digest }) = asked_as else { return Ok(None) };
        let entries: Vec<_> = self.jobs().values().cloned().collect();
        for entry in entries {
            let live = entry.live();
            let own = live.job.asked_as.as_ref().filter(|own| own.key == *key && live.job.reach == *reach);
            if let Some(own) = own {
                let is_same = own.digest == *digest;
                return if is_same {
                    Ok(Some(live.progress(Instant::now())))
                } else {
                    Err(BulkError::KeyReused(key.clone()))
                };
            }
        }
        Ok(None)
    }

    fn check(&self, order: &Order) -> Result<(), BulkError> {
        let Some(connection) = &order.filter.connection else { return Ok(()) };
        let exists = self.connections.all().contains(connection);
        if exists && order.reach.sees(connection.as_str()) {
            return Ok(());
        }
        Err(BulkError::UnknownConnection(connection.clone()))
    }

    fn check_room(&self) -> Result<(), BulkError> {
        let jobs = self.jobs();
        if jobs.values().filter(|entry| !entry.live().job.state.has_ended()).count() >= ACTIVE_AT_MOST {
            return Err(BulkError::TooManyJobs("too many jobs are active; wait until one ends, or cancel one"));
        }
        if jobs.len() >= JOBS_AT_MOST {
            return Err(BulkError::TooManyJobs("too many jobs ended within the last day; try again later"));
        }
        Ok(())
    }

    pub(super) async fn dry_run(&self, order: &Order) -> Result<DryRun, BulkError> {
        self.check(order)?;
        timeout(DRY_RUN_WITHIN, self.look(order)).await.map_err(|_| BulkError::TimedOut)?
    }

    async fn look(&self, order: &Order) -> Result<DryRun, BulkError> {
        // The semaphore is never closed.
        let _turn = self.dry_runs.acquire().await.ok();
        let Order { operation, filter, reach, .. } = order;
        let mut candidates =
            Candidates::open(&self.tertulia, &*self.connections, filter, reach, operation, DRY_RUN_WAITS).await;
        let mut dry_run = DryRun::default();
        while let Some(Match { conversation, connection }) = candidates.next().await? {
            dry_run.matched += 1;
            if dry_run.matched > ITEMS_AT_MOST {
                return Err(BulkError::TooManyItems);
            }
            match &connection {
                Some(connection) => *dry_run.by_connection.entry(connection.clone()).or_default() += 1,
                None => dry_run.unseen += 1,
            }
            if dry_run.sample.len() < SAMPLE {
                dry_run.sample.push(Item { conversation, connection, settled: None });
            }
        }
        Ok(dry_run)
    }

    pub(super) fn list(&self, before: Option<&JobId>) -> Vec<Progress> {
        let entries: Vec<_> = self.jobs().values().rev().cloned().collect();
        let older = entries.into_iter().filter(|entry| before.is_none_or(|before| entry.id < *before));
        let now = Instant::now();
        older.map(|entry| entry.live().progress(now)).collect()
    }

    pub(super) fn progress(&self, id: &JobId) -> Result<Progress, BulkError> {
        Ok(self.entry(id)?.live().progress(Instant::now()))
    }

    pub(super) async fn items(
        &self,
        id: &JobId,
        outcome: Option<String>,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<ConversationId>), BulkError> {
        let entry = self.entry(id)?;
        let wanted = move |item: &Item| outcome.as_ref().is_none_or(|outcome| item.outcome() == outcome);
        Ok(records::read_items(self.journal(), &entry.id, after, limit, wanted).await?)
    }

    pub(super) async fn pause(&self, id: &JobId) -> Result<Progress, BulkError> {
        let entry = self.entry(id)?;
        self.change(&entry, |state| state.paused(true)).await
    }

    pub(super) async fn resume(self: &Arc<Self>, id: &JobId) -> Result<Progress, BulkError> {
        let entry = self.entry(id)?;
        let progress = self.change(&entry, |state| state.paused(false)).await?;
        self.run(&entry);
        Ok(progress)
    }

    pub(super) async fn cancel(&self, id: &JobId) -> Result<Progress, BulkError> {
        let entry = self.entry(id)?;
        self.change(&entry, |state| state.cancelled(Timestamp::now())).await
    }

    /// Changes a job's state and waits until the change is durable.
    pub(super) async fn change(
        &self,
        entry: &Entry,
        to: impl FnOnce(State) -> Result<State, HasEnded>,
    ) -> Result<Progress, BulkError> {
        let (durable, progress) = {
            let mut live = entry.live();
            let state = to(live.job.state).map_err(|HasEnded| BulkError::HasEnded(entry.id.clone()))?;
            (self.put_state(&mut live, state), live.progress(Instant::now()))
        };
        self.count_active();
        durable.await.map_err(|_| StoreError::new("write", "the store was closed"))?;
        Ok(progress)
    }
}

impl Item {
    /// The item's outcome as a name.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        self.settled.as_ref().map_or("left", |settled| settled.outcome.name())
    }
}
