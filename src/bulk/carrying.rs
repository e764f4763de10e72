//! Processes items: each as a durable command under a key of its job, so that the next run of the process repeats the
//! same command and gets its outcome.

use std::{pin::pin, time::Instant};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use tertulia_actors::{conversation::ConversationError, core::id::CommandKey, engine::StoreError};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    connections::{ConnectionState, DurableCommand, Presence},
    job::{End, Job, Rate},
    jobs::{Entry, Jobs},
    outcome::{ItemOutcome, Verdict, judge},
    pace::Pace,
    passes::{Next, Passes, Tally},
    records::{self, Item, Settled},
};

/// Concurrent items of one job, because the platform limits parallel requests.
const TOGETHER: usize = 16;
/// Items read at a time.
const PAGE: usize = 500;
/// How long a command may wait for its connection, in milliseconds; afterwards it is never sent.
const LIFETIME: u64 = 30_000;

/// The result of one attempt.
enum Tried {
    Settled,
    Again,
}

impl Jobs {
    /// Processes the rest of a job, until no item is left or `token` is cancelled.
    pub(super) async fn carry_all(&self, entry: &Entry, token: &CancellationToken) -> Result<(), StoreError> {
        let rate = self.begin(entry).await?;
        let (mut passes, mut pace, mut is_last) = (Passes::default(), Pace::new(rate), false);
        loop {
            let tally = self.pass(entry, token, &mut pace, is_last).await?;
            if token.is_cancelled() {
                return Ok(());
            }
            match passes.passed(tally, Instant::now(), rand::random()) {
                Next::Finished => return self.end(entry, End::Finished).await,
                Next::Pass { after, is_last: last } => {
                    is_last = last;
                    token.run_until_cancelled(sleep(after)).await;
                }
            }
        }
    }

    async fn begin(&self, entry: &Entry) -> Result<Rate, StoreError> {
        let (rate, changes) = {
            let mut live = entry.live();
            live.begin(Instant::now());
            let is_first = live.job.started.is_none();
            live.job.started.get_or_insert_with(Timestamp::now);
            let kept = is_first.then(|| live.kept());
            (live.job.rate, kept.and_then(|job| records::put_job(&job)))
        };
        self.write(changes.into_iter().collect()).await?;
        Ok(rate)
    }

