//! Records the recent past for the overview, also while no caller reads it. The cost does not depend on the number of
//! events: counters are read every ten seconds, and only rare kinds of events are received.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde_json::{Value, json};
use tertulia_actors::{
    Tertulia,
    connection::ConnectionStatus,
    core::{
        id::{ConnectionId, NodeId},
        session::DisconnectReason,
    },
    dead_letters::{DeadLetter, DeadLetterId},
    engine::Journal,
    subscriber::{Event, EventData, EventKind, EventStream, Filter},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    counts::Counts,
    past::Past,
    records::{self, Stored},
    series::{Concern, Minute, Notable, Sample, Series},
};
use crate::{
    gateway::access::Access,
    reach::Reach,
    webhooks::{DisabledReason, Webhook, WebhookState, Webhooks},
};

/// How often new notable events are stored.
const STORE_EVERY: Duration = Duration::from_secs(1);
/// The counters are read once in this many store intervals.
const SAMPLE_EVERY: u64 = 10;
/// The most notable events that may wait to be recorded.
const WAITING: usize = 1_024;
/// The most new dead letters that are read together.
const LETTERS: usize = 1_000;
/// The most causes of new dead letters that are recorded together.
const MOST_CAUSES: usize = 50;
/// The most bytes of the reason of a dead letter or a failed delivery that are recorded.
const REASON: usize = 300;

/// The kinds of notable events. They are rare in normal operation.
const KINDS: [EventKind; 7] = [
    EventKind::Disconnected,
    EventKind::Failed,
    EventKind::Waiting,
    EventKind::Lacking,
    EventKind::IdentityLost,
    EventKind::ConversationRestarted,
    EventKind::ConversationQuarantined,
];

/// The recent past, one series for each reach that a token has.
pub(in crate::gateway) struct Recorder {
    series: Mutex<Vec<Series>>,
    tertulia: Weak<Tertulia>,
    /// This node, if there are several.
    node: Option<NodeId>,
}

impl Recorder {
    /// A recorder of this process, as one `node` if there are several.
    pub(in crate::gateway) fn new(
        tertulia: &Arc<Tertulia>,
        access: &Arc<ArcSwap<Access>>,
        node: Option<NodeId>,
    ) -> Arc<Self> {
        let recorder = Arc::new(Self { series: Mutex::default(), tertulia: Arc::downgrade(tertulia), node });
        recorder.keep_only(&access.load().reaches(), tertulia);
        recorder
    }

    /// Starts to record, until `closing` is cancelled. Must be called inside an actix system.
    pub(in crate::gateway) fn begin(
        self: &Arc<Self>,
        tertulia: &Arc<Tertulia>,
        webhooks: &Arc<Webhooks>,
        access: &Arc<ArcSwap<Access>>,
        closing: CancellationToken,
    ) {
        let recording = Recording {
            recorder: Arc::clone(self),
            journal: Arc::clone(tertulia.journal()),
            webhooks: Arc::downgrade(webhooks),
            access: Arc::clone(access),
            events: tertulia.events_within(Filter::everything().kinds(KINDS), WAITING),
            last_letter: DeadLetterId::from(Uuid::now_v7().to_string().as_str()),
            letters: 0,
            restarts: HashMap::new(),
            failures: 0,
        };
        actix_rt::spawn(async move {
            // The recording has no result.
            let _ = closing.run_until_cancelled(recording.run()).await;
        });
    }

    /// The minutes, the oldest first, and the notable events, the newest first, for callers of `reach`; those of all nodes if
    /// there are several. `None` until the reach of a new token is recorded.
    pub(super) async fn past(&self, reach: &Reach, now: Timestamp) -> Option<(Vec<Minute>, Vec<Notable>)> {
        let tertulia = self.tertulia.upgrade()?;
        let mut past = {
            let mut all = self.lock();
            let series = all.iter_mut().find(|series| series.reach == *reach)?;
            series.sample(now, sample(&tertulia, &series.reach));
            Past { minutes: series.minutes(), notable: series.notable() }
        };
        if let Some(node) = &self.node {
            match records::of_others(tertulia.journal(), node, reach).await {
                Ok(others) => {
                    past.minutes.extend(others.minutes);
                    past.notable.extend(others.notable);
                }
                Err(error) => tracing::warn!(%error, "the recent past of other nodes cannot be read"),
            }
        }
        Some(past.shown())
    }

    /// Begins a series for each new reach, and drops the series of every other reach.
    fn keep_only(&self, reaches: &[Reach], tertulia: &Tertulia) {
        let mut all = self.lock();
        all.retain(|series| reaches.contains(&series.reach));
        for reach in reaches {
            if !all.iter().any(|series| series.reach == *reach) {
                all.push(Series::new(reach.clone(), sample(tertulia, reach)));
            }
        }
    }

