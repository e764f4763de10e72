//! The task that creates, changes and deletes webhooks. It owns the worker of every webhook.

use std::{
    collections::BTreeMap,
    mem,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    core::placement::{Acting, DutyName},
    engine::{Change, Record, Store, StoreError, Table},
    subscriber::EventId,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    Changes, Created, Delivery, MOST_WEBHOOKS, NewWebhook, Rotated, Status, Tested, Webhook, WebhookError,
    context::WebhookContext,
    definition::{Definition, DisabledReason, WebhookId, WebhookState},
    payload::Payload,
    record,
    secret::{Secret, Secrets},
    target::Target,
    worker::{Order, Shared, Worker, beginning},
};
use crate::{
    cluster::{give_back, until_lost},
    engine::Seal,
};

/// Orders that may wait for one webhook's worker.
const ORDERS: usize = 16;
/// The pause before a worker restarts after a failure, or the store is read again.
const PAUSE: Duration = Duration::from_secs(1);

/// The channel for the answer to a question.
pub(super) type Reply<T> = oneshot::Sender<Result<T, WebhookError>>;

/// A question to the supervisor.
pub(super) enum Question {
    List(Reply<Vec<Webhook>>),
    Get(WebhookId, Reply<Webhook>),
    /// With the idempotency key and the digest of the request.
    Create(Box<NewWebhook>, Option<(String, String)>, Reply<Created>),
    Change(WebhookId, Box<Changes>, Reply<Webhook>),
    Delete(WebhookId, Reply<()>),
    Rotate(WebhookId, Secret, Duration, Reply<Rotated>),
    Test(WebhookId, Reply<Tested>),
    Deliveries(WebhookId, Option<String>, usize, Reply<Vec<(String, Delivery)>>),
    Replay(WebhookId, Arc<str>, Box<Payload>, Reply<()>),
    /// Takes the duty and delivers.
    Begin,
    /// Ends all workers within the duration, and gives the duty back.
    End(Duration, oneshot::Sender<()>),
    /// Ends all workers within the duration, and the task.
    Stop(Duration, oneshot::Sender<()>),
}

/// The stored answer to a creation with a key.
#[derive(Serialize, Deserialize)]
struct CreationRecord {
    digest: String,
    at: jiff::Timestamp,
    definition: Definition,
    /// The position after which the webhook began.
    read: u64,
}

struct Member {
    shared: Rc<Shared>,
    orders: mpsc::Sender<Order>,
    worker: AbortHandle,
}

/// What follows for the task.
enum Course {
    /// It waits until it is to deliver.
    Idle,
    /// It takes the duty and delivers.
    Begun,
    /// It ends.
    Stopped,
}

/// Why the webhooks do not deliver although they were begun.
enum Interruption {
    End(oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
    /// Every sender is gone.
    Closed,
}

/// The task that creates, changes and deletes webhooks.
pub(super) struct Supervisor {
    context: Rc<WebhookContext>,
    members: BTreeMap<WebhookId, Member>,
    workers: JoinSet<()>,
    /// Whether the duty is this process's and the webhooks are loaded.
    delivers: Arc<AtomicBool>,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.delivers.store(false, Ordering::Release);
    }
}

impl Supervisor {
    pub(super) fn new(context: WebhookContext, delivers: Arc<AtomicBool>) -> Self {
        Self { context: Rc::new(context), members: BTreeMap::new(), workers: JoinSet::new(), delivers }
    }

    /// Delivers and answers questions while it is begun, until it is stopped or every sender is gone.
    pub(super) async fn run(mut self, mut questions: mpsc::Receiver<Question>) {
        let mut course = Course::Idle;
        loop {
            course = match course {
                Course::Idle => idle(&mut questions).await,
                Course::Begun => self.deliver(&mut questions).await,
                Course::Stopped => return,
            };
        }
    }

