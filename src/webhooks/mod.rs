//! Outgoing webhooks: events delivered to receivers over HTTP, signed by Standard Webhooks 1.0 (interfaces §3, §4).
//!
//! What is promised: every event that a webhook wants is delivered at least once, always under the same `webhook-id`;
//! the events of one conversation in order, one at a time; and nothing of that is lost with the process. What cannot be
//! delivered goes to the dead letters.
//!
//! Why it is built as it is:
//!
//! - *The event log is the queue.* It is durable and ordered already, so what waits for a webhook need not be copied. A
//!   webhook keeps how far it has read and the few numbers before that which are not done (`record`).
//! - *One conversation that fails must not hold up another.* Once an event fails, it and what comes behind it in its
//!   lane get records of their own, and reading goes on (`lanes`). Their number is bounded, by a policy that hurts the
//!   one at fault.
//! - *A receiver that is down is one trouble, not as many as there are conversations.* It is probed by one attempt at a
//!   time (`receiver`), most events keep all of their retries for when it is back, and the log waits.
//! - *The outcome of an attempt is durable before the next event of its lane goes.* So a crash repeats at most one event
//!   of each conversation, in its place. It costs one group commit, some milliseconds, which other lanes use.
//! - *The address that was checked is the address that is dialled* (`dial`), because whoever may make webhooks is not
//!   thereby somebody who may reach the network behind the gateway.
//!
//! All webhooks are on one thread of their own, each with one task (`worker`) under one desk (`desk`).

mod attempt;
mod cargo;
mod definition;
mod delivery;
mod desk;
mod dial;
mod lanes;
#[cfg(test)]
mod lanes_tests;
mod metrics;
mod receiver;
mod record;
mod schedule;
mod secret;
mod target;
mod verdict;
mod worker;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_rt::Arbiter;
use secrecy::SecretString;
use tertulia_actors::{
    Tertulia,
    dead_letters::{DeadLetter, DeadLetterKind},
    engine::StoreError,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

pub use definition::{Definition, DisabledReason, Wanted, WebhookId, WebhookState};
pub use delivery::Delivery;
pub use metrics::WebhookMetrics;
pub use schedule::{Retries, RetriesError};
pub use secret::{LONGEST_OVERLAP, OVERLAP, Secret, SecretError};
pub use target::{Target, TargetError};
pub use worker::Status;

use cargo::Cargo;
use desk::{Desk, Question, Reply};
use worker::Surroundings;

/// Webhooks that there may be at a time.
pub const MOST_WEBHOOKS: usize = 100;
/// Questions that wait for the desk.
const QUESTIONS: usize = 64;
/// How long an answer may take, beyond the time that an attempt may.
const PATIENCE: Duration = Duration::from_secs(10);

/// How webhooks are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether receivers may be on this machine or the network behind it, and be spoken to in plain HTTP.
    pub allow_internal: bool,
    /// How long one attempt may take, connecting included.
    pub attempt_within: Duration,
    /// How long a webhook may do nothing but fail before it is disabled.
    pub disable_after: Duration,
}

impl Default for Settings {
    /// No internal addresses, 15 s, five days.
    fn default() -> Self {
        let disable_after = Duration::from_secs(5 * 24 * 60 * 60);
        Self { allow_internal: false, attempt_within: Duration::from_secs(15), disable_after }
    }
}

/// What a new webhook is to be.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where it goes.
    pub url: String,
    /// What it is sent.
    pub filter: Wanted,
    /// Whether the events of one conversation are delivered one after the other.
    pub ordered: bool,
    /// The pauses between attempts; the default ones otherwise.
    pub retries: Option<Retries>,
    /// What it signs with; a random one otherwise.
    pub secret: Option<SecretString>,
    /// The event behind which it begins; the newest otherwise.
    pub after: Option<String>,
    /// Whether it delivers from the beginning.
    pub enabled: bool,
}

