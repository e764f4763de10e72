//! The owner of all jobs, and what its callers ask of it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tertulia_actors::{
    Tertulia,
    core::id::{ConnectionId, ConversationId},
    engine::{Journal, StoreError},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    carrying::Accounts,
    filter::Filter,
    housekeeping::JOBS_AT_MOST,
    job::{AskedAs, HasEnded, Job, JobId, Rate, State},
    live::{Counts, Live, Progress},
    matching::{Candidates, Match},
    metrics::Metrics,
    operation::Operation,
    records::{self, Item},
};

/// Jobs that have not ended, at most.
const ACTIVE_AT_MOST: usize = 16;
/// Conversations of one job, at most.
pub(super) const ITEMS_AT_MOST: usize = 200_000;
/// Dry runs at the same time; others wait.
const DRY_RUNS: usize = 2;
/// How long a dry run may take, the wait for others included.
const DRY_RUN_WITHIN: Duration = Duration::from_secs(60);
/// How long a dry run waits for connections that are about to be ready.
const DRY_RUN_WAITS: Duration = Duration::from_secs(5);
/// What a dry run shows of what matches.
const SAMPLE: usize = 100;
/// How long whoever asks may wait for the jobs of an earlier life to be read.
const LOADS_WITHIN: Duration = Duration::from_secs(10);

/// Why something asked about jobs was not done.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// There is no such job.
    #[error("job {0} does not exist")]
    UnknownJob(JobId),
    /// There is no such connection.
    #[error("connection {0} does not exist")]
    UnknownConnection(ConnectionId),
    /// The job has ended.
    #[error("job {0} has already ended")]
    HasEnded(JobId),
    /// There are too many jobs.
    #[error("{0}")]
    TooManyJobs(&'static str),
    /// More conversations match than one job may have.
    #[error("more than {ITEMS_AT_MOST} conversations match; narrow the filter")]
    TooManyItems,
    /// Something else was asked under the same key before.
    #[error("the Idempotency-Key {0} was already used for another job")]
    KeyReused(String),
    /// The jobs of an earlier life are being read.
    #[error("the jobs of the previous run are still being loaded; try again")]
    Starting,
    /// It took too long to look at the conversations.
    #[error("the matching conversations could not be counted in time")]
    TimedOut,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is to be done.
    pub operation: Operation,
    /// To which conversations.
    pub filter: Filter,
    /// How fast.
    pub rate: Rate,
}

/// What a job would be for.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// How many conversations match.
    pub matched: usize,
    /// How many of them each connection would act on.
    pub by_connection: BTreeMap<ConnectionId, usize>,
    /// Listed conversations that no connection sees.
    pub unseen: usize,
    /// The first 100 of them, by id.
    pub sample: Vec<Item>,
}

/// The jobs, and what runs them.
pub struct Bulk {
    pub(super) tertulia: Arc<Tertulia>,
    pub(super) metrics: Metrics,
    pub(super) accounts: Accounts,
    jobs: Mutex<BTreeMap<JobId, Arc<Entry>>>,
    /// Held by whoever adds a job, so that two with the same key do not pass each other.
    adding: tokio::sync::Mutex<()>,
    dry_runs: Semaphore,
    pub(super) loaded: watch::Sender<bool>,
    runtime: Handle,
    tasks: TaskTracker,
    /// Nothing more is begun.
    pub(super) stopping: CancellationToken,
    /// What is still under way is dropped.
    ending: CancellationToken,
}

/// One job.
pub(super) struct Entry {
    pub(super) id: JobId,
    live: Mutex<Live>,
    /// Held by what runs the job: after a pause the one before ends first.
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

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk").finish_non_exhaustive()
    }
}

impl Bulk {
    /// Goes on with the jobs that an earlier life left. Must be called where tasks can be spawned, on a thread that
    /// serves nothing else.
    #[must_use]
    pub fn start(tertulia: Arc<Tertulia>) -> Arc<Self> {
        let bulk = Arc::new(Self {
            tertulia,
            metrics: Metrics::default(),
            accounts: Accounts::default(),
            jobs: Mutex::default(),
            adding: tokio::sync::Mutex::default(),
            dry_runs: Semaphore::new(DRY_RUNS),
            loaded: watch::Sender::new(false),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
        });
        let loading = Arc::clone(&bulk);
        bulk.spawn(async move {
            let work = async {
                loading.load().await;
                loading.keep_house().await;
            };
            loading.stopping.run_until_cancelled(work).await;
        });
        bulk
    }

