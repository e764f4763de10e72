//! Outgoing webhooks: events delivered to receivers over HTTP, signed according to Standard Webhooks 1.0.
//!
//! Guarantees: every event that a webhook wants is delivered at least once, always under the same `webhook-id`; the
//! events of one conversation are delivered in order, one at a time; a crash of the process loses none of this. Events
//! that cannot be delivered go to the dead letters.
//!
//! Reasons for the design:
//!
//! - *The event log is the queue.* The log is already durable and ordered, so waiting events need no copy. A webhook
//!   stores the position up to which it has read, and the few numbers before it that are not done (`record`).
//! - *A failing conversation must not delay others.* Once an event fails, it and the events after it in its lane get
//!   their own records, and reading continues (`lanes`). Their number is limited, at the expense of the failing lane.
//! - *A receiver that is down is one fault, not one per conversation.* It is probed with one attempt at a time
//!   (`receiver`), most events keep all their retries for its return, and the log waits.
//! - *The outcome of an attempt is durable before the next event of its lane is sent.* So a crash repeats at most one
//!   event of each conversation, in its place. The cost is one group commit of some milliseconds, during which other
//!   lanes continue.
//! - *The address that was checked is the address that is dialled* (`dial`), because the right to create webhooks must
//!   not be the right to reach the network behind the gateway.
//!
//! - *An answer that is a reply is durable in the commit that ends its delivery*, as a record with the commands in it
//!   (`record`). After that, the commands are submitted under keys that contain the id of the event, so that each acts
//!   once even if the process ends (`worker::replies`). The lane continues when the conversation has accepted them.
//!
//! All webhooks run on one thread of their own, each with one task (`worker`). One task (`supervisor`) owns the
//! workers.