    /// Tries every item that is left once. On the last pass a failure is final.
    async fn pass(
        &self,
        entry: &Entry,
        token: &CancellationToken,
        pace: &mut Pace,
        is_last: bool,
    ) -> Result<Tally, StoreError> {
        let job = entry.live().job.clone();
        let (mut tally, mut flying, mut after) = (Tally::default(), FuturesUnordered::new(), None);
        let mut failed = None;
        'items: loop {
            let is_left = |item: &Item| item.settled.is_none();
            let (left, next) = records::read_items(self.journal(), &job.id, after, PAGE, is_left).await?;
            for item in left {
                let state = self.state(&item).await;
                if state.as_ref().is_some_and(|state| state.presence == Presence::Away) {
                    tally.waiting += 1;
                    continue;
                }
                while flying.len() >= TOGETHER
                    && let Some(tried) = flying.next().await
                {
                    tally_up(&mut tally, &mut failed, tried);
                }
                {
                    let mut turn = pin!(self.turn(&item, state.as_ref(), pace));
                    loop {
                        tokio::select! {
                            biased;
                            () = token.cancelled() => break 'items,
                            Some(tried) = flying.next() => tally_up(&mut tally, &mut failed, tried),
                            () = &mut turn => break,
                        }
                    }
                }
                if failed.is_some() {
                    break 'items;
                }
                flying.push(self.carry(entry, &job, item, is_last));
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        while let Some(tried) = flying.next().await {
            tally_up(&mut tally, &mut failed, tried);
        }
        failed.map_or(Ok(tally), Err)
    }

    /// The state of an item's connection; `None` if the item has none, or the connection does not exist.
    async fn state(&self, item: &Item) -> Option<ConnectionState> {
        self.connections.state(item.connection.as_ref()?).await
    }

    /// Waits until the limits of the job and of the account allow the next item.
    async fn turn(&self, item: &Item, state: Option<&ConnectionState>, pace: &mut Pace) {
        let account = item.connection.as_ref().and_then(|connection| {
            let state = state?;
            Some((state.account.clone()?, connection, state.throttled))
        });
        let speed = account.as_ref().map_or(1.0, |(account, connection, refusals)| {
            self.accounts.speed(account, connection, *refusals, || {
                self.metrics.slowed_down.inc();
            })
        });
        let turn = pace.take(speed, Instant::now());
        sleep_until(turn.into()).await;
        if let Some((account, ..)) = &account {
            self.accounts.turn(account).await;
        }
    }

    async fn carry(&self, entry: &Entry, job: &Job, item: Item, is_last: bool) -> Result<Tried, StoreError> {
        let _flying = Flying::begin(self, entry);
        let outcome = match self.ask(job, &item).await? {
            Verdict::Settled(outcome) => outcome,
            Verdict::Look(outcome) => {
                let shows = self.shows(job, &item).await?;
                if shows { ItemOutcome::done(job.operation.already()) } else { outcome }
            }
            Verdict::Again(outcome) if is_last => outcome,
            Verdict::Again(outcome) => {
                tracing::debug!(job = %job.id, conversation = %item.conversation, ?outcome, "bulk item will be retried");
                self.metrics.retries.inc();
                return Ok(Tried::Again);
            }
        };
        self.settle(entry, job, item, outcome).await?;
        Ok(Tried::Settled)
    }

    async fn ask(&self, job: &Job, item: &Item) -> Result<Verdict, StoreError> {
        let not_connected = || Ok(judge(&job.operation, &Err(ConversationError::NotConnected)));
        let Some(connection) = &item.connection else { return not_connected() };
        if self.state(item).await.is_none_or(|state| state.presence == Presence::Ended) {
            return not_connected();
        }
        // A closed conversation refuses a second close, but a transfer would be repeated.
        if job.operation.is_for_agents() && self.shows(job, item).await? {
            return Ok(Verdict::Settled(ItemOutcome::done(job.operation.already())));
        }
        let command = DurableCommand {
            connection: connection.clone(),
            conversation: item.conversation.clone(),
            key: CommandKey::from(format!("bulk-{}", job.id)),
            digest: job.operation.name().to_owned(),
            command: job.operation.command(),
            lifetime: LIFETIME,
            caller: job.caller.clone(),
        };
        Ok(judge(&job.operation, &self.connections.perform(&command).await))
    }

    /// Whether the conversation's last known state is the one that the job wants.
    async fn shows(&self, job: &Job, item: &Item) -> Result<bool, StoreError> {
        let Some(connection) = &item.connection else { return Ok(false) };
        let summary = self.tertulia.connection(connection).summary(&item.conversation).await?;
        Ok(summary.is_some_and(|summary| job.operation.shows_in(&summary)))
    }

    async fn settle(&self, entry: &Entry, job: &Job, item: Item, outcome: ItemOutcome) -> Result<(), StoreError> {
        tracing::debug!(job = %job.id, conversation = %item.conversation, outcome = outcome.name(), "bulk item");
        let settled = Settled { outcome: outcome.clone(), at: Timestamp::now() };
        let item = Item { settled: Some(settled), ..item };
        self.write(records::put_item(&job.id, &item).into_iter().collect()).await?;
        self.metrics.settled(job.operation.name(), outcome.name());
        entry.live().settle(&outcome);
        Ok(())
    }
}

fn tally_up(tally: &mut Tally, failed: &mut Option<StoreError>, tried: Result<Tried, StoreError>) {
    match tried {
        Ok(Tried::Settled) => tally.settled += 1,
        Ok(Tried::Again) => tally.again += 1,
        Err(error) => *failed = Some(error),
    }
}

/// Counts an item as in progress until it is dropped.
struct Flying<'a> {
    jobs: &'a Jobs,
    entry: &'a Entry,
}

impl<'a> Flying<'a> {
    fn begin(jobs: &'a Jobs, entry: &'a Entry) -> Self {
        entry.live().in_flight += 1;
        jobs.metrics.in_flight.inc();
        Self { jobs, entry }
    }
}

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.entry.live().in_flight -= 1;
        self.jobs.metrics.in_flight.dec();
    }
}