    /// Lists what is counted.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Begins nothing more, waits for what is under way, and drops what is not done `within`: it is kept and goes on in
    /// the next life.
    pub async fn stop(&self, within: Duration) {
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

    async fn loaded(&self) -> Result<(), BulkError> {
        let mut loaded = self.loaded.subscribe();
        match timeout(LOADS_WITHIN, loaded.wait_for(|loaded| *loaded)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(BulkError::Starting),
        }
    }

    async fn entry(&self, id: &JobId) -> Result<Arc<Entry>, BulkError> {
        self.loaded().await?;
        self.jobs().get(id).cloned().ok_or_else(|| BulkError::UnknownJob(id.clone()))
    }
}

/// What callers ask.
impl Bulk {
    /// Takes a job. With a key, the same one again is answered with the job that there is.
    ///
    /// # Errors
    /// [`BulkError`]; nothing was begun.
    pub async fn add(self: &Arc<Self>, order: Order, asked_as: Option<AskedAs>) -> Result<Progress, BulkError> {
        self.loaded().await?;
        let _adding = self.adding.lock().await;
        if let Some(known) = self.known(asked_as.as_ref())? {
            return Ok(known);
        }
        self.check(&order.filter)?;
        self.forget_old().await?;
        self.check_room()?;
        let Order { operation, filter, rate } = order;
        let job = Job {
            id: JobId::new(),
            operation,
            filter,
            rate,
            asked_as,
            created: Timestamp::now(),
            started: None,
            state: State::NEW,
            counts: Counts::default(),
        };
        records::write(self.journal(), records::put_job(&job).into_iter().collect()).await?;
        tracing::info!(job = %job.id, operation = job.operation.name(), "bulk job accepted");
        let entry = Entry::new(job, Counts::default());
        self.jobs().insert(entry.id.clone(), Arc::clone(&entry));
        self.count_active();
        self.run(&entry);
        Ok(entry.live().progress(Instant::now()))
    }

    /// The job that was asked for with the same key.
    fn known(&self, asked_as: Option<&AskedAs>) -> Result<Option<Progress>, BulkError> {
        let Some(AskedAs { key, digest }) = asked_as else { return Ok(None) };
        let entries: Vec<_> = self.jobs().values().cloned().collect();
        for entry in entries {
            let live = entry.live();
            if let Some(own) = live.job.asked_as.as_ref().filter(|own| own.key == *key) {
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

    fn check(&self, filter: &Filter) -> Result<(), BulkError> {
        match &filter.connection {
            Some(connection) if self.tertulia.status(connection).is_none() => {
                Err(BulkError::UnknownConnection(connection.clone()))
            }
            _ => Ok(()),
        }
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

    /// Tells what a job would be for, and does nothing.
    ///
    /// # Errors
    /// [`BulkError`].
    pub async fn dry_run(&self, order: &Order) -> Result<DryRun, BulkError> {
        self.check(&order.filter)?;
        timeout(DRY_RUN_WITHIN, self.look(order)).await.map_err(|_| BulkError::TimedOut)?
    }

    async fn look(&self, order: &Order) -> Result<DryRun, BulkError> {
        // Nobody closes it.
        let _turn = self.dry_runs.acquire().await.ok();
        let mut candidates = Candidates::open(&self.tertulia, &order.filter, &order.operation, DRY_RUN_WAITS).await;
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

    /// Every job, the newest first, those that are older than `before` only.
    ///
    /// # Errors
    /// [`BulkError::Starting`].
    pub async fn list(&self, before: Option<&JobId>) -> Result<Vec<Progress>, BulkError> {
        self.loaded().await?;
        let entries: Vec<_> = self.jobs().values().rev().cloned().collect();
        let older = entries.into_iter().filter(|entry| before.is_none_or(|before| entry.id < *before));
        let now = Instant::now();
        Ok(older.map(|entry| entry.live().progress(now)).collect())
    }

    /// How far a job is.
    ///
    /// # Errors
    /// [`BulkError::UnknownJob`], [`BulkError::Starting`].
    pub async fn progress(&self, id: &JobId) -> Result<Progress, BulkError> {
        Ok(self.entry(id).await?.live().progress(Instant::now()))
    }

    /// A job's items by conversation, those with this outcome (`left`, `done`, `refused`, `unknown`) only if one is
    /// told, and behind which the next page begins.
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
        let entry = self.entry(id).await?;
        let wanted = move |item: &Item| outcome.as_ref().is_none_or(|outcome| item.outcome() == outcome);
        Ok(records::read_items(self.journal(), &entry.id, after, limit, wanted).await?)
    }

    /// Begins no more items of a job until it is resumed. Those that are being carried out are finished.
    ///
    /// # Errors
    /// [`BulkError`]; the job has ended, or there is none.
    pub async fn pause(&self, id: &JobId) -> Result<Progress, BulkError> {
        let entry = self.entry(id).await?;
        self.change(&entry, |state| state.paused(true)).await
    }

    /// Goes on with a paused job.
    ///
    /// # Errors
    /// [`BulkError`]; the job has ended, or there is none.
    pub async fn resume(self: &Arc<Self>, id: &JobId) -> Result<Progress, BulkError> {
        let entry = self.entry(id).await?;
        let progress = self.change(&entry, |state| state.paused(false)).await?;
        self.run(&entry);
        Ok(progress)
    }

    /// Ends a job. Items that are being carried out are finished, the others are left.
    ///
    /// # Errors
    /// [`BulkError`]; the job has ended otherwise, or there is none.
    pub async fn cancel(&self, id: &JobId) -> Result<Progress, BulkError> {
        let entry = self.entry(id).await?;
        self.change(&entry, |state| state.cancelled(Timestamp::now())).await
    }

    /// Brings a job elsewhere, and answers once that is durable.
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
    /// What became of it, in a word.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        self.settled.as_ref().map_or("left", |settled| settled.outcome.name())
    }
}
