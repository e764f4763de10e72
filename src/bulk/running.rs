//! The tasks that run jobs: match and process, continue jobs of the previous run, and delete old jobs.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tertulia_actors::engine::StoreError;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    counts::Counts,
    housekeeping::over,
    job::{End, Job, JobFailure, JobId, Phase, State},
    jobs::{Entry, ITEMS_AT_MOST, Jobs},
    live::Live,
    matching::{Candidates, Match},
    outcome::ItemOutcome,
    records::{self, Item, Settled},
};

/// Items stored per commit.
const TOGETHER: usize = 500;
/// How long a job waits for connections to be ready, because the process may have just started.
const MATCHING_WAITS: Duration = Duration::from_secs(60);
/// The pause before the store is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The interval between deletions of old jobs.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(3_600);

/// Running a job.
impl Jobs {
    /// Records a job's state; writes are in the order of the decisions.
    pub(super) fn put_state(
        &self,
        live: &mut Live,
        state: State,
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        live.job.state = state;
        if !state.is_going()
            && let Some(run) = live.run.take()
        {
            run.cancel();
        }
        tracing::info!(job = %live.job.id, state = state.name(), "bulk job");
        self.write(records::put_job(&live.kept()).into_iter().collect())
    }

    pub(super) fn count_active(&self) {
        let active = self.jobs().values().filter(|entry| !entry.live().job.state.has_ended()).count();
        self.metrics.active.set(i64::try_from(active).unwrap_or(i64::MAX));
    }

    /// Starts the task of a job, unless the job is paused or its task already runs.
    pub(super) fn run(self: &Arc<Self>, entry: &Arc<Entry>) {
        let token = {
            let mut live = entry.live();
            if !live.job.state.is_going() || live.run.is_some() {
                return;
            }
            live.run.insert(self.stopping.child_token()).clone()
        };
        let (jobs, entry) = (Arc::clone(self), Arc::clone(entry));
        self.spawn(async move {
            let work = AssertUnwindSafe(Box::pin(jobs.work(&entry, &token))).catch_unwind();
            if work.await.is_err() {
                tracing::error!(job = %entry.id, "a bulk job panicked and has failed");
                let state = entry.live().job.state.ended(End::Failed(JobFailure::Internal), Timestamp::now());
                // If this write fails, the next run repeats it.
                let _ = jobs.change(&entry, |_| Ok(state)).await;
            }
        });
    }

    /// Works on a job until it ends or must stop; failures of the store are retried.
    async fn work(&self, entry: &Entry, token: &CancellationToken) {
        let _turn = entry.turn.lock().await;
        while !token.is_cancelled() {
            let phase = match entry.live().job.state {
                State::Active { phase, is_paused: false } => phase,
                State::Active { .. } | State::Ended { .. } => return,
            };
            let worked = match phase {
                Phase::Matching => self.match_all(entry, token).await,
                Phase::Carrying => self.carry_all(entry, token).await,
            };
            if let Err(error) = worked {
                tracing::error!(job = %entry.id, %error, "a bulk job cannot use the store; it will be retried");
                token.run_until_cancelled(sleep(AGAIN_AFTER)).await;
            }
        }
    }

    /// Stores all matching conversations before any item is processed.
    async fn match_all(&self, entry: &Entry, token: &CancellationToken) -> Result<(), StoreError> {
        let (filter, reach, operation) = {
            let mut live = entry.live();
            live.counts = Counts::default();
            (live.job.filter.clone(), live.job.reach.clone(), live.job.operation.clone())
        };
        // A previous run may have stored some items.
        self.remove_items(&entry.id).await?;
        let opening = Candidates::open(&self.tertulia, &*self.connections, &filter, &reach, &operation, MATCHING_WAITS);
        let Some(mut candidates) = token.run_until_cancelled(opening).await else { return Ok(()) };
        let mut items = Vec::with_capacity(TOGETHER);
        let mut is_more = true;
        while is_more {
            if token.is_cancelled() {
                return Ok(());
            }
            match candidates.next().await? {
                Some(found) => items.push(item_of(found)),
                None => is_more = false,
            }
            if items.len() == TOGETHER || (!is_more && !items.is_empty()) {
                self.write_down(entry, &mut items).await?;
            }
            if entry.live().counts.matched > ITEMS_AT_MOST {
                self.remove_items(&entry.id).await?;
                entry.live().counts = Counts::default();
                return self.end(entry, End::Failed(JobFailure::TooManyItems)).await;
            }
        }
        let durable = {
            let mut live = entry.live();
            let state = live.job.state.matched();
            self.put_state(&mut live, state)
        };
        durable.await.map_err(|_| StoreError::new("write", "the store was closed"))
    }

