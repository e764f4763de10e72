//! `Idempotency-Key`: requests with the same key and body act once and get the same response, even after a restart.
//!
//! Every resource that acts takes its key from a [`Once`]. [`Once::act`] stores the request before it acts, and its
//! response before the response is sent. A request of a previous run without a response may or may not have had its
//! effect, so it is not repeated. Commands in a conversation, webhooks and bulk jobs store the key together with their
//! effect ([`Once::key`]), so that a crash leaves no doubt.

use std::{
    collections::HashMap,
    future::{Ready, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header, header::HeaderMap},
    rt,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tertulia_actors::{
    core::{command::KEY_CHARS, id::CommandKey, time::Timestamp},
    engine::{Change, Journal, Record, RecordKey, StoreError, Table},
};
use tokio::{sync::OwnedMutexGuard, time::timeout};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{body::Digest, problem::Problem, state::Caller};

const HEADER: &str = "idempotency-key";
const VERSION: u32 = 1;
/// How long a request waits for another request with the same key.
const PATIENCE: Duration = Duration::from_secs(60);

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only for the OpenAPI document")]
struct Key {
    /// 1 to 64 printable ASCII characters. For a day, requests with the same key and body act once and get the same
    /// response.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// The key of a request, if present. The value may be a quoted string.
fn key(headers: &HeaderMap) -> Result<Option<CommandKey>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if (1..=KEY_CHARS).contains(&text.len()) {
        return Ok(Some(CommandKey::from(text)));
    }
    let detail = format!("Idempotency-Key must be 1 to {KEY_CHARS} printable ASCII characters");
    Err(Problem::new(StatusCode::BAD_REQUEST, "bad-key", detail))
}

/// Keys whose requests are being answered. A request that holds the lock of its key is the only one with this key.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<RecordKey, Arc<tokio::sync::Mutex<()>>>>);

/// A key's place among the keys in use. Dropping it lets the next request with the key continue.
pub(super) struct Turn {
    under_way: Arc<UnderWay>,
    key: RecordKey,
    lock: Option<OwnedMutexGuard<()>>,
}

impl UnderWay {
    fn keys(&self) -> MutexGuard<'_, HashMap<RecordKey, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the other requests with this key.
    async fn enter(self: &Arc<Self>, key: &RecordKey) -> Turn {
        let lock = Arc::clone(self.keys().entry(key.clone()).or_default());
        // From here on the key is forgotten with the turn, also if this request is dropped while it waits.
        let mut turn = Turn { under_way: Arc::clone(self), key: key.clone(), lock: None };
        turn.lock = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut keys = self.under_way.keys();
        drop(self.lock.take());
        // New requests for the key need the table, so nobody can begin to wait meanwhile.
        if keys.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            keys.remove(&self.key);
        }
    }
}

/// The response to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    body: Option<Value>,
    /// A member of the body that only the first response has, because it is a secret.
    #[serde(skip)]
    shown_once: Option<&'static str>,
}

impl Reply {
    fn new(status: StatusCode, body: Option<Value>) -> Self {
        Self { status: status.as_u16(), location: None, body, shown_once: None }
    }

    pub(super) fn ok(body: impl Into<Value>) -> Self {
        Self::new(StatusCode::OK, Some(body.into()))
    }

    pub(super) fn accepted() -> Self {
        Self::new(StatusCode::ACCEPTED, None)
    }

    pub(super) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, None)
    }

    /// A response for a resource created at `location`.
    pub(super) fn created(location: String, body: impl Into<Value>) -> Self {
        Self { location: Some(location), ..Self::new(StatusCode::CREATED, Some(body.into())) }
    }

    /// The same response, whose member `name` is not stored and not repeated.
    pub(super) fn showing_once(self, name: &'static str) -> Self {
        Self { shown_once: Some(name), ..self }
    }

    /// The response to a repeated request.
    fn repeated(&self) -> Self {
        let mut repeated = self.clone();
        if let (Some(name), Some(Value::Object(members))) = (self.shown_once, &mut repeated.body) {
            members.remove(name);
        }
        repeated
    }
}

impl From<Reply> for HttpResponse {
    fn from(Reply { status, location, body, .. }: Reply) -> Self {
        let mut response = Self::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
        if let Some(location) = location {
            response.insert_header((header::LOCATION, location));
        }
        match body {
            Some(body) => response.json(body),
            None => response.finish(),
        }
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

/// What happens to a request whose earlier repetition was never answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unanswered {
    Refuse,
    Repeat,
}

/// A request that acts, and its key if it has one.
pub(super) struct Once {
    caller: Caller,
    /// The method's path template.
    resource: String,
    path: String,
    query: String,
    key: Option<CommandKey>,
}

impl FromRequest for Once {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        ready(caller.and_then(|caller| {
            Ok(Self {
                caller,
                resource: request.match_pattern().unwrap_or_default(),
                path: request.path().to_owned(),
                query: request.query_string().to_owned(),
                key: key(request.headers())?,
            })
        }))
    }
}

