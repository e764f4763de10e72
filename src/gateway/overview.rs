//! `/v1/overview`: how the whole process is doing in one small answer, cheap enough to be asked for every second.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, get,
    web::{Data, Json},
};
use serde::Serialize;
use tertulia_actors::{
    core::session::Phase,
    metrics::{LatencySnapshot, Metrics},
    subscriber::EventId,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{metrics::resident_bytes, state::State};
use crate::config::Scope;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(overview);
}

/// How far back quantiles look: long enough for their number not to jump, short enough to be about now.
const WINDOW: Duration = Duration::from_secs(10);
/// The least time between two snapshots that are kept.
const STEP: Duration = Duration::from_secs(1);

/// When the gateway began, and what had been counted lately: each question leaves a snapshot for the next.
pub(super) struct Recent {
    began: Instant,
    snapshots: Mutex<VecDeque<Snapshot>>,
}

#[derive(Clone, Copy)]
struct Snapshot {
    at: Instant,
    frame_to_event: LatencySnapshot,
    command: LatencySnapshot,
}

impl Default for Recent {
    fn default() -> Self {
        Self { began: Instant::now(), snapshots: Mutex::default() }
    }
}

impl Recent {
    /// What was counted within the window, or since somebody last asked; nothing where nobody has asked yet.
    fn latency(&self, metrics: &Metrics) -> Option<Latencies> {
        let at = Instant::now();
        let frame_to_event = metrics.frame_to_event_seconds.snapshot();
        let now = Snapshot { at, frame_to_event, command: metrics.command_duration_seconds.snapshot() };
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        // The oldest of the window stays, and one before it only as long as there is none.
        while snapshots.get(1).is_some_and(|next| at.duration_since(next.at) >= WINDOW) {
            snapshots.pop_front();
        }
        let before = snapshots.front().copied();
        if snapshots.back().is_none_or(|last| at.duration_since(last.at) >= STEP) {
            snapshots.push_back(now);
        }
        let before = before?;
        Some(Latencies {
            window_seconds: at.duration_since(before.at).as_secs_f64(),
            frame_to_event: Quantiles::of(&now.frame_to_event.since(&before.frame_to_event)),
            command: Quantiles::of(&now.command.since(&before.command)),
        })
    }
}

/// How the process is doing now. What is counted is counted since it began.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Overview {
    /// The service's version.
    version: &'static str,
    /// What the caller's token allows.
    #[schema(value_type = String)]
    scope: Scope,
    /// How long the gateway has been up.
    uptime_seconds: u64,
    /// Memory of the process that is in RAM; null where the system does not tell.
    resident_bytes: Option<i64>,
    connections: Connections,
    conversations: Conversations,
    journal: JournalState,
    /// How long things took lately; null for the first who asks.
    latency: Option<Latencies>,
    counts: Counts,
    /// Dead letters that are kept.
    dead_letters: i64,
}

/// The fleet in numbers.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Connections {
    total: usize,
    /// Commands may be sent.
    ready: usize,
    /// On the way to it, for the first time or again.
    working: usize,
    /// Given up.
    failed: usize,
    /// Ended on somebody's wish.
    stopped: usize,
}

/// The conversations in numbers, each once for every connection that sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Conversations {
    in_memory: i64,
    asleep: i64,
    quarantined: i64,
}

/// What becomes durable.
#[derive(Debug, Serialize, ToSchema)]
struct JournalState {
    /// The newest event that is durable: the cursor of whoever reads on from here.
    newest: String,
    /// Steps that are not durable yet.
    waiting: usize,
    /// Whether the last commit went well.
    healthy: bool,
}

/// How long things took lately.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Latencies {
    /// How far back this looks, in seconds.
    window_seconds: f64,
    /// Own time from a frame to the events that it brought.
    frame_to_event: Quantiles,
    /// From a command to its answer, the platform's time included.
    command: Quantiles,
}

/// Times in seconds, as exactly as the buckets of `/metrics` tell; null where nothing was counted.
#[derive(Debug, Serialize, ToSchema)]
struct Quantiles {
    count: u64,
    p50: Option<f64>,
    p99: Option<f64>,
}

impl Quantiles {
    fn of(counted: &LatencySnapshot) -> Self {
        let seconds = |quantile| counted.quantile(quantile).map(|time| time.as_secs_f64());
        Self { count: counted.count(), p50: seconds(0.5), p99: seconds(0.99) }
    }
}

/// Counted since the process began.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    frames: u64,
    events: u64,
    commands_done: u64,
    commands_failed: u64,
    reconnects: u64,
    restarts: u64,
    message_gaps: u64,
    messages_back_filled: u64,
    dead_letters: u64,
}

/// How the whole process is doing.
#[utoipa::path(tag = "service", responses((status = 200, description = "The process in numbers", body = Overview)))]
#[get("/overview")]
async fn overview(state: Data<State>, request: HttpRequest) -> Json<Overview> {
    let (tertulia, metrics) = (&state.tertulia, state.tertulia.metrics());
    let journal = tertulia.journal();
    Json(Overview {
        version: env!("CARGO_PKG_VERSION"),
        scope: state.access.scope(request.headers()),
        uptime_seconds: state.recent.began.elapsed().as_secs(),
        resident_bytes: resident_bytes(),
        connections: connections(&state),
        conversations: Conversations {
            in_memory: metrics.conversations.get(),
            asleep: metrics.conversations_asleep.get(),
            quarantined: metrics.conversations_in_quarantine.get(),
        },
        journal: JournalState {
            newest: EventId { epoch: journal.epoch().clone(), offset: journal.newest() }.to_string(),
            waiting: journal.waiting(),
            healthy: journal.is_healthy(),
        },
        latency: state.recent.latency(metrics),
        counts: Counts {
            frames: metrics.frames.get(),
            events: metrics.events.get(),
            commands_done: metrics.commands_done.get(),
            commands_failed: metrics.commands_failed.get(),
            reconnects: metrics.reconnects.get(),
            restarts: metrics.actor_restarts.get(),
            message_gaps: metrics.message_gaps.get(),
            messages_back_filled: metrics.messages_back_filled.get(),
            dead_letters: metrics.dead_letters.get(),
        },
        dead_letters: metrics.dead_letters_held.get(),
    })
}

fn connections(state: &State) -> Connections {
    let ids = state.tertulia.connections();
    ids.iter().filter_map(|id| state.tertulia.connection(id).status()).fold(
        Connections::default(),
        |mut counted, status| {
            counted.total += 1;
            match status.state {
                Phase::Ready => counted.ready += 1,
                Phase::Failed(_) => counted.failed += 1,
                Phase::Stopping | Phase::Stopped => counted.stopped += 1,
                _ => counted.working += 1,
            }
            counted
        },
    )
}
