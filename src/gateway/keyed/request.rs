//! A request with a key, from its record before it acts to its record with the response. The record of the first request
//! keeps out all others with the key, also those that other processes get.

use std::{sync::Arc, time::Duration};

use actix_web::{
    http::{StatusCode, header},
    rt,
};
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    core::{id::CommandKey, time::Timestamp},
    engine::{Change, Committed, Journal, Record, RecordKey, StoreError, Table},
};
use tokio::time::{Instant, sleep, timeout};

use super::reply::Reply;
use crate::gateway::{
    problem::Problem,
    under_way::{Turn, UnderWay},
};

const VERSION: u32 = 1;
/// How long a request waits for another request with the same key.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the record of a request in another process is read. A record cannot be awaited.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The stored record of a request. Like the outcomes of commands, it is deleted a day after `at`.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) version: u32,
    pub(super) digest: String,
    /// In milliseconds.
    pub(super) at: i64,
    pub(super) reply: Option<Reply>,
    /// Whether the request has ended without a response that could be stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_over: bool,
}

/// What happens to a request whose earlier repetition was never answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    Refuse,
    Repeat,
}

/// A request with a key.
pub(super) struct KeyedRequest {
    pub(super) journal: Arc<Journal>,
    pub(super) under_way: Arc<UnderWay>,
    /// The key of its record.
    pub(super) record: RecordKey,
    /// The caller's key.
    pub(super) key: CommandKey,
    /// Distinguishes the request from another request with the same key.
    pub(super) digest: String,
}

impl KeyedRequest {
    /// Returns the response to the first request with the key, or that of `act` if this is the first one. `act` continues
    /// if the caller is gone.
    ///
    /// # Errors
    /// The errors of `act`; or the key was used with another body; or an earlier request with the key takes too long or
    /// was never answered.
    pub(super) async fn answer(
        self,
        unanswered: Unanswered,
        act: impl Future<Output = Result<Reply, Problem>> + 'static,
    ) -> Result<Reply, Problem> {
        let turn = enter(&self.under_way, &self.record).await?;
        let earlier = match unanswered {
            Unanswered::Refuse => self.ask().await?,
            Unanswered::Repeat => self.earlier().await?,
        };
        match earlier {
            Some(earlier) => self.answered(earlier),
            None => match rt::spawn(self.perform(turn, unanswered, act)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let detail = "the request failed inside the service";
                    Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail))
                }
            },
        }
    }

    /// Stores the request if it is the first one with its key. Otherwise returns the record of the first one, with its
    /// response if there is one in time.
    async fn ask(&self) -> Result<Option<Kept>, Problem> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.earlier().await? {
                Some(earlier) if self.may_be_answered(&earlier, deadline).await? => sleep(LOOK_EVERY).await,
                Some(earlier) => return Ok(Some(earlier)),
                // Without a record an earlier request had no effect, and this one may be the first.
                None if self.write(&self.kept(None), Change::PutNew).await?.not_new.is_empty() => return Ok(None),
                None if Instant::now() >= deadline => return Err(in_use()),
                None => {}
            }
        }
    }

    /// Whether another process may still be answering the request. In this process, only the request whose turn it is
    /// can be.
    async fn may_be_answered(&self, earlier: &Kept, deadline: Instant) -> Result<bool, Problem> {
        let patience = i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX);
        let is_open = earlier.reply.is_none() && !earlier.is_over && earlier.digest == self.digest;
        let is_recent = earlier.at.saturating_add(patience) > now() && Instant::now() < deadline;
        Ok(is_open && is_recent && self.journal.read(|store| Ok(store.is_shared())).await.map_err(unreadable)?)
    }

    /// Acts, and stores the response.
    async fn perform(
        self,
        _turn: Turn,
        unanswered: Unanswered,
        act: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        let outcome = act.await;
        match (&outcome, unanswered) {
            (Ok(reply), _) => drop(self.write(&self.kept(Some(reply.repeated())), Change::Put).await?),
            // Without a record the request may be repeated.
            (Err(_), Unanswered::Repeat) => {}
            (Err(problem), Unanswered::Refuse) if problem.is_outcome_unknown() => {
                drop(self.write(&Kept { is_over: true, ..self.kept(None) }, Change::Put).await?);
            }
            // The request had no effect, so it may be repeated.
            (Err(_), Unanswered::Refuse) => {
                drop(self.commit(Change::Remove(Table::Answers, self.record.clone())).await?)
            }
        }
        outcome
    }

    fn answered(&self, earlier: Kept) -> Result<Reply, Problem> {
        let key = &self.key;
        if earlier.digest != self.digest {
            let detail = format!("the Idempotency-Key {key} was already used with another body");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail));
        }
        earlier.reply.ok_or_else(|| self.unknown())
    }

    fn unknown(&self) -> Problem {
        let key = &self.key;
        let detail = format!(
            "outcome unknown: an earlier request with the key {key} was never answered and may have had its effect"
        );
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", detail).with("key", key.as_str())
    }

    fn kept(&self, reply: Option<Reply>) -> Kept {
        Kept { version: VERSION, digest: self.digest.clone(), at: now(), reply, is_over: false }
    }

    /// The record of the first request with the key; `None` if no request used the key.
    async fn earlier(&self) -> Result<Option<Kept>, Problem> {
        if !self.journal.keeps() {
            return Ok(None);
        }
        let record = self.record.clone();
        let value = self.journal.read(move |store| store.get(Table::Answers, &record)).await.map_err(unreadable)?;
        // A record of an unknown format says only that the key was used.
        value.map(|value| serde_json::from_slice(&value).map_err(|_| self.unknown())).transpose()
    }

    async fn write(&self, kept: &Kept, change: fn(Table, Record) -> Change) -> Result<Committed, Problem> {
        let value = serde_json::to_vec(kept).unwrap_or_default();
        let until = Timestamp(kept.at).after(self.journal.retention().answers);
        self.commit(change(Table::Answers, Record::new(self.record.clone(), value).until(until))).await
    }

    async fn commit(&self, change: Change) -> Result<Committed, Problem> {
        self.journal.keep(vec![change]).await.map_err(|_| Problem::stopping())
    }
}

/// Waits until this process answers no other request with the key of `record`.
///
/// # Errors
/// The other request takes too long.
pub(super) async fn enter(under_way: &Arc<UnderWay>, record: &RecordKey) -> Result<Turn, Problem> {
    timeout(PATIENCE, under_way.enter(record)).await.map_err(|_| in_use())
}

fn in_use() -> Problem {
    let detail = "another request with this key is being answered";
    Problem::new(StatusCode::CONFLICT, "key-in-use", detail).header(header::RETRY_AFTER, "1")
}

fn unreadable(error: StoreError) -> Problem {
    tracing::error!(%error, "the stored answers to earlier requests cannot be read");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "store-unavailable",
        "the store cannot tell whether this key was used before; try again",
    )
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
