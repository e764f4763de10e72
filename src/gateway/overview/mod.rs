//! `/v1/overview`: the state of the whole process in one small response, cheap enough to poll every second.

mod counts;
mod merge;
mod numbers;
mod past;
mod quantiles;
mod recent;
mod recorder;
mod records;
mod series;

use actix_web::{HttpRequest, HttpResponse, get, web::Query};
use jiff::Timestamp;
use serde::Deserialize;
use tertulia_actors::{
    connection::ConnectionStatus,
    core::{id::ConnectionId, session::Phase},
    subscriber::EventId,
};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    metrics::resident_bytes,
    nodes::{ask_others, is_for_part},
    problem::Problem,
    state::Caller,
};

use counts::Counts;
use merge::Part;
use numbers::{Connections, Conversations, JournalState, Overview};

pub(super) use recent::Recent;
pub(super) use recorder::Recorder;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(overview);
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