    /// Takes the duty, loads the stored webhooks, then delivers and answers questions.
    async fn deliver(&mut self, questions: &mut mpsc::Receiver<Question>) -> Course {
        let journal = Arc::clone(&self.context.journal);
        let (mut taken, mut early) = (None, Vec::new());
        if let Err(interruption) = self.prepare(&mut taken, questions, &mut early).await {
            return match interruption {
                Interruption::End(done) => {
                    give_back(&journal, taken.as_ref()).await;
                    let _ = done.send(());
                    Course::Idle
                }
                Interruption::Stop(done) => {
                    let _ = done.send(());
                    Course::Stopped
                }
                Interruption::Closed => Course::Stopped,
            };
        }
        let acting = taken;
        self.delivers.store(true, Ordering::Release);
        for question in early {
            self.answer(question).await;
        }
        let mut lost = pin!(until_lost(&journal, acting.as_ref()));
        loop {
            tokio::select! {
                () = &mut lost => {
                    tracing::error!("another node delivers to webhooks; this one stops");
                    self.delivers.store(false, Ordering::Release);
                    self.members.clear();
                    self.workers.shutdown().await;
                    return Course::Begun;
                }
                question = questions.recv() => match question {
                    Some(Question::Stop(within, done)) => {
                        self.stop(within).await;
                        let _ = done.send(());
                        return Course::Stopped;
                    }
                    Some(Question::End(within, done)) => {
                        self.stop(within).await;
                        give_back(&journal, acting.as_ref()).await;
                        let _ = done.send(());
                        return Course::Idle;
                    }
                    Some(question) => self.answer(question).await,
                    None => return Course::Stopped,
                },
                Some(ended) = self.workers.join_next_with_id() => {
                    let (id, panicked) = match ended {
                        Ok((id, ())) => (id, false),
                        Err(error) => (error.id(), error.is_panic()),
                    };
                    self.begin_again(id, panicked);
                }
            }
        }
    }

    /// Takes the duty and loads the webhooks. The right is in `taken` as soon as this process has it.
    async fn prepare(
        &mut self,
        taken: &mut Option<Acting>,
        questions: &mut mpsc::Receiver<Question>,
        early: &mut Vec<Question>,
    ) -> Result<(), Interruption> {
        let cluster = Arc::clone(self.context.journal.cluster());
        let acting = meanwhile(cluster.take_when_free(DutyName::Webhooks), questions, early).await?;
        *taken = Some(acting);
        self.context = Rc::new(WebhookContext { acting: taken.clone(), ..(*self.context).clone() });
        while let Err(error) = meanwhile(self.load(), questions, early).await? {
            tracing::error!(%error, "the webhooks cannot be read");
            meanwhile(sleep(PAUSE), questions, early).await?;
        }
        Ok(())
    }

    async fn load(&mut self) -> Result<(), StoreError> {
        if !self.context.journal.keeps() {
            return Ok(());
        }
        let read = self.context.journal.read(|store| record::scan(store, &record::definitions()));
        for found in read.await? {
            match record::open::<Definition>(self.context.seal.as_ref(), &found.key, &found.value) {
                Ok(definition) => self.add(Shared::new(definition, 0), Duration::ZERO),
                Err(error) => tracing::error!(key = ?found.key, %error, "a webhook cannot be read"),
            }
        }
        Ok(())
    }

    /// Starts a webhook's worker after `pause`.
    fn add(&mut self, shared: Rc<Shared>, pause: Duration) {
        let (id, context) = (shared.definition.borrow().id.clone(), Rc::clone(&self.context));
        let (orders, received) = mpsc::channel(ORDERS);
        let own = Rc::clone(&shared);
        let worker = self.workers.spawn_local(async move {
            sleep(pause).await;
            loop {
                match Worker::load(Rc::clone(&context), Rc::clone(&own)).await {
                    Ok(worker) => return worker.run(received).await,
                    Err(error) => {
                        tracing::error!(%error, "the records of a webhook cannot be read; reading will be retried")
                    }
                }
                sleep(PAUSE).await;
            }
        });
        self.members.insert(id, Member { shared, orders, worker });
    }

    /// Restarts a worker that ended without being stopped.
    fn begin_again(&mut self, worker: tokio::task::Id, panicked: bool) {
        let of = self.members.iter().find(|(_, member)| member.worker.id() == worker);
        let Some((id, shared)) = of.map(|(id, member)| (id.clone(), Rc::clone(&member.shared))) else { return };
        tracing::error!(webhook = %id, panicked, "the worker of a webhook ended; it will be restarted");
        self.add(shared, PAUSE);
    }

