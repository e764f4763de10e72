//! The worker of one webhook: reads the log, makes the attempts that its lanes choose, and stores their outcomes.
//!
//! The outcome of an attempt is durable before the next event of its lane is sent, so that after a crash at most one
//! event of each conversation is repeated, and none is out of order.

mod load;
mod outcome;
mod replies;
mod submission;

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use awc::Client;
use futures_util::{StreamExt as _, future::LocalBoxFuture, stream::FuturesUnordered};
use tertulia_actors::{
    engine::{Change, LogBatch, LogReader, StoreError, StoredEvent},
    subscriber::{EventId, Filter},
};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::sleep,
};

use crate::reach::Reach;

use super::{
    Settings, Status, Tested,
    attempt::{Attempted, attempt, client},
    context::WebhookContext,
    definition::{Definition, WebhookId},
    delivery::{Delivery, MOST_ATTEMPTS},
    lanes::{Content, Go, Head, Item, Lane, Lanes},
    metrics::WebhookMetrics,
    payload::Payload,
    record::{self, KeptRecord, PendingReply, ProgressRecord},
    schedule::now,
};

use submission::Submitted;

/// The progress is stored at least after this many events were read, even if the webhook wants none of them.
const STORE_EVERY: u64 = 1_000;
/// The pause before the store is read again after it could not be read.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest sleep, because the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// If the clock is set back by more than this many milliseconds, all waiting events are tried at once.
const SET_BACK: i64 = 60_000;
/// The most replies without an outcome. At this limit, deliveries pause.
const MOST_REPLIES: usize = 10_000;
/// The most concurrent tests.
const MOST_TESTS: usize = 4;

/// State shared by a webhook's worker and the supervisor, which run on the same thread.
pub(super) struct Shared {
    pub(super) definition: RefCell<Definition>,
    pub(super) status: RefCell<Status>,
    /// Tells the worker that the definition has changed.
    pub(super) changed: Notify,
}

impl Shared {
    /// A webhook that has read up to `read`; its worker corrects the value.
    pub(super) fn new(definition: Definition, read: u64) -> Rc<Self> {
        let status = Status { read, ..Status::default() };
        Rc::new(Self { definition: RefCell::new(definition), status: RefCell::new(status), changed: Notify::new() })
    }

    fn is_enabled(&self) -> bool {
        self.definition.borrow().is_enabled()
    }
}

/// An order to a worker.
pub(super) enum Order {
    /// Sends a test event.
    Test(oneshot::Sender<Option<Tested>>),
    /// Delivers the event of a dead letter again, and reports when that is durable.
    Replay(Arc<str>, Payload, oneshot::Sender<()>),
    /// Start no more attempts, and end once the running ones have ended.
    Stop,
}

/// An event in the worker's loop.
enum WorkerEvent {
    Read(Box<LogReader>, Result<Option<LogBatch>, StoreError>),
    Attempted(Go, Payload, Attempted),
    /// The log no longer has the event; its oldest event is this one.
    Forgotten(Lane, u64),
    /// The store could not be read.
    Stumbled(Lane),
    /// An event to give up because too many are kept.
    Overflowed(Lane, Item, Option<Payload>),
    Settled(Lane),
    /// A reply is durable, together with the end of its delivery.
    Answered(Lane, u64, PendingReply),
    /// The conversation has accepted the commands of the lane's replies, or will not accept them.
    Submitted(Lane, Vec<Submitted>),
    /// All commands of a reply have an outcome. If one failed, the reason and the event.
    Replied(Lane, u64, Option<(String, Option<Payload>)>),
    Tested(Payload, Attempted, oneshot::Sender<Option<Tested>>),
    /// The event of a dead letter is stored.
    Replayed(Lane, Item, oneshot::Sender<()>),
    /// The store is closed.
    Closed,
}