/// What becomes of a webhook; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Where it goes.
    pub url: Option<String>,
    /// What it is sent of what is read from now on.
    pub filter: Option<Wanted>,
    /// The pauses between attempts.
    pub retries: Option<Retries>,
    /// Whether it delivers.
    pub enabled: Option<bool>,
}

/// A webhook and how it is doing.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// What it is told to do.
    pub definition: Definition,
    /// How it is doing.
    pub status: Status,
}

/// A webhook that was made.
#[derive(Debug)]
pub struct Created {
    /// The webhook.
    pub webhook: Webhook,
    /// What it signs with, for whoever made it; `None` where it was made before and its key came again.
    pub secret: Option<SecretString>,
}

/// A webhook that has another secret.
#[derive(Debug)]
pub struct Rotated {
    /// What it signs with from now on.
    pub secret: SecretString,
    /// Until when the secret before signs beside it.
    pub until: jiff::Timestamp,
}

/// What a receiver said to a test event.
#[derive(Clone, Debug)]
pub struct Tested {
    /// What the delivery log says of it.
    pub delivery: Delivery,
    /// The beginning of what the receiver answered.
    pub answer: String,
}

/// Why it could not be done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is none with this id.
    #[error("webhook {0} does not exist")]
    Unknown(WebhookId),
    /// There are as many as there may be.
    #[error("{MOST_WEBHOOKS} webhooks already exist, which is the limit")]
    TooMany,
    /// The URL is no receiver's.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The secret is none, or one too many.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A filter is too long.
    #[error("each list of the filter must have at most {} names of at most 256 bytes", definition::MOST_NAMES)]
    FilterTooLong,
    /// The idempotency key came with another body before.
    #[error("the Idempotency-Key was already used with another body")]
    KeyReused,
    /// Other tests of the webhook are under way.
    #[error("too many tests of the webhook are running; try again later")]
    TooManyTests,
    /// Too much waits to be delivered again.
    #[error("too many dead letters already wait for the webhook; try again later")]
    Overloaded,
    /// The dead letter is no webhook's, or not all of it was kept.
    #[error("the dead letter cannot be delivered again: it is not a webhook's event, or its event was not kept whole")]
    NotReplayable,
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The webhooks end, or the store keeps nothing.
    #[error("webhooks are not available: the service is stopping, or it has no store")]
    Unavailable,
}

/// The webhooks of a process.
pub struct Webhooks {
    arbiter: Arbiter,
    questions: mpsc::Sender<Question>,
    metrics: Arc<WebhookMetrics>,
    settings: Settings,
    stopped: Mutex<bool>,
}

impl Webhooks {
    /// Takes up the webhooks that the store of `tertulia` has, on a thread of their own. Must be called inside an actix
    /// system.
    #[must_use]
    pub fn start(tertulia: &Tertulia, settings: Settings) -> Arc<Self> {
        let (arbiter, metrics) = (Arbiter::new(), Arc::new(WebhookMetrics::default()));
        let (questions, received) = mpsc::channel(QUESTIONS);
        let around = Surroundings {
            journal: Arc::clone(tertulia.journal()),
            dead_letters: Arc::clone(tertulia.dead_letters()),
            tls: Arc::clone(tertulia.platform().tls()),
            settings,
            metrics: Arc::clone(&metrics),
        };
        arbiter.spawn_fn(move || {
            actix_rt::spawn(Desk::new(around).run(received));
        });
        Arc::new(Self { arbiter, questions, metrics, settings, stopped: Mutex::new(false) })
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &WebhookMetrics {
        &self.metrics
    }

    /// All webhooks, in the order of their ids.
    ///
    /// # Errors
    /// [`WebhookError::Unavailable`].
    pub async fn list(&self) -> Result<Vec<Webhook>, WebhookError> {
        self.ask(Question::List).await
    }

    /// One webhook.
    ///
    /// # Errors
    /// [`WebhookError::Unknown`], [`WebhookError::Unavailable`].
    pub async fn get(&self, id: WebhookId) -> Result<Webhook, WebhookError> {
        self.ask(|reply| Question::Get(id, reply)).await
    }

    /// Makes a webhook. With an idempotency key and the digest of what it came with, it is made once, and answered alike
    /// for as long as answers are kept.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn create(&self, new: NewWebhook, key: Option<(String, String)>) -> Result<Created, WebhookError> {
        self.ask(|reply| Question::Create(Box::new(new), key, reply)).await
    }