    async fn answer(&mut self, question: Question) {
        // The caller may be gone; the answer is then dropped.
        match question {
            Question::List(reply) => {
                let _ = reply.send(Ok(self.members.values().map(view).collect()));
            }
            Question::Get(id, reply) => {
                let _ = reply.send(self.member(&id).map(view));
            }
            Question::Create(new, key, reply) => {
                let _ = reply.send(self.create(*new, key).await);
            }
            Question::Change(id, changes, reply) => {
                let _ = reply.send(self.change(&id, *changes).await);
            }
            Question::Delete(id, reply) => {
                let _ = reply.send(self.delete(&id).await);
            }
            Question::Rotate(id, secret, overlap, reply) => {
                let _ = reply.send(self.rotate(&id, secret, overlap).await);
            }
            Question::Test(id, reply) => self.test(&id, reply),
            Question::Deliveries(id, after, limit, reply) => self.deliveries(id, after, limit, reply),
            Question::Replay(id, letter, payload, reply) => self.replay(&id, letter, *payload, reply),
            // Handled where the question was received.
            Question::Begin | Question::End(..) | Question::Stop(..) => {}
        }
    }

    fn member(&self, id: &WebhookId) -> Result<&Member, WebhookError> {
        self.members.get(id).ok_or_else(|| WebhookError::Unknown(id.clone()))
    }

    async fn create(&mut self, new: NewWebhook, key: Option<(String, String)>) -> Result<Created, WebhookError> {
        let journal = Arc::clone(&self.context.journal);
        let now = jiff::Timestamp::now();
        let mut writes = Vec::new();
        if let Some((key, digest)) = &key {
            let name = record::creation(&new.reach, key);
            let seal = self.context.seal.clone();
            let found = journal.read(move |store| {
                let value = store.get(Table::Notes, &name)?;
                Ok(value.and_then(|value| record::open::<CreationRecord>(seal.as_ref(), &name, &value).ok()))
            });
            let found = found.await?;
            match found {
                Some(made) if made.digest == *digest => return Ok(created(made.definition, made.read, None)),
                Some(_) => return Err(WebhookError::KeyReused),
                None => {}
            }
            let oldest = now.saturating_sub(journal.retention().answers).unwrap_or(jiff::Timestamp::MIN);
            let seal = self.context.seal.clone();
            let over = journal.read(move |store| over(store, seal.as_ref(), oldest)).await?;
            writes.extend(over);
        }
        if self.members.len() >= MOST_WEBHOOKS {
            return Err(WebhookError::TooMany);
        }
        let definition = self.definition(&new, now)?;
        let (read, is_gap) = match new.after.as_deref().map(EventId::parse) {
            None => (journal.newest(), false),
            Some(Some(id)) if id.epoch == *journal.epoch() && id.offset <= journal.newest() => (id.offset, false),
            // An id of another log, or not an id.
            Some(_) => (journal.newest(), true),
        };
        let seal = self.context.seal.as_ref();
        writes.push(record::put_secret(seal, record::definition(&definition.id), &definition));
        writes.extend(beginning(&definition.id, read, is_gap));
        if let Some((key, digest)) = key {
            let made = CreationRecord { digest, at: now, definition: definition.clone(), read };
            writes.push(record::put_secret(seal, record::creation(&new.reach, &key), &made));
        }
        self.keep(writes).await?;
        self.add(Shared::new(definition.clone(), read), Duration::ZERO);
        tracing::info!(webhook = %definition.id, "a webhook was created");
        let secret = definition.secrets.current().into();
        Ok(created(definition, read, Some(secret)))
    }

    fn definition(&self, new: &NewWebhook, now: jiff::Timestamp) -> Result<Definition, WebhookError> {
        let NewWebhook { url, filter, ordered, replies, retries, secret, enabled, reach, .. } = new;
        let url = Target::parse(url, self.context.settings.allow_internal)?;
        if !filter.is_bounded() {
            return Err(WebhookError::FilterTooLong);
        }
        if *replies && !ordered {
            return Err(WebhookError::UnorderedReplies);
        }
        let secret = match secret {
            Some(secret) => Secret::parse(secret.expose_secret())?,
            None => Secret::random(),
        };
        let disabled = WebhookState::Disabled { reason: DisabledReason::Requested, since: now };
        Ok(Definition {
            id: WebhookId::next(),
            url,
            filter: filter.clone(),
            ordered: *ordered,
            replies: *replies,
            retries: retries.clone().unwrap_or_default(),
            secrets: Secrets::new(secret),
            state: if *enabled { WebhookState::Enabled } else { disabled },
            created: now,
            reach: reach.clone(),
        })
    }