/// The worker of one webhook.
pub(super) struct Worker {
    id: WebhookId,
    context: Rc<WebhookContext>,
    shared: Rc<Shared>,
    filter: Filter,
    /// The connections whose events the webhook may get; never changes.
    reach: Reach,
    client: Client,
    lanes: Lanes,
    /// The fresh events.
    bodies: HashMap<u64, Arc<StoredEvent>>,
    /// Events that were read but do not fit yet.
    unread: VecDeque<Arc<StoredEvent>>,
    /// `None` while the log is being read.
    log: Option<Box<LogReader>>,
    under_way: FuturesUnordered<LocalBoxFuture<'static, WorkerEvent>>,
    /// The number of attempts written to the delivery log.
    attempts: u64,
    failing_since: Option<i64>,
    /// Events that were read since the progress was last stored.
    unstored: u64,
    is_overflowing: bool,
    tests: usize,
    /// Replies that are stored and have no outcome yet.
    replies: usize,
    clock: i64,
    counted: Counted,
}

/// This webhook's share of the gauges; dropping the value subtracts it.
struct Counted {
    metrics: Arc<WebhookMetrics>,
    pending: i64,
    disabled: i64,
    down: i64,
}

impl Counted {
    fn new(metrics: Arc<WebhookMetrics>) -> Self {
        metrics.webhooks.inc();
        Self { metrics, pending: 0, disabled: 0, down: 0 }
    }

    fn show(&mut self, pending: usize, is_disabled: bool, is_down: bool) {
        let pending = i64::try_from(pending).unwrap_or(i64::MAX);
        let (disabled, down) = (i64::from(is_disabled), i64::from(is_down));
        self.metrics.pending.inc_by(pending - self.pending);
        self.metrics.disabled.inc_by(disabled - self.disabled);
        self.metrics.down.inc_by(down - self.down);
        (self.pending, self.disabled, self.down) = (pending, disabled, down);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.show(0, false, false);
        self.metrics.webhooks.dec();
    }
}