mod answer;
mod attempt;
mod context;
mod definition;
mod delivery;
mod dial;
mod error;
mod lanes;
mod metrics;
mod payload;
mod receiver;
mod record;
mod schedule;
mod secret;
mod settings;
mod status;
mod supervisor;
mod target;
mod verdict;
mod webhook;
mod worker;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_rt::Arbiter;
use futures_util::{FutureExt as _, future::BoxFuture};
use tertulia_actors::{
    Tertulia,
    dead_letters::{DeadLetter, DeadLetterKind},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

pub use answer::Answer;
pub use definition::{Definition, DisabledReason, Wanted, WebhookId, WebhookState};
pub use delivery::Delivery;
pub use error::{MOST_WEBHOOKS, WebhookError};
pub use metrics::WebhookMetrics;
pub use schedule::{Retries, RetriesError};
pub use secret::{LONGEST_OVERLAP, OVERLAP, Secret, SecretError};
pub use settings::Settings;
pub use status::Status;
pub use target::{Target, TargetError};
pub use webhook::{Changes, Created, NewWebhook, Rotated, Tested, Webhook};

use crate::{bulk::Connections, cluster::Work, engine::Seal};
use context::WebhookContext;
use payload::Payload;
use supervisor::{Question, Reply, Supervisor};

/// Questions that may wait for the supervisor.
const QUESTIONS: usize = 64;
/// How long an answer may take, in addition to an attempt's limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// The webhooks of a process. Where several nodes share a store, one of them delivers.
pub struct Webhooks {
    arbiter: Arbiter,
    questions: mpsc::Sender<Question>,
    is_begun: AtomicBool,
    /// Whether this process has the right to deliver and has loaded the webhooks.
    delivers: Arc<AtomicBool>,
    metrics: Arc<WebhookMetrics>,
    settings: Settings,
    stopped: Mutex<bool>,
}

impl Webhooks {
    /// Starts the webhooks in the store of `tertulia`, on a thread of their own. Must be called inside an actix system.
    #[must_use]
    pub fn start(tertulia: &Arc<Tertulia>, settings: Settings) -> Arc<Self> {
        Self::start_sealed(tertulia, settings, None)
    }

    /// Starts the webhooks like [`Webhooks::start`]. Their secrets are sealed in the store by `seal`, if there is one.
    #[must_use]
    pub fn start_sealed(tertulia: &Arc<Tertulia>, settings: Settings, seal: Option<Seal>) -> Arc<Self> {
        let webhooks = Self::prepare(tertulia, settings, seal, None);
        webhooks.begin();
        webhooks
    }

    /// Prepares the webhooks like [`Webhooks::start_sealed`]. They are loaded and deliver once [`Work::begin`] is called.
    /// Replies for connections that this process does not have are carried out through `elsewhere`.
    pub(crate) fn prepare(
        tertulia: &Arc<Tertulia>,
        settings: Settings,
        seal: Option<Seal>,
        elsewhere: Option<Arc<dyn Connections>>,
    ) -> Arc<Self> {
        let (arbiter, metrics) = (Arbiter::new(), Arc::new(WebhookMetrics::default()));
        let (questions, received) = mpsc::channel(QUESTIONS);
        let context = WebhookContext {
            tertulia: Arc::downgrade(tertulia),
            elsewhere,
            journal: Arc::clone(tertulia.journal()),
            acting: None,
            dead_letters: Arc::clone(tertulia.dead_letters()),
            tls: Arc::clone(tertulia.platform().tls()),
            settings,
            seal,
            metrics: Arc::clone(&metrics),
        };
        let delivers = Arc::<AtomicBool>::default();
        let shown = Arc::clone(&delivers);
        arbiter.spawn_fn(move || {
            actix_rt::spawn(Supervisor::new(context, shown).run(received));
        });
        let (is_begun, stopped) = (AtomicBool::default(), Mutex::new(false));
        Arc::new(Self { arbiter, questions, is_begun, delivers, metrics, settings, stopped })
    }

    /// Whether this process delivers: it has the duty, and has loaded the webhooks.
    pub(crate) fn delivers(&self) -> bool {
        self.delivers.load(Ordering::Acquire)
    }

    /// The metrics of webhooks.
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

    /// Creates a webhook. With an idempotency key and the digest of the request, repeated calls of the same reach create
    /// only one webhook and get the same answer for as long as answers are kept.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn create(&self, new: NewWebhook, key: Option<(String, String)>) -> Result<Created, WebhookError> {
        self.ask(|reply| Question::Create(Box::new(new), key, reply)).await
    }

    /// Changes a webhook. Waiting events are tried at once.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn change(&self, id: WebhookId, changes: Changes) -> Result<Webhook, WebhookError> {
        self.ask(|reply| Question::Change(id, Box::new(changes), reply)).await
    }

    /// Deletes a webhook with all its records, and ends its running attempts.
    ///
    /// # Errors
    /// [`WebhookError`]; the webhook then still exists.
    pub async fn delete(&self, id: WebhookId) -> Result<(), WebhookError> {
        self.ask(|reply| Question::Delete(id, reply)).await
    }

    /// Replaces the signing secret. The previous secret also signs for `overlap`.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn rotate(&self, id: WebhookId, secret: Secret, overlap: Duration) -> Result<Rotated, WebhookError> {
        self.ask(|reply| Question::Rotate(id, secret, overlap, reply)).await
    }

    /// Sends a `tertulia.test` event now, even if the webhook is disabled, and returns the receiver's answer.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn test(&self, id: WebhookId) -> Result<Tested, WebhookError> {
        self.ask(|reply| Question::Test(id, reply)).await
    }

    /// The delivery log of a webhook after the line named `after`, newest first, with the name of each line.
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

    /// Whether a dead letter is an undelivered event of a webhook.
    #[must_use]
    pub fn sent(letter: &DeadLetter) -> bool {
        let subscriber = letter.subscriber.as_deref();
        letter.kind == DeadLetterKind::Delivery && subscriber.and_then(WebhookId::of_subscriber).is_some()
    }

    /// Delivers the event of a dead letter again. When this returns, the delivery is durable, so the letter can be
    /// deleted; if the delivery fails, the event becomes a new dead letter. The event gets its own lane, because its
    /// conversation has continued without it.
    ///
    /// # Errors
    /// [`WebhookError`]: the webhook does not exist, or the dead letter is not a webhook's, or was cut.
    pub async fn replay(&self, letter: &DeadLetter) -> Result<(), WebhookError> {
        let id = letter.subscriber.as_deref().and_then(WebhookId::of_subscriber);
        let id = id.filter(|_| letter.kind == DeadLetterKind::Delivery && !letter.is_cut);
        let payload = Payload::read(letter.body.clone());
        let (Some(id), Some(payload)) = (id, payload) else { return Err(WebhookError::NotReplayable) };
        let letter = letter.id.as_str().into();
        self.ask(|reply| Question::Replay(id, letter, Box::new(payload), reply)).await
    }

    /// Starts no more attempts and waits for the running ones. Attempts that do not end `within` are dropped and
    /// repeated by the next run.
    pub async fn stop(&self, within: Duration) {
        if std::mem::replace(&mut *self.stopped.lock().unwrap_or_else(PoisonError::into_inner), true) {
            return;
        }
        let (done, ended) = oneshot::channel();
        let stop = async {
            self.questions.send(Question::Stop(within, done)).await.ok()?;
            ended.await.ok()
        };
        // The supervisor observes `within` itself; this limit applies only if the supervisor is stuck.
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

impl Work for Webhooks {
    fn begin(&self) {
        // If the supervisor has no room for another question, the caller begins again later.
        if !self.is_begun() && self.questions.try_send(Question::Begin).is_ok() {
            self.is_begun.store(true, Ordering::Release);
        }
    }

    fn is_begun(&self) -> bool {
        self.is_begun.load(Ordering::Acquire)
    }

    fn end(&self, within: Duration) -> BoxFuture<'_, ()> {
        async move {
            let (done, ended) = oneshot::channel();
            // An error means that the supervisor has ended.
            if self.questions.send(Question::End(within, done)).await.is_ok() {
                let _ = ended.await;
            }
            self.is_begun.store(false, Ordering::Release);
        }
        .boxed()
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}