    /// Changes a webhook. What waits is tried at once.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn change(&self, id: WebhookId, changes: Changes) -> Result<Webhook, WebhookError> {
        self.ask(|reply| Question::Change(id, Box::new(changes), reply)).await
    }

    /// Ends a webhook, what is under way of it included, and forgets all of it.
    ///
    /// # Errors
    /// [`WebhookError`]; it is then still there.
    pub async fn delete(&self, id: WebhookId) -> Result<(), WebhookError> {
        self.ask(|reply| Question::Delete(id, reply)).await
    }

    /// Signs by another secret from now on, and by the one before for `overlap`.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn rotate(&self, id: WebhookId, secret: Secret, overlap: Duration) -> Result<Rotated, WebhookError> {
        self.ask(|reply| Question::Rotate(id, secret, overlap, reply)).await
    }

    /// Sends a `tertulia.test` event now, whether the webhook is enabled or not, and tells what the receiver said.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn test(&self, id: WebhookId) -> Result<Tested, WebhookError> {
        self.ask(|reply| Question::Test(id, reply)).await
    }

    /// The delivery log of a webhook, newest first, behind the line named `after`, with the name of each line.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn deliveries(
        &self,
        id: WebhookId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<(String, Delivery)>, WebhookError> {
        self.ask(|reply| Question::Deliveries(id, after, limit, reply)).await
    }

    /// Whether a dead letter is what a webhook could not deliver.
    #[must_use]
    pub fn sent(letter: &DeadLetter) -> bool {
        let subscriber = letter.subscriber.as_deref();
        letter.kind == DeadLetterKind::Delivery && subscriber.and_then(WebhookId::of_subscriber).is_some()
    }

    /// Delivers again what a dead letter held. It is durable when this returns, so that the letter can be forgotten; if
    /// it fails this time too, it comes back as another letter. It has a lane of its own: its conversation has gone on
    /// without it.
    ///
    /// # Errors
    /// [`WebhookError`]: the webhook is gone, or the dead letter is not a webhook's, or is cut.
    pub async fn replay(&self, letter: &DeadLetter) -> Result<(), WebhookError> {
        let id = letter.subscriber.as_deref().and_then(WebhookId::of_subscriber);
        let id = id.filter(|_| letter.kind == DeadLetterKind::Delivery && !letter.is_cut);
        let cargo = Cargo::read(letter.body.clone());
        let (Some(id), Some(cargo)) = (id, cargo) else { return Err(WebhookError::NotReplayable) };
        let letter = letter.id.as_str().into();
        self.ask(|reply| Question::Replay(id, letter, Box::new(cargo), reply)).await
    }

    /// Begins no more attempts and waits for those that are under way; what has not ended `within` is dropped, and made
    /// again in the next life.
    pub async fn stop(&self, within: Duration) {
        if std::mem::replace(&mut *self.stopped.lock().unwrap_or_else(PoisonError::into_inner), true) {
            return;
        }
        let (done, ended) = oneshot::channel();
        let stop = async {
            self.questions.send(Question::Stop(within, done)).await.ok()?;
            ended.await.ok()
        };
        // The desk keeps the time itself, unless it is stuck.
        if timeout(within + PATIENCE, stop).await.is_err() {
            tracing::warn!("the webhooks did not end in time");
        }
        self.arbiter.stop();
    }

    async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Result<T, WebhookError> {
        let (reply, answer) = oneshot::channel();
        let asking = async {
            self.questions.send(question(reply)).await.ok()?;
            answer.await.ok()
        };
        let within = PATIENCE + self.settings.attempt_within;
        timeout(within, asking).await.ok().flatten().unwrap_or(Err(WebhookError::Unavailable))
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}