    fn note(&self, concern: Concern<'_>, notable: &Notable) {
        let mut all = self.lock();
        for series in all.iter_mut().filter(|series| series.is_concerned(concern)) {
            series.note(notable.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counters of the connections within `reach`.
fn sample(tertulia: &Tertulia, reach: &Reach) -> Sample {
    let metrics = tertulia.metrics();
    if reach.is_everything() {
        let frame_to_event = Some(metrics.frame_to_event_seconds.snapshot());
        return Sample { counts: Counts::of_process(metrics), frame_to_event };
    }
    let ids = tertulia.connections().into_iter().filter(|id| reach.sees(id.as_str()));
    let seen: Vec<(ConnectionId, ConnectionStatus)> =
        ids.filter_map(|id| Some((id.clone(), tertulia.connection(&id).status()?))).collect();
    Sample { counts: Counts::of_connections(&seen, metrics), frame_to_event: None }
}

/// The task that records.
struct Recording {
    recorder: Arc<Recorder>,
    journal: Arc<Journal>,
    webhooks: Weak<Webhooks>,
    access: Arc<ArcSwap<Access>>,
    events: EventStream,
    /// The newest dead letter that was recorded, or the id of a letter of the moment when recording began.
    last_letter: DeadLetterId,
    /// The number of dead letters of this process when they were last read.
    letters: u64,
    /// The number of restarts of each connection that restarted.
    restarts: HashMap<ConnectionId, u64>,
    /// The number of failed attempts of all webhooks when they were last read.
    failures: u64,
}

impl Recording {
    async fn run(mut self) {
        let reaches = self.access.load().reaches();
        for (reach, Stored { minutes, notable }) in
            records::read(&self.journal, self.recorder.node.as_ref(), &reaches).await
        {
            if let Some(series) = self.recorder.lock().iter_mut().find(|series| series.reach == reach) {
                series.restore(minutes, notable);
            }
        }
        self.began();
        let mut ticks = interval(STORE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticked = 0_u64;
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(Ok(event)) => self.note_event(&event),
                    Some(Err(lagged)) => self.note_missed(lagged.missed),
                    None => return,
                },
                _ = ticks.tick() => {
                    if ticked.is_multiple_of(SAMPLE_EVERY) && self.sample().await.is_none() {
                        return;
                    }
                    ticked += 1;
                    self.note_letters().await;
                    self.store();
                }
            }
        }
    }

    fn began(&self) {
        let now = Timestamp::now();
        let node = self.recorder.node.as_ref().map(NodeId::as_str);
        let mut data = json!({ "version": env!("CARGO_PKG_VERSION") });
        let mut id = format!("started/{}", now.as_millisecond());
        if let Some(node) = node {
            data["node"] = json!(node);
            id = format!("{id}/{node}");
        }
        self.note(Concern::PROCESS, now, "service-started", id, data);
    }

    fn note(&self, concern: Concern<'_>, time: Timestamp, kind: &str, id: String, data: Value) {
        let connection = concern.connection.map(str::to_owned);
        self.recorder.note(concern, &Notable { id, time, kind: kind.to_owned(), connection, conversation: None, data });
    }

    fn note_event(&self, event: &Event) {
        // Not notable: the service ended the connection because it stops or because a caller requested the end.
        if matches!(event.data, EventData::Disconnected { reason: DisconnectReason::ClosedByUs, .. }) {
            return;
        }
        let connection = event.origin.connection.as_str();
        let notable = Notable {
            id: format!("{}/{connection}/{}", event.data.name(), event.time.as_microsecond()),
            time: event.time,
            kind: event.data.name().to_owned(),
            connection: Some(connection.to_owned()),
            conversation: event.conversation.as_ref().map(ToString::to_string),
            data: serde_json::to_value(&event.data).unwrap_or_default(),
        };
        self.recorder.note(Concern::connection(connection), &notable);
    }

    fn note_missed(&self, missed: u64) {
        let now = Timestamp::now();
        let id = format!("missed/{}", now.as_microsecond());
        self.note(Concern::PROCESS, now, "not-noted", id, json!({ "missed": missed }));
    }

    /// Reads the counters; `None` if the service has ended.
    async fn sample(&mut self) -> Option<()> {
        {
            let tertulia = self.recorder.tertulia.upgrade()?;
            self.recorder.keep_only(&self.access.load().reaches(), &tertulia);
            let now = Timestamp::now();
            for series in self.recorder.lock().iter_mut() {
                series.sample(now, sample(&tertulia, &series.reach));
            }
            self.note_restarts(&tertulia, now);
        }
        self.look_at_webhooks().await;
        Some(())
    }

    fn note_restarts(&mut self, tertulia: &Tertulia, now: Timestamp) {
        let known: u64 = self.restarts.values().sum();
        if tertulia.metrics().connection_restarts.get() == known {
            return;
        }
        let mut restarts = HashMap::new();
        for id in tertulia.connections() {
            let Some(status) = tertulia.connection(&id).status().filter(|status| status.restarts > 0) else { continue };
            if self.restarts.get(&id) != Some(&status.restarts) {
                let name = format!("restart/{id}/{}/{}", status.restarts, now.as_millisecond());
                let data = json!({ "restarts": status.restarts });
                self.note(Concern::connection(id.as_str()), now, "connection-restarted", name, data);
            }
            restarts.insert(id, status.restarts);
        }
        self.restarts = restarts;
    }

    /// Records new dead letters, with one notable event for each cause.
    async fn note_letters(&mut self) {
        let Some(tertulia) = self.recorder.tertulia.upgrade() else { return };
        let written = tertulia.metrics().dead_letters.get();
        if written == self.letters {
            return;
        }
        let letters = match tertulia.dead_letters().list(Some(&self.last_letter), LETTERS).await {
            Ok(letters) => letters,
            Err(error) => return tracing::error!(%error, "new dead letters cannot be read; trying again"),
        };
        drop(tertulia);
        // If there are more letters, the next tick reads them.
        if letters.len() < LETTERS {
            self.letters = written;
        }
        let Some(last) = letters.last() else { return };
        self.last_letter = last.id.clone();
        let mut causes: HashMap<_, (&DeadLetter, u64)> = HashMap::new();
        for letter in &letters {
            let cause = (letter.kind, &letter.reason, &letter.connection, &letter.subscriber);
            causes.entry(cause).or_insert((letter, 0)).1 += 1;
        }
        let mut causes: Vec<_> = causes.into_values().collect();
        causes.sort_unstable_by_key(|(letter, _)| &letter.id);
        let is_delivery = |letter: &DeadLetter| letter.subscriber.is_some();
        let webhooks = if letters.iter().any(is_delivery) { self.webhooks().await } else { Vec::new() };
        // More would not be kept anyway.
        for (letter, count) in causes.into_iter().rev().take(MOST_CAUSES).rev() {
            let notable = Notable {
                id: format!("dead-letter/{}", letter.id),
                time: letter.time,
                kind: "dead-letters".to_owned(),
                connection: Some(letter.connection.to_string()),
                conversation: letter.conversation.as_ref().map(ToString::to_string),
                data: json!({ "count": count, "letterKind": letter.kind, "reason": beginning(&letter.reason) }),
            };
            // Callers whose reach does not include the webhook must not see its deliveries.
            let of_webhook = letter.subscriber.as_deref().map(|subscriber| {
                let webhook = webhooks.iter().find(|webhook| webhook.definition.id.subscriber() == subscriber);
                webhook.map_or(&Reach::EVERYTHING, |webhook| &webhook.definition.reach)
            });
            let concern = Concern { connection: Some(letter.connection.as_str()), reach: of_webhook };
            self.recorder.note(concern, &notable);
        }
    }

    /// Records webhooks that began to fail or that were disabled because they failed.
    async fn look_at_webhooks(&mut self) {
        let Some(failures) = self.webhooks.upgrade().map(|webhooks| webhooks.metrics().failures()) else { return };
        if std::mem::replace(&mut self.failures, failures) == failures {
            return;
        }
        for Webhook { definition, status } in self.webhooks().await {
            let (id, concern) = (&definition.id, Concern { connection: None, reach: Some(&definition.reach) });
            if let Some(since) = status.failing_since {
                let error = status.last_error.as_deref().map(beginning);
                let data = json!({ "webhook": id.as_str(), "lastError": error });
                let name = format!("webhook/{id}/failing/{}", since.as_millisecond());
                self.note(concern, since, "webhook-failing", name, data);
            }
            if let WebhookState::Disabled { reason, since } = definition.state
                && reason != DisabledReason::Requested
            {
                let data = json!({ "webhook": id.as_str(), "reason": reason });
                let name = format!("webhook/{id}/disabled/{}", since.as_millisecond());
                self.note(concern, since, "webhook-disabled", name, data);
            }
        }
    }

    /// All webhooks; none if there is no store.
    async fn webhooks(&self) -> Vec<Webhook> {
        match self.webhooks.upgrade() {
            Some(webhooks) => webhooks.list().await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    fn store(&self) {
        for series in self.recorder.lock().iter_mut() {
            records::write(&self.journal, self.recorder.node.as_ref(), series);
        }
    }
}

impl Drop for Recording {
    /// Stores the rest when the service stops.
    fn drop(&mut self) {
        self.store();
    }
}

fn beginning(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON)]
}