impl Worker {
    /// Runs until it is stopped, all senders are gone, or the store is closed.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut is_stopping = false;
        loop {
            self.look_at_the_clock();
            let is_active = self.shared.is_enabled() && !is_stopping;
            // Too many replies without an outcome pause the deliveries. Otherwise the replies would fill the memory.
            let is_active = is_active && self.replies < MOST_REPLIES;
            if is_active {
                self.read();
                while let Some(go) = self.lanes.next(now()) {
                    self.begin(go);
                }
            }
            self.show();
            if is_stopping && self.lanes.is_idle() {
                break;
            }
            let wake = self.lanes.wake_at().filter(|_| is_active);
            tokio::select! {
                biased;
                order = orders.recv(), if !is_stopping => match order {
                    Some(Order::Stop) => is_stopping = true,
                    Some(order) => self.take(order),
                    None => return,
                },
                () = self.shared.changed.notified() => {
                    self.changed();
                }
                Some(event) = self.under_way.next() => {
                    if self.handle(event).is_none() {
                        return;
                    }
                }
                () = until(wake) => {}
            }
        }
        let progress = self.progress();
        self.keep(vec![progress]).await;
    }

    fn look_at_the_clock(&mut self) {
        let now = now();
        if now < self.clock - SET_BACK {
            self.lanes.try_all(now);
        }
        self.clock = now;
    }

    /// Applies a changed definition.
    fn changed(&mut self) {
        self.filter = self.shared.definition.borrow().filter.filter();
        self.lanes.try_all(now());
        // A change restarts the time after which a failing webhook is disabled.
        self.failing_since = None;
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Test(reply) if self.tests >= MOST_TESTS => {
                let _ = reply.send(None);
            }
            Order::Test(reply) => {
                self.tests += 1;
                let payload = Payload::test(&self.id);
                let attempt = self.attempt(payload.clone());
                self.under_way.push(Box::pin(async move { WorkerEvent::Tested(payload, attempt.await, reply) }));
            }
            Order::Replay(letter, payload, reply) => {
                let (lane, offset) = (Lane::letter(&letter), EventId::parse(&payload.id).map_or(0, |id| id.offset));
                let item = Item { offset, content: Content::Letter };
                let record = KeptRecord::of(&item, Head::default()).with_letter(&payload.body);
                let kept = self.keep(vec![record::put(record::kept(&self.id, &lane, offset), &record)]);
                self.under_way.push(Box::pin(async move {
                    if kept.await { WorkerEvent::Replayed(lane, item, reply) } else { WorkerEvent::Closed }
                }));
            }
            Order::Stop => {}
        }
    }

    /// Adds events that were read to the lanes while there is room, and reads more.
    fn read(&mut self) {
        let (mut changes, ordered) = (Vec::new(), self.shared.definition.borrow().ordered);
        while self.lanes.has_room() {
            let Some(event) = self.unread.pop_front() else { break };
            let offset = event.offset;
            self.lanes.read_to(offset);
            self.unstored += 1;
            if !self.reach.sees(&event.connection) || !self.filter.takes(&event) {
                continue;
            }
            let lane = Lane::of(&event, ordered);
            if self.lanes.take(lane.clone(), offset) {
                changes.push(record::put(record::kept(&self.id, &lane, offset), &KeptRecord::default()));
            } else {
                self.bodies.insert(offset, event);
            }
        }
        if !changes.is_empty() || self.unstored >= STORE_EVERY {
            changes.push(self.progress());
            self.append(changes);
        }
        if self.unread.is_empty()
            && let Some(mut log) = self.log.take()
        {
            self.under_way.push(Box::pin(async move {
                let batch = log.next().await;
                if batch.is_err() {
                    sleep(READ_AGAIN_AFTER).await;
                }
                WorkerEvent::Read(log, batch)
            }));
        }
        if !self.is_overflowing
            && let Some((lane, item)) = self.lanes.overflow()
        {
            self.is_overflowing = true;
            let found = self.find(&lane, item);
            self.under_way.push(Box::pin(async move {
                let payload = match found.await {
                    Found::Payload(payload) => Some(payload),
                    Found::Forgotten(_) | Found::Nothing => None,
                };
                WorkerEvent::Overflowed(lane, item, payload)
            }));
        }
    }

    /// Starts one attempt.
    fn begin(&mut self, go: Go) {
        let found = self.find(&go.lane, go.item);
        let (client, within) = (self.client.clone(), self.context.settings.attempt_within);
        let (shared, journal) = (Rc::clone(&self.shared), Arc::clone(&self.context.journal));
        self.under_way.push(Box::pin(async move {
            match found.await {
                Found::Payload(payload) => {
                    if !journal.may_act().await {
                        return WorkerEvent::Closed;
                    }
                    let definition = shared.definition.borrow().clone();
                    let attempted = attempt(client, definition, payload.clone(), within).await;
                    WorkerEvent::Attempted(go, payload, attempted)
                }
                Found::Forgotten(oldest) => WorkerEvent::Forgotten(go.lane, oldest),
                Found::Nothing => {
                    sleep(READ_AGAIN_AFTER).await;
                    WorkerEvent::Stumbled(go.lane)
                }
            }
        }));
    }

    fn attempt(&self, payload: Payload) -> impl Future<Output = Attempted> + use<> {
        let definition = self.shared.definition.borrow().clone();
        attempt(self.client.clone(), definition, payload, self.context.settings.attempt_within)
    }

    /// Looks up an item's payload.
    fn find(&self, lane: &Lane, item: Item) -> LocalBoxFuture<'static, Found> {
        let (journal, id, offset) = (Arc::clone(&self.context.journal), self.id.clone(), item.offset);
        let epoch = Arc::clone(journal.epoch());
        match item.content {
            Content::Event => {
                if let Some(event) = self.bodies.get(&offset) {
                    let found = Found::Payload(Payload::of(&epoch, event));
                    return Box::pin(async { found });
                }
                Box::pin(async move {
                    let read = journal.read(move |store| Ok((store.event(offset)?, store.history().oldest)));
                    match read.await {
                        Ok((Some(event), _)) => Found::Payload(Payload::of(&epoch, &event)),
                        Ok((_, oldest)) => Found::Forgotten(oldest.max(offset + 1)),
                        Err(error) => nothing(&error),
                    }
                })
            }
            Content::Gap { missed } => {
                // The number counts the events of all connections.
                let missed = missed.filter(|_| self.reach.is_everything());
                let payload = Payload::gap(&EventId { epoch, offset }, &id, lane, missed);
                Box::pin(async { Found::Payload(payload) })
            }
            Content::Letter => {
                let key = record::kept(&id, lane, offset);
                Box::pin(async move {
                    let read = journal.read(move |store| record::get::<KeptRecord>(store, &key)).await;
                    match read {
                        Ok(record) => {
                            let payload = record.and_then(|record| Payload::read(record.body()?.into()));
                            payload.map_or(Found::Nothing, Found::Payload)
                        }
                        Err(error) => nothing(&error),
                    }
                })
            }
        }
    }

    fn show(&mut self) {
        let pending = self.lanes.pending();
        self.counted.show(pending, !self.shared.is_enabled(), self.lanes.is_down());
        let mut status = self.shared.status.borrow_mut();
        status.pending = pending;
        status.read = self.lanes.progress_read();
        status.is_down = self.lanes.is_down();
        status.failing_since = self.failing_since.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    }

    /// The record of the progress.
    fn progress(&mut self) -> Change {
        self.unstored = 0;
        let progress = ProgressRecord::new(self.lanes.progress(), self.attempts, self.failing_since);
        record::put(record::progress(&self.id), &progress)
    }

    /// Adds a line to the delivery log, which replaces the oldest line if the log is full.
    fn write_down(&mut self, delivery: &Delivery, changes: &mut Vec<Change>) {
        changes.push(record::put(record::attempt(&self.id, self.attempts), delivery));
        if let Some(oldest) = self.attempts.checked_sub(MOST_ATTEMPTS) {
            changes.push(record::remove(record::attempt(&self.id, oldest)));
        }
        self.attempts += 1;
    }

    /// Writes `changes` to the store, without waiting until they are durable.
    fn append(&self, changes: Vec<Change>) {
        self.context.append(changes);
    }

    /// Writes `changes` to the store and waits until they are durable; `false` if the store is closed.
    fn keep(&self, changes: Vec<Change>) -> impl Future<Output = bool> + use<> {
        let kept = self.context.keep(changes);
        async move { kept.await.is_ok() }
    }

    /// Lets the lane continue once `changes` are durable.
    fn settle(&mut self, lane: Lane, changes: Vec<Change>) {
        let kept = self.keep(changes);
        self.under_way
            .push(Box::pin(async move { if kept.await { WorkerEvent::Settled(lane) } else { WorkerEvent::Closed } }));
    }
}

