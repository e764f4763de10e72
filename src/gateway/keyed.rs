//! `Idempotency-Key` for requests that are not commands in a conversation: each key and body acts once, and a repeated
//! request gets the same response, even after a restart.
//!
//! The request is stored before it acts, and its response before the response is sent. A request of a previous run
//! without a response may or may not have had its effect, so it is not repeated.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    rt,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tertulia_actors::{
    core::id::CommandKey,
    engine::{Change, Journal, Record, RecordKey, Step, StoreError, Table},
};

use super::{body::Digest, idempotency, problem::Problem, state::State};

const VERSION: u32 = 1;

/// Keys whose requests are being answered.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashSet<RecordKey>>);

/// A key's place among the keys in use. Dropping it frees the key.
struct Turn {
    under_way: Arc<UnderWay>,
    key: RecordKey,
}

impl UnderWay {
    fn enter(self: &Arc<Self>, key: &RecordKey) -> Option<Turn> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        is_free.then(|| Turn { under_way: Arc::clone(self), key: key.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// The response to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    body: Value,
}

impl Reply {
    pub(super) fn ok(body: impl Into<Value>) -> Self {
        Self { status: 200, location: None, body: body.into() }
    }

    /// A response for a resource created at `location`.
    pub(super) fn created(location: String, body: impl Into<Value>) -> Self {
        Self { status: 201, location: Some(location), body: body.into() }
    }
}

impl From<Reply> for HttpResponse {
    fn from(Reply { status, location, body }: Reply) -> Self {
        let mut response = Self::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
        if let Some(location) = location {
            response.insert_header((header::LOCATION, location));
        }
        response.json(body)
    }
}

/// The stored record of a request. Like the outcomes of commands, it is deleted a day after `at`.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    digest: String,
    /// In milliseconds.
    at: i64,
    reply: Option<Reply>,
}

/// Answers a request with the result of `act`. If the same key was used before, returns the stored response instead.
/// `act` continues if the caller is gone.
///
/// # Errors
/// The errors of `act`; or the key was used with another body; or a request with the key is running or was never
/// answered.
pub(super) async fn once(
    state: &State,
    request: &HttpRequest,
    digest: &Digest,
    act: impl Future<Output = Result<Reply, Problem>> + 'static,
) -> Result<HttpResponse, Problem> {
    let Some(key) = idempotency::key(request.headers())? else { return Ok(act.await?.into()) };
    // Commands' keys begin with a connection's name, which is never empty, so they cannot equal this key.
    let record = RecordKey::of(&["", request.path(), key.as_str()]);
    let turn = state.under_way.enter(&record).ok_or_else(under_way)?;
    let journal = Arc::clone(state.tertulia.journal());
    if let Some(kept) = read(&journal, record.clone()).await.map_err(unreadable)? {
        return answered(kept, digest, &key);
    }
    let asked = Kept { version: VERSION, digest: digest.as_str().to_owned(), at: now(), reply: None };
    write(&journal, &record, &asked).await?;
    let task = rt::spawn(async move {
        let _turn = turn;
        let outcome = act.await;
        match &outcome {
            Ok(reply) => {
                let answered = Kept { reply: Some(reply.clone()), at: now(), ..asked };
                write(&journal, &record, &answered).await?;
            }
            Err(problem) if problem.is_outcome_unknown() => {}
            // The request had no effect, so it may be repeated.
            Err(_) => commit(&journal, Change::Remove(Table::Answers, record)).await?,
        }
        outcome
    });
    match task.await {
        Ok(outcome) => Ok(outcome?.into()),
        Err(_) => {
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request failed inside the service"))
        }
    }
}

fn answered(kept: Kept, digest: &Digest, key: &CommandKey) -> Result<HttpResponse, Problem> {
    if kept.digest != digest.as_str() {
        let detail = format!("the Idempotency-Key {key} was already used with another body");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail));
    }
    let unknown = || {
        let detail = format!(
            "outcome unknown: an earlier request with the key {key} was never answered and may have had its effect"
        );
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", detail).with("key", key.as_str())
    };
    kept.reply.map(HttpResponse::from).ok_or_else(unknown)
}

fn under_way() -> Problem {
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

async fn read(journal: &Journal, key: RecordKey) -> Result<Option<Kept>, StoreError> {
    if !journal.keeps() {
        return Ok(None);
    }
    let value = journal.read(move |store| store.get(Table::Answers, &key)).await?;
    Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
}

async fn write(journal: &Journal, key: &RecordKey, kept: &Kept) -> Result<(), Problem> {
    let value = serde_json::to_vec(kept).unwrap_or_default().into();
    commit(journal, Change::Put(Table::Answers, Record { key: key.clone(), value })).await
}

async fn commit(journal: &Journal, change: Change) -> Result<(), Problem> {
    journal.append(0, |_| Step { changes: vec![change], ..Step::default() });
    if journal.settled().await { Ok(()) } else { Err(Problem::stopping()) }
}