impl IntoParams for Once {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Key::into_params(parameter_in)
    }
}

impl Once {
    /// The key, for an owner of the effect that acts once per key by itself.
    pub(super) fn key(&self) -> Option<&CommandKey> {
        self.key.as_ref()
    }

    /// The path template, for digests.
    pub(super) fn resource(&self) -> &str {
        &self.resource
    }

    /// Waits until no other request with this key is being answered.
    ///
    /// # Errors
    /// The other request takes too long.
    pub(super) async fn turn(&self) -> Result<Option<Turn>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        self.enter(&self.record(key)).await.map(Some)
    }

    /// Answers a request without a body with the result of `act`, as [`Once::act`] does.
    ///
    /// # Errors
    /// As [`Once::act`].
    pub(super) async fn act_bare(
        self,
        act: impl Future<Output = Result<Reply, Problem>> + 'static,
    ) -> Result<HttpResponse, Problem> {
        let digest = Digest::of(&self.resource, [self.query.as_bytes()]);
        self.act(&digest, act).await
    }

    /// As [`Once::act`], for an effect that stores the key by itself: a request of a previous run without a response is
    /// repeated, because it finds its effect.
    ///
    /// # Errors
    /// As [`Once::act`].
    pub(super) async fn act_by_key(
        self,
        digest: &Digest,
        act: impl Future<Output = Result<Reply, Problem>> + 'static,
    ) -> Result<HttpResponse, Problem> {
        self.answer(digest, Unanswered::Repeat, act).await
    }

    /// Answers a request with the result of `act`. If the same key was used before, returns the stored response
    /// instead, and if a request with the key is being answered, its response. With a key, `act` continues if the caller
    /// is gone.
    ///
    /// # Errors
    /// The errors of `act`; or the key was used with another body; or an earlier request with the key was never
    /// answered.
    pub(super) async fn act(
        self,
        digest: &Digest,
        act: impl Future<Output = Result<Reply, Problem>> + 'static,
    ) -> Result<HttpResponse, Problem> {
        self.answer(digest, Unanswered::Refuse, act).await
    }

    async fn answer(
        self,
        digest: &Digest,
        unanswered: Unanswered,
        act: impl Future<Output = Result<Reply, Problem>> + 'static,
    ) -> Result<HttpResponse, Problem> {
        let Some(key) = &self.key else { return Ok(act.await?.into()) };
        let record = self.record(key);
        let turn = self.enter(&record).await?;
        let journal = Arc::clone(self.caller.state().everything().journal());
        if let Some(kept) = read(&journal, record.clone()).await.map_err(unreadable)? {
            return answered(kept, digest, key);
        }
        let asked = Kept { version: VERSION, digest: digest.as_str().to_owned(), at: now(), reply: None };
        if unanswered == Unanswered::Refuse {
            write(&journal, &record, &asked).await?;
        }
        let task = rt::spawn(async move {
            let _turn = turn;
            let outcome = act.await;
            match &outcome {
                Ok(reply) => {
                    let answered = Kept { reply: Some(reply.repeated()), at: now(), ..asked };
                    write(&journal, &record, &answered).await?;
                }
                Err(problem) if problem.is_outcome_unknown() => {}
                // The request had no effect, so it may be repeated.
                Err(_) if unanswered == Unanswered::Repeat => {}
                Err(_) => commit(&journal, Change::Remove(Table::Answers, record)).await?,
            }
            outcome
        });
        match task.await {
            Ok(outcome) => Ok(outcome?.into()),
            Err(_) => Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the request failed inside the service",
            )),
        }
    }

    /// The name of the key's record. Callers of different reach have different keys, so that none gets the response of
    /// another. The path and the reach, which may be long, are in it as digests. Records of earlier versions have the
    /// texts themselves in the key and are not found; a response is kept for a day.
    fn record(&self, key: &CommandKey) -> RecordKey {
        // Commands' keys begin with a connection's name, which is never empty, so they cannot equal this key.
        let path = Digest::of(&self.path, []);
        RecordKey::of(&["", path.as_str(), key.as_str(), &self.caller.reach().digest()])
    }

    async fn enter(&self, record: &RecordKey) -> Result<Turn, Problem> {
        let under_way = &self.caller.state().under_way;
        timeout(PATIENCE, under_way.enter(record)).await.map_err(|_| {
            let detail = "another request with this key is being answered";
            Problem::new(StatusCode::CONFLICT, "key-in-use", detail).header(header::RETRY_AFTER, "1")
        })
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
    let value = serde_json::to_vec(kept).unwrap_or_default();
    let until = Timestamp(kept.at).after(journal.retention().answers);
    commit(journal, Change::Put(Table::Answers, Record::new(key.clone(), value).until(until))).await
}

async fn commit(journal: &Journal, change: Change) -> Result<(), Problem> {
    journal.keep(vec![change]).await.map(drop).map_err(|_| Problem::stopping())
}