/// The payload of an item, if available.
enum Found {
    Payload(Payload),
    /// The log no longer has the event; its oldest event is this one.
    Forgotten(u64),
    Nothing,
}

fn nothing(error: &StoreError) -> Found {
    tracing::error!(%error, "an event cannot be read for a webhook");
    Found::Nothing
}

/// Waits until `wake` or at most [`LONGEST_SLEEP`]; forever if `wake` is `None`.
async fn until(wake: Option<i64>) {
    match wake {
        Some(at) => {
            let pause = u64::try_from(at.saturating_sub(now())).unwrap_or_default();
            sleep(Duration::from_millis(pause.max(1)).min(LONGEST_SLEEP)).await;
        }
        None => std::future::pending().await,
    }
}

/// The first records of a new webhook, which begins after `read`. With `is_gap` its first delivery is a gap.
pub(super) fn beginning(id: &WebhookId, read: u64, is_gap: bool) -> Vec<Change> {
    let progress = ProgressRecord::new(Lanes::new(read).progress(), 0, None);
    let mut changes = vec![record::put(record::progress(id), &progress)];
    if is_gap {
        let gap = Item { offset: read, content: Content::Gap { missed: None } };
        let key = record::kept(id, &Lane::log(), read);
        changes.push(record::put(key, &KeptRecord::of(&gap, Head::default())));
    }
    changes
}

fn new_client(context: &WebhookContext) -> Client {
    let Settings { allow_internal, attempt_within, .. } = context.settings;
    client(Arc::clone(&context.tls), allow_internal, attempt_within)
}
