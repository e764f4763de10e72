//! `/healthz`: the process is alive. `/readyz`: the service is ready. Probes need no token for either.

use std::{sync::atomic::Ordering, time::Duration};

use actix_web::{HttpRequest, HttpResponse, Responder, get, http::StatusCode, web::Data};
use serde::Serialize;
use serde_json::json;
use tertulia_actors::{
    connection::{ConnectionStatus, Role},
    core::{id::ConnectionId, readiness::Lacking, session::Start},
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{connections::Life, problem::Problem, state::State};

/// How old the newest complete look at the log of all nodes may be.
const TAIL_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(alive).service(ready);
}

/// The process is alive.
#[derive(Serialize, ToSchema)]
struct Health {
    alive: bool,
}

/// The service is ready.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Readiness {
    ready: bool,
    /// Events that cannot be read from the store; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_events: Option<u64>,
    /// The connections that are not ready or lack something, as far as the caller sees them; absent if there are none.
    /// The service is ready without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
}

/// Whether a connection makes the service unready. A node that `has_served` stays ready while it begins the connections that it
/// takes over: they wait their turns to log in, and meanwhile the node serves what other nodes run.
fn blocks(start: Start, any_resumed: bool, has_served: bool) -> bool {
    match start {
        Start::UnderWay => !has_served,
        start => start.blocks(any_resumed),
    }
}

/// Reports that the process is alive. Independent of the platform, because restarting the process would not help then.
#[utoipa::path(operation_id = "getHealth", tag = "service", responses((status = 200, description = "The process is alive", body = Health)))]
#[get("/healthz")]
async fn alive() -> impl Responder {
    HttpResponse::Ok().json(Health { alive: true })
}

/// A connection that is not ready or lacks something. Error texts are left out, because everybody may read this.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessReason)]
struct Reason {
    #[schema(value_type = String)]
    connection: ConnectionId,
    #[serde(flatten)]
    life: Life,
    lacking: Missing,
    /// Whether the service is not ready because of this connection.
    blocking: bool,
}

/// What a connection lacks. What works is absent.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessLacking)]
#[serde(rename_all = "camelCase")]
struct Missing {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriptions: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rings: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_state: Option<bool>,
    /// The number of conversations whose history is incomplete.
    #[serde(skip_serializing_if = "Option::is_none")]
    histories: Option<usize>,
}

impl From<&Lacking> for Missing {
    fn from(lacking: &Lacking) -> Self {
        let missing = |reason: &Option<String>| reason.as_ref().map(|_| true);
        Self {
            subscriptions: missing(&lacking.subscriptions),
            rings: missing(&lacking.rings),
            agent_state: missing(&lacking.agent_state),
            histories: Some(lacking.histories).filter(|histories| *histories > 0),
        }
    }
}

/// Reports whether the service is ready: it stores events, does not stop, and has tried each of its connections. A node of
/// several must also be allowed to act, and be less than 5 seconds behind the events of the others. Once it was ready, the connections that it takes over do not make it
/// unready. A
/// connection was tried once it was ready, has failed, or waits because its login is refused, held elsewhere or
/// throttled. A connection that cannot reach the platform counts as tried once another connection was ready.
///
/// The answer lists the connections that are not ready and what each lacks. An incomplete history of a conversation
/// does not count. A caller who shows a token sees only the connections that the token reaches. If some tokens reach
/// only some connections, a caller without a token gets no list.
#[utoipa::path(operation_id = "getReadiness", tag = "service", responses((status = 200, description = "The service is ready", body = Readiness)))]
#[get("/readyz")]
async fn ready(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if state.leaving.is_cancelled() || state.closing.is_cancelled() {
        return Err(Problem::stopping());
    }
    let tertulia = state.everything();
    if !tertulia.journal().is_healthy() {
        let detail = "events cannot be stored: the last commit failed and is being retried";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail));
    }
    let tail_lag = tertulia.journal().tail_lag();
    if tail_lag.is_some_and(|lag| lag >= TAIL_WITHIN) {
        let detail = "events of other nodes cannot be read, so event streams of this node stand still";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail));
    }
    if !tertulia.journal().cluster().tenure().may_act() {
        let detail = "the database has not answered for too long, so this node does nothing until it does";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "suspended", detail));
    }
    let statuses: Vec<(ConnectionId, ConnectionStatus)> = tertulia
        .connections()
        .into_iter()
        .filter_map(|connection| {
            let status = tertulia.connection(&connection).status()?;
            Some((connection, status))
        })
        .collect();
    // A connection that only receives webhooks is ready without reaching the platform.
    let any_resumed =
        statuses.iter().any(|(_, status)| status.start() == Start::Resumed && status.role != Role::Intake);
    let has_served = state.neighbours.is_some() && state.was_ready.load(Ordering::Relaxed);
    let mut reasons: Vec<Reason> = statuses
        .into_iter()
        .filter(|(_, status)| !status.is_ready() || !status.lacking.has_parts())
        .map(|(connection, status)| Reason {
            connection,
            life: Life::from(&status.state),
            lacking: Missing::from(&status.lacking),
            blocking: blocks(status.start(), any_resumed, has_served),
        })
        .collect();
    reasons.sort_unstable_by(|one, other| one.connection.cmp(&other.connection));
    let access = state.access.load_full();
    let shown = access.reach_shown(request.headers());
    if let Some(reach) = &shown {
        reasons.retain(|reason| reach.sees(reason.connection.as_str()));
    }
    let blocking = reasons.iter().filter(|reason| reason.blocking).count();
    let is_listed = shown.is_some() || !access.has_tenants();
    if blocking == 0 {
        state.was_ready.store(true, Ordering::Relaxed);
        // Damaged events do not make the service unready: a restart would not repair them, and they concern only their
        // readers.
        let damaged_events = Some(tertulia.journal().damaged()).filter(|damaged| *damaged > 0);
        let reasons = if is_listed { reasons } else { Vec::new() };
        return Ok(HttpResponse::Ok().json(Readiness { ready: true, damaged_events, reasons }));
    }
    if !is_listed {
        let detail = "some connections are not ready; a token shows which of its connections";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail));
    }
    let detail = format!("connections that were not tried yet: {blocking}");
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail).with("reasons", json!(reasons)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_has_served_stays_ready_while_it_takes_connections_over() {
        assert!(blocks(Start::UnderWay, true, false), "the first connections of a node");
        assert!(!blocks(Start::UnderWay, true, true));
        assert!(blocks(Start::Unreachable, false, true), "it reaches the platform with none of them");
        assert!(!blocks(Start::Unreachable, true, true) && !blocks(Start::Excused, false, false));
    }
}