    async fn write_down(&self, entry: &Entry, items: &mut Vec<Item>) -> Result<(), StoreError> {
        let changes = items.iter().filter_map(|item| records::put_item(&entry.id, item)).collect();
        self.write(changes).await?;
        let mut live = entry.live();
        for item in items.drain(..) {
            live.counts.matched += 1;
            if let Some(Settled { outcome, .. }) = &item.settled {
                self.metrics.settled(live.job.operation.name(), outcome.name());
                live.settle(outcome);
            }
        }
        Ok(())
    }

    /// Ends a job, unless it has ended already.
    pub(super) async fn end(&self, entry: &Entry, end: End) -> Result<(), StoreError> {
        let durable = {
            let mut live = entry.live();
            let state = live.job.state.ended(end, Timestamp::now());
            self.put_state(&mut live, state)
        };
        self.count_active();
        durable.await.map_err(|_| StoreError::new("write", "the store was closed"))
    }
}

fn item_of(Match { conversation, connection }: Match) -> Item {
    let unseen = || Settled {
        outcome: ItemOutcome::Refused {
            code: "unknown-conversation".to_owned(),
            detail: "no connection sees this conversation".to_owned(),
            platform_code: None,
        },
        at: Timestamp::now(),
    };
    let settled = connection.is_none().then(unseen);
    Item { conversation, connection, settled }
}

/// Jobs of the previous run, and jobs that are too old.
impl Jobs {
    /// Loads the stored jobs. Retries until the store answers.
    pub(super) async fn load(&self) {
        if self.journal().keeps() {
            while let Err(error) = self.try_load().await {
                tracing::error!(%error, "the bulk jobs cannot be loaded; loading will be retried");
                sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Removes a job's items.
    async fn remove_items(&self, job: &JobId) -> Result<(), StoreError> {
        loop {
            let changes = records::remove_some_items(self.journal(), job).await?;
            if changes.is_empty() {
                return Ok(());
            }
            self.write(changes).await?;
        }
    }

    async fn try_load(&self) -> Result<(), StoreError> {
        for job in records::read_jobs(self.journal()).await? {
            // For other ends, running items were settled after the job was written.
            let counts = match job.state {
                State::Ended { end: End::Finished, .. } => job.counts,
                _ => records::count(self.journal(), &job.id).await?,
            };
            self.jobs().insert(job.id.clone(), Entry::new(job, counts));
        }
        Ok(())
    }

    pub(super) async fn keep_house(&self) {
        let mut hours = interval(HOUSEKEEPING_EVERY);
        loop {
            hours.tick().await;
            if let Err(error) = self.forget_old().await {
                tracing::error!(%error, "old bulk jobs cannot be deleted; deleting will be retried");
            }
        }
    }

    pub(super) async fn forget_old(&self) -> Result<(), StoreError> {
        let entries: Vec<_> = self.jobs().values().cloned().collect();
        let jobs: Vec<Job> = entries.iter().map(|entry| entry.live().job.clone()).collect();
        for id in over(jobs.iter(), Timestamp::now()) {
            self.remove_items(&id).await?;
            self.write(vec![records::remove_job(&id)]).await?;
            self.jobs().remove(&id);
        }
        Ok(())
    }
}