    async fn change(&mut self, id: &WebhookId, changes: Changes) -> Result<Webhook, WebhookError> {
        let Changes { url, filter, replies, retries, enabled } = changes;
        let url = url.map(|url| Target::parse(&url, self.context.settings.allow_internal)).transpose()?;
        if filter.as_ref().is_some_and(|filter| !filter.is_bounded()) {
            return Err(WebhookError::FilterTooLong);
        }
        self.rewrite(id, |definition| {
            definition.replies = replies.unwrap_or(definition.replies);
            if definition.replies && !definition.ordered {
                return Err(WebhookError::UnorderedReplies);
            }
            definition.url = url.unwrap_or_else(|| definition.url.clone());
            definition.filter = filter.unwrap_or_else(|| definition.filter.clone());
            definition.retries = retries.unwrap_or_else(|| definition.retries.clone());
            match enabled {
                Some(true) => definition.state = WebhookState::Enabled,
                Some(false) if definition.is_enabled() => {
                    let (reason, since) = (DisabledReason::Requested, jiff::Timestamp::now());
                    definition.state = WebhookState::Disabled { reason, since };
                }
                Some(false) | None => {}
            }
            Ok(())
        })
        .await?;
        let member = self.member(id)?;
        member.shared.changed.notify_one();
        Ok(view(member))
    }

    async fn rotate(&mut self, id: &WebhookId, secret: Secret, overlap: Duration) -> Result<Rotated, WebhookError> {
        let text = secret.expose().into();
        let mut until = jiff::Timestamp::UNIX_EPOCH;
        self.rewrite(id, |definition| {
            until = definition.secrets.rotate(secret, overlap, jiff::Timestamp::now())?;
            Ok(())
        })
        .await?;
        tracing::info!(webhook = %id, "a webhook has a new secret");
        Ok(Rotated { secret: text, until })
    }

    /// Changes a definition, and waits until it is durable.
    async fn rewrite(
        &mut self,
        id: &WebhookId,
        change: impl FnOnce(&mut Definition) -> Result<(), WebhookError>,
    ) -> Result<(), WebhookError> {
        let member = self.member(id)?;
        let mut definition = member.shared.definition.borrow().clone();
        change(&mut definition)?;
        let seal = self.context.seal.as_ref();
        let kept = self.keep(vec![record::put_secret(seal, record::definition(id), &definition)]);
        *member.shared.definition.borrow_mut() = definition;
        kept.await
    }

    /// Ends a webhook's deliveries, then removes all its records in one step.
    async fn delete(&mut self, id: &WebhookId) -> Result<(), WebhookError> {
        self.member(id)?;
        let Some(member) = self.members.remove(id) else { return Ok(()) };
        member.worker.abort();
        // The last writes of the worker must be among the records that are read next.
        self.context.journal.settled().await;
        let wanted = id.clone();
        let found = self.context.journal.read(move |store| {
            let mut records = record::scan(store, &record::all_kept(&wanted))?;
            records.extend(record::scan(store, &record::all_replies(&wanted))?);
            records.extend(record::scan(store, &record::attempts(&wanted))?);
            Ok(records)
        });
        let removed = match found.await {
            Ok(records) => {
                let mut changes: Vec<Change> = records.into_iter().map(|found| record::remove(found.key)).collect();
                changes.extend([record::progress(id), record::definition(id)].map(record::remove));
                self.keep(changes).await
            }
            Err(error) => Err(error.into()),
        };
        match &removed {
            Ok(()) => tracing::info!(webhook = %id, "a webhook was deleted"),
            // The webhook could not be deleted, so it continues.
            Err(_) => self.add(member.shared, Duration::ZERO),
        }
        removed
    }

