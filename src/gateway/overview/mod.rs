//! `/v1/overview`: the state of the whole process in one small response, cheap enough to poll every second.

mod counts;
mod merge;
mod past;
mod quantiles;
mod recent;
mod recorder;
mod records;
mod series;

use actix_web::{HttpRequest, HttpResponse, get, web::Query};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    connection::ConnectionStatus,
    core::{id::ConnectionId, session::Phase},
    subscriber::EventId,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    metrics::resident_bytes,
    nodes::{ask_others, is_for_part},
    problem::Problem,
    state::Caller,
};
use crate::config::Scope;

use counts::Counts;
use merge::Part;
use recent::Latencies;
use series::{Minute, Notable};

pub(super) use recent::Recent;
pub(super) use recorder::Recorder;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(overview);
}

/// The current state of the process, or of all nodes. Counters start with each process.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Overview {
    /// The version of the node that answers.
    version: String,
    /// The scope of the caller's token.
    #[schema(value_type = String)]
    scope: Scope,
    /// Seconds since the gateway started; of several nodes, since the first of them did.
    uptime_seconds: u64,
    /// Memory of the process in RAM; null if the system does not report it, and for a token that does not reach every
    /// connection.
    resident_bytes: Option<i64>,
    connections: Connections,
    conversations: Conversations,
    journal: JournalState,
    /// Recent latencies; null for the first request, and for a token that does not reach every connection.
    latency: Option<Latencies>,
    counts: Counts,
    /// Dead letters that are kept.
    dead_letters: usize,
    /// The last hour by minute, the oldest first. With a store, this includes previous runs. A token that does not
    /// reach every connection gets the numbers of its own connections. Null without `history`.
    minutes: Option<Vec<Minute>>,
    /// The newest 200 notable events, the newest first. With a store, this includes previous runs. Null without
    /// `history`.
    notable: Option<Vec<Notable>>,
    /// The number of nodes, as the node that answers last saw them; absent for a process alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    nodes: Option<usize>,
    /// The nodes that did not answer in time, so that their numbers are missing; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    incomplete: Vec<String>,
}

/// The number of connections by state.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
struct Connections {
    total: usize,
    /// Ready for commands.
    ready: usize,
    /// Connecting or reconnecting.
    working: usize,
    /// Failed for good.
    failed: usize,
    /// Stopped on request.
    stopped: usize,
    /// Run by no node at the moment: they move, or wait for a node that may run them. Absent for a process alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    moving: Option<usize>,
}

/// The number of conversations; a conversation counts once for each connection that sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Conversations {
    /// For a token that does not reach every connection, the unloaded conversations are included.
    in_memory: i64,
    /// Unloaded to the store; null for a token that does not reach every connection.
    asleep: Option<i64>,
    /// Null for a token that does not reach every connection.
    quarantined: Option<i64>,
}

/// The state of the journal, which makes events durable.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct JournalState {
    /// The cursor of the newest durable event, from which a reader can continue.
    newest: String,
    /// Steps that are not durable yet; null for a token that does not reach every connection.
    waiting: Option<usize>,
    /// Whether the last commit succeeded.
    healthy: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Whether the response includes `minutes` and `notable`, which change slowly. True by default.
    history: Option<bool>,
}

/// Reports the state of the whole process, or of the connections that the caller's token reaches. Of several nodes, the state
/// of all together.
#[utoipa::path(
    operation_id = "getOverview",
    tag = "service",
    params(Asked),
    responses((status = 200, description = "The process in numbers", body = Overview))
)]
#[get("/overview")]
async fn overview(caller: Caller, asked: Query<Asked>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut own = part(&caller).await?;
    if is_for_part(&request) {
        return Ok(HttpResponse::Ok().json(own));
    }
    if asked.history.unwrap_or(true) {
        let past = caller.state().recorder.past(caller.reach(), Timestamp::now()).await;
        (own.overview.minutes, own.overview.notable) = past.unzip();
    }
    let Some(neighbours) = &caller.state().neighbours else { return Ok(HttpResponse::Ok().json(own.alone())) };
    let parts = ask_others(&request, neighbours, |text| serde_json::from_slice::<Part>(text).ok()).await;
    let mut all = own.with(parts.answered, parts.incomplete);
    let moving = caller.unheld().len();
    all.connections.moving = Some(moving);
    all.nodes = Some(neighbours.members.view().borrow().nodes.len());
    all.connections.total += moving;
    Ok(HttpResponse::Ok().json(all))
}

/// The state of this process, without the past.
async fn part(caller: &Caller) -> Result<Part, Problem> {
    let (state, tertulia) = (caller.state(), caller.state().everything());
    let (journal, metrics, is_whole) = (tertulia.journal(), tertulia.metrics(), caller.reach().is_everything());
    let seen = caller.candidates(None)?.into_iter();
    let seen: Vec<(ConnectionId, ConnectionStatus)> =
        seen.filter_map(|connection| Some((connection.id().clone(), connection.status()?))).collect();
    let known: usize = seen.iter().map(|(_, status)| status.conversations).sum();
    let present = Overview {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scope: caller.scope(),
        uptime_seconds: state.recent.uptime_seconds(),
        resident_bytes: resident_bytes().filter(|_| is_whole),
        connections: connections(&seen),
        conversations: Conversations {
            in_memory: if is_whole { metrics.conversations.get() } else { i64::try_from(known).unwrap_or(i64::MAX) },
            asleep: is_whole.then(|| metrics.conversations_asleep.get()),
            quarantined: is_whole.then(|| metrics.conversations_in_quarantine.get()),
        },
        journal: JournalState {
            newest: EventId { epoch: journal.epoch().clone(), offset: journal.newest() }.to_string(),
            waiting: is_whole.then(|| journal.waiting()),
            healthy: journal.is_healthy(),
        },
        latency: None,
        counts: if is_whole { Counts::of_process(metrics) } else { Counts::of_connections(&seen, metrics) },
        dead_letters: caller.dead_letters().count().await?,
        minutes: None,
        notable: None,
        nodes: None,
        incomplete: Vec::new(),
    };
    Ok(Part { overview: present, counted: state.recent.latency(metrics).filter(|_| is_whole) })
}

fn connections(seen: &[(ConnectionId, ConnectionStatus)]) -> Connections {
    seen.iter().fold(Connections::default(), |mut counted, (_, status)| {
        counted.total += 1;
        match status.state {
            Phase::Ready => counted.ready += 1,
            Phase::Failed(_) => counted.failed += 1,
            Phase::Stopping | Phase::Stopped => counted.stopped += 1,
            _ => counted.working += 1,
        }
        counted
    })
}
