//! `Idempotency-Key`: requests with the same key and body act once and get the same response, even after a restart.
//!
//! Every resource that acts takes its key from a [`Once`]. [`Once::act`] stores the request before it acts, and its
//! response before the response is sent. A request of a previous run without a response may or may not have had its
//! effect, so it is not repeated. Of processes that share a store, only the one that stored the request first acts.
//! Commands in a conversation, webhooks and bulk jobs store the key together with their effect ([`Once::key`]), so that
//! a crash leaves no doubt.

mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header::HeaderMap},
};
use tertulia_actors::{
    core::{command::KEY_CHARS, id::CommandKey},
    engine::RecordKey,
};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

pub(super) use self::reply::Reply;
use self::request::{KeyedRequest, Unanswered};
use super::{body::Digest, problem::Problem, state::Caller, under_way::Turn};

const HEADER: &str = "idempotency-key";

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
        request::enter(&self.caller.state().under_way, &self.record(key)).await.map(Some)
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
        let state = self.caller.state();
        let request = KeyedRequest {
            journal: Arc::clone(state.everything().journal()),
            under_way: Arc::clone(&state.under_way),
            record: self.record(key),
            key: key.clone(),
            digest: digest.as_str().to_owned(),
        };
        Ok(request.answer(unanswered, act).await?.into())
    }

    /// The name of the key's record. Callers of different reach have different keys, so that none gets the response of
    /// another. The path and the reach, which may be long, are in it as digests. Records of earlier versions have the
    /// texts themselves in the key and are not found; a response is kept for a day.
    fn record(&self, key: &CommandKey) -> RecordKey {
        // Commands' keys begin with a connection's name, which is never empty, so they cannot equal this key.
        let path = Digest::of(&self.path, []);
        RecordKey::of(&["", path.as_str(), key.as_str(), &self.caller.reach().digest()])
    }
}
