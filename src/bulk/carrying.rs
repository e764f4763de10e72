//! Carries items out: each as a durable command under a key of its job's own, so that the next life of the process asks
//! for the same command and gets its answer.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use tertulia_actors::{
    connection::ConnectionStatus,
    conversation::CommandFailure,
    core::id::{AccountId, CommandKey, ConnectionId},
    engine::StoreError,
};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    job::{End, Job, Rate},
    jobs::{Bulk, Entry},
    outcome::{Outcome, Verdict, judge},
    pace::{Pace, Slowdown},
    passes::{Next, Passes, Tally},
    records::{self, Item, Settled},
};

/// Items of one job that are carried out at the same time: the platform limits parallel requests.
const TOGETHER: usize = 16;
/// Items that are read at a time.
const PAGE: usize = 500;
/// How long a conversation may wait for its connection before its command is sent; never sent afterwards.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long its answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How fast the accounts may be asked, all jobs together.
pub(super) struct Accounts {
    turns: DefaultKeyedRateLimiter<AccountId>,
    slowdowns: Mutex<Slowdowns>,
}

#[derive(Default)]
struct Slowdowns {
    accounts: HashMap<AccountId, Slowdown>,
    /// How often each connection was refused when it was last looked at.
    seen: HashMap<ConnectionId, u64>,
}

impl Default for Accounts {
    fn default() -> Self {
        let rate = NonZeroU32::new(Rate::MAX).unwrap_or(NonZeroU32::MIN);
        let turns = RateLimiter::keyed(Quota::per_second(rate).allow_burst(NonZeroU32::MIN));
        Self { turns, slowdowns: Mutex::default() }
    }
}

impl Accounts {
    /// The part of its rate at which a job goes on, after a look at whether the connection was refused meanwhile.
    /// `on_refusal` is told if it was.
    fn speed(&self, account: &AccountId, connection: &ConnectionId, refusals: u64, on_refusal: impl FnOnce()) -> f64 {
        let now = Instant::now();
        let mut slowdowns = self.slowdowns.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = slowdowns.seen.insert(connection.clone(), refusals).unwrap_or(refusals);
        let slowdown = slowdowns.accounts.entry(account.clone()).or_default();
        if seen < refusals {
            slowdown.refused(now);
            on_refusal();
        }
        slowdown.speed(now)
    }
}

/// Whether an item can be asked of its connection.
enum Presence {
    /// It is ready, or never will be: both have an answer now.
    Here,
    /// It is about to come back.
    Away,
}

/// What became of one try.
enum Tried {
    Settled,
    Again,
}

impl Bulk {
    /// Carries out what is left of a job, until nothing is or `token` ends it.
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
        records::write(self.journal(), changes.into_iter().collect()).await?;
        Ok(rate)
    }

    /// Goes over everything that is left once. On the last pass what does not go well is over.
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
                if matches!(self.presence(&item), Presence::Away) {
                    tally.waiting += 1;
                    continue;
                }
                while flying.len() >= TOGETHER
                    && let Some(tried) = flying.next().await
                {
                    tally_up(&mut tally, &mut failed, tried);
                }
                {
                    let mut turn = pin!(self.turn(&item, pace));
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

    fn presence(&self, item: &Item) -> Presence {
        match item.connection.as_ref().and_then(|connection| self.tertulia.status(connection)) {
            Some(status) if !status.is_ready() && !status.has_ended() => Presence::Away,
            Some(_) | None => Presence::Here,
        }
    }

    /// Waits until the job's and the account's next turn.
    async fn turn(&self, item: &Item, pace: &mut Pace) {
        let account = item.connection.as_ref().and_then(|connection| {
            let refusals = self.tertulia.status(connection)?.throttled;
            Some((self.tertulia.account(connection)?, connection, refusals))
        });
        let speed = account.as_ref().map_or(1.0, |(account, connection, refusals)| {
            self.accounts.speed(account, connection, *refusals, || {
                self.metrics.slowed_down.inc();
            })
        });
        let turn = pace.take(speed, Instant::now());
        sleep_until(turn.into()).await;
        if let Some((account, ..)) = &account {
            self.accounts.turns.until_key_ready(account).await;
        }
    }

    async fn carry(&self, entry: &Entry, job: &Job, item: Item, is_last: bool) -> Result<Tried, StoreError> {
        let _flying = Flying::begin(self, entry);
        let outcome = match self.ask(job, &item).await? {
            Verdict::Settled(outcome) => outcome,
            Verdict::Look(outcome) => {
                let shows = self.shows(job, &item).await?;
                if shows { Outcome::done(job.operation.already()) } else { outcome }
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
        let not_connected = || Ok(judge(&job.operation, &Err(CommandFailure::NotConnected)));
        let Some(connection) = &item.connection else { return not_connected() };
        if self.tertulia.status(connection).is_none_or(|status: ConnectionStatus| status.has_ended()) {
            return not_connected();
        }
        let Some(conversation) = self.tertulia.conversation(connection, &item.conversation) else {
            return Ok(judge(&job.operation, &Err(CommandFailure::UnknownConversation)));
        };
        // What is closed tells so itself; where a conversation is transferred to, it would be transferred to again.
        if job.operation.is_for_agents() && self.shows(job, item).await? {
            return Ok(Verdict::Settled(Outcome::done(job.operation.already())));
        }
        let key = CommandKey::from(format!("bulk-{}", job.id));
        let command = job.operation.command();
        let answer = conversation.perform_durably(key, job.operation.name(), command, LIFETIME, PATIENCE).await;
        Ok(judge(&job.operation, &answer))
    }

    /// Whether the conversation's last known state is as the job would have it.
    async fn shows(&self, job: &Job, item: &Item) -> Result<bool, StoreError> {
        let Some(connection) = &item.connection else { return Ok(false) };
        let summary = self.tertulia.summary(connection, &item.conversation).await?;
        Ok(summary.is_some_and(|summary| job.operation.shows_in(&summary)))
    }

    async fn settle(&self, entry: &Entry, job: &Job, item: Item, outcome: Outcome) -> Result<(), StoreError> {
        tracing::debug!(job = %job.id, conversation = %item.conversation, outcome = outcome.name(), "bulk item");
        let settled = Settled { outcome: outcome.clone(), at: Timestamp::now() };
        let item = Item { settled: Some(settled), ..item };
        records::write(self.journal(), records::put_item(&job.id, &item).into_iter().collect()).await?;
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

/// Counts an item as long as it is being carried out.
struct Flying<'a> {
    bulk: &'a Bulk,
    entry: &'a Entry,
}

impl<'a> Flying<'a> {
    fn begin(bulk: &'a Bulk, entry: &'a Entry) -> Self {
        entry.live().in_flight += 1;
        bulk.metrics.in_flight.inc();
        Self { bulk, entry }
    }
}

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.entry.live().in_flight -= 1;
        self.bulk.metrics.in_flight.dec();
    }
}
