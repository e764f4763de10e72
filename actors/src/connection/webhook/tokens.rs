//! The tokens of an application and of the consumers it speaks for, each requested once and kept while it is valid.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};
use tertulia_core::id::{ExternalConsumerId, UserId};

use super::grant::{Grant, NotGranted};
use crate::platform::{AppCredentials, AppToken, ConsumerToken, HttpError, PlatformClient};

/// How long before its expiry a token is renewed.
const RENEWED_BEFORE: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

/// The tokens of one application.
pub(super) struct Tokens {
    app: AppCredentials,
    /// The holder of this lock requests the token while the other requests wait for it.
    grant: tokio::sync::Mutex<Grant<AppToken>>,
    consumers: Mutex<Consumers>,
}

/// Consumers' tokens by consumer; beyond the limit the oldest is dropped.
struct Consumers {
    limit: usize,
    known: HashMap<ExternalConsumerId, ConsumerToken>,
    /// The same consumers by the platform's ids.
    by_user: HashMap<UserId, ExternalConsumerId>,
    order: VecDeque<ExternalConsumerId>,
}

impl Tokens {
    pub(super) fn new(app: AppCredentials, grant: Grant<AppToken>, max_consumers: usize) -> Self {
        let consumers = Consumers::new(max_consumers.max(1));
        Self { app, grant: tokio::sync::Mutex::new(grant), consumers: Mutex::new(consumers) }
    }

    /// Returns the application's token, but not the token `refused`, which the platform rejected.
    pub(super) async fn app(
        &self,
        client: &PlatformClient,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, NotGranted> {
        let mut grant = self.grant.lock().await;
        let lasts = |token: &AppToken| token.expires > jiff::Timestamp::now() + RENEWED_BEFORE;
        let is_refused = |token: &AppToken| refused.is_some_and(|refused| is_same(refused, &token.token));
        grant.get(lasts, is_refused, client.app_token(&self.app)).await.map(|granted| granted.token)
    }

    /// Drops the tokens and the last refusal. `has_worked` says whether the credentials worked in a previous run.
    pub(super) async fn begin(&self, has_worked: bool) {
        self.grant.lock().await.begin(has_worked);
    }

    /// Returns the token of `consumer`, but not the token `refused`, which the platform rejected.
    pub(super) async fn consumer(
        &self,
        client: &PlatformClient,
        app: &SecretString,
        consumer: &ExternalConsumerId,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, HttpError> {
        let known = self.consumers().known.get(consumer).map(|known| known.token.clone());
        if let Some(token) = known.filter(|known| refused.is_none_or(|refused| !is_same(refused, known))) {
            return Ok(token);
        }
        let token = client.consumer_jws(app, consumer).await?;
        let secret = token.token.clone();
        self.consumers().keep(consumer, token);
        Ok(secret)
    }

    /// Returns the application's own id of a consumer for whom it has spoken.
    pub(super) fn consumer_of(&self, user: &str) -> Option<ExternalConsumerId> {
        self.consumers().by_user.get(user).cloned()
    }

    fn consumers(&self) -> std::sync::MutexGuard<'_, Consumers> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumers {
    fn new(limit: usize) -> Self {
        Self { limit, known: HashMap::new(), by_user: HashMap::new(), order: VecDeque::new() }
    }

    fn keep(&mut self, consumer: &ExternalConsumerId, token: ConsumerToken) {
        if let Some(user_id) = token.user_id.clone() {
            self.by_user.insert(user_id, consumer.clone());
        }
        if self.known.insert(consumer.clone(), token).is_some() {
            return;
        }
        self.order.push_back(consumer.clone());
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            let forgotten = self.known.remove(&oldest).and_then(|token| token.user_id);
            forgotten.map(|user_id| self.by_user.remove(&user_id));
        }
    }
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_consumer_is_forgotten_beyond_the_limit_and_a_renewed_one_is_kept_once() {
        let mut consumers = Consumers::new(2);
        for name in ["a", "b", "b", "c"] {
            let token = ConsumerToken { token: name.into(), user_id: Some(name.into()) };
            consumers.keep(&ExternalConsumerId::from(name), token);
        }
        let users = ["a", "b"].map(|user| consumers.by_user.contains_key(user));
        assert_eq!((users, consumers.by_user.len()), ([false, true], 2));
        let mut known: Vec<&str> = consumers.known.keys().map(ExternalConsumerId::as_str).collect();
        known.sort_unstable();
        assert_eq!((known, consumers.order.len()), (vec!["b", "c"], 2));
    }
}