    fn test(&self, id: &WebhookId, reply: Reply<Tested>) {
        let member = match self.member(id) {
            Ok(member) => member,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (report, tested) = oneshot::channel();
        if member.orders.try_send(Order::Test(report)).is_err() {
            return drop(reply.send(Err(WebhookError::TooManyTests)));
        }
        tokio::task::spawn_local(async move {
            let answer = match tested.await {
                Ok(Some(tested)) => Ok(tested),
                Ok(None) => Err(WebhookError::TooManyTests),
                Err(_) => Err(WebhookError::Unavailable),
            };
            let _ = reply.send(answer);
        });
    }

    fn deliveries(&self, id: WebhookId, after: Option<String>, limit: usize, reply: Reply<Vec<(String, Delivery)>>) {
        if let Err(error) = self.member(&id) {
            return drop(reply.send(Err(error)));
        }
        let journal = Arc::clone(&self.context.journal);
        tokio::task::spawn_local(async move {
            // Everything that the webhook's status shows must be in its log.
            journal.settled().await;
            let read = journal.read(move |store| record::log(store, &id, after.as_deref(), limit));
            let _ = reply.send(read.await.map_err(WebhookError::from));
        });
    }

    fn replay(&self, id: &WebhookId, letter: Arc<str>, payload: Payload, reply: Reply<()>) {
        let member = match self.member(id) {
            Ok(member) => member,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (report, kept) = oneshot::channel();
        if member.orders.try_send(Order::Replay(letter, payload, report)).is_err() {
            return drop(reply.send(Err(WebhookError::Overloaded)));
        }
        tokio::task::spawn_local(async move {
            let _ = reply.send(kept.await.map_err(|_| WebhookError::Unavailable));
        });
    }

    /// Makes `changes` durable.
    fn keep(&self, changes: Vec<Change>) -> impl Future<Output = Result<(), WebhookError>> + use<> {
        let kept = self.context.journal.keeps().then(|| self.context.keep(changes));
        async move {
            match kept {
                Some(kept) => kept.await.map(drop).map_err(|_| WebhookError::Unavailable),
                None => Err(WebhookError::Unavailable),
            }
        }
    }

    /// Waits for running attempts and drops those that do not end `within`; the next run repeats them.
    async fn stop(&mut self, within: Duration) {
        self.delivers.store(false, Ordering::Release);
        for member in mem::take(&mut self.members).into_values() {
            if member.orders.try_send(Order::Stop).is_err() {
                member.worker.abort();
            }
        }
        let workers = &mut self.workers;
        if timeout(within, async { while workers.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("deliveries to webhooks did not end in time; they will be repeated");
            workers.shutdown().await;
        }
    }
}

/// Waits for `work`. Questions that come meanwhile are `early`.
async fn meanwhile<T>(
    work: impl Future<Output = T>,
    questions: &mut mpsc::Receiver<Question>,
    early: &mut Vec<Question>,
) -> Result<T, Interruption> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            outcome = &mut work => return Ok(outcome),
            question = questions.recv() => match question {
                Some(Question::Stop(_, done)) => return Err(Interruption::Stop(done)),
                Some(Question::End(_, done)) => return Err(Interruption::End(done)),
                None => return Err(Interruption::Closed),
                Some(question) if early.len() < ORDERS => early.push(question),
                // The caller learns that no answer comes.
                Some(_) => {}
            },
        }
    }
}

/// Waits until it is to deliver. Meanwhile no question is answered, and who asks learns that no answer comes.
async fn idle(questions: &mut mpsc::Receiver<Question>) -> Course {
    loop {
        match questions.recv().await {
            Some(Question::Begin) => return Course::Begun,
            Some(Question::End(_, done)) => drop(done.send(())),
            Some(Question::Stop(_, done)) => {
                let _ = done.send(());
                return Course::Stopped;
            }
            Some(_) => {}
            None => return Course::Stopped,
        }
    }
}

fn view(member: &Member) -> Webhook {
    Webhook { definition: member.shared.definition.borrow().clone(), status: member.shared.status.borrow().clone() }
}

fn created(definition: Definition, read: u64, secret: Option<SecretString>) -> Created {
    Created { webhook: Webhook { definition, status: Status { read, ..Status::default() } }, secret }
}

/// Removes the answers to creations before `oldest`.
fn over(store: &dyn Store, seal: Option<&Seal>, oldest: jiff::Timestamp) -> Result<Vec<Change>, StoreError> {
    let made = record::scan(store, &record::creations())?;
    let is_over = |found: &Record| {
        let made = record::open::<CreationRecord>(seal, &found.key, &found.value);
        made.map_or(true, |made| made.at < oldest)
    };
    Ok(made.into_iter().filter(is_over).map(|found| record::remove(found.key)).collect())
}
