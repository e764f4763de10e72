//! `/healthz`: the process is alive. `/readyz`: the service is ready. Probes need no token for either.

use actix_web::{HttpRequest, HttpResponse, Responder, get, http::StatusCode, web::Data};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tertulia_actors::{connection::ConnectionStatus, core::id::ConnectionId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{connections::Life, problem::Problem, state::State};

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
}

/// Reports that the process is alive. Independent of the platform, because restarting the process would not help then.
#[utoipa::path(operation_id = "getHealth", tag = "service", responses((status = 200, description = "The process is alive", body = Health)))]
#[get("/healthz")]
async fn alive() -> impl Responder {
    HttpResponse::Ok().json(Health { alive: true })
}

/// A connection because of which the service is not ready. Error texts are left out, because everybody may read this.
#[derive(Serialize)]
struct Reason {
    connection: ConnectionId,
    #[serde(flatten)]
    life: Life,
    lacking: Value,
}

/// What a connection lacks, without the platform's texts.
fn lacking(status: &ConnectionStatus) -> Value {
    let parts = status.lacking.parts().into_iter().filter(|(_, reason)| reason.is_some());
    let mut lacking: Map<String, Value> = parts.map(|(part, _)| (part.to_owned(), true.into())).collect();
    if status.lacking.histories > 0 {
        lacking.insert("histories".to_owned(), status.lacking.histories.into());
    }
    lacking.into()
}

/// Reports whether the service is ready. If not, the problem lists the connections that are not ready and what each
/// lacks. An incomplete history of a conversation does not count. A caller who shows a token sees only the connections
/// that the token reaches. If some tokens reach only some connections, a caller without a token gets no list.
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
    let mut reasons: Vec<Reason> = tertulia
        .connections()
        .into_iter()
        .filter_map(|connection| Some((tertulia.connection(&connection).status()?, connection)))
        .filter(|(status, _)| !status.is_ready() || !status.lacking.has_parts())
        .map(|(status, connection)| Reason { connection, life: Life::from(&status.state), lacking: lacking(&status) })
        .collect();
    let access = state.access.load_full();
    let shown = access.reach_shown(request.headers());
    if let Some(reach) = &shown {
        reasons.retain(|reason| reach.sees(reason.connection.as_str()));
    }
    if reasons.is_empty() {
        // Damaged events do not make the service unready: a restart would not repair them, and they concern only their
        // readers.
        let damaged_events = Some(tertulia.journal().damaged()).filter(|damaged| *damaged > 0);
        return Ok(HttpResponse::Ok().json(Readiness { ready: true, damaged_events }));
    }
    if shown.is_none() && access.has_tenants() {
        let detail = "some connections are not ready; a token shows which of its connections";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail));
    }
    reasons.sort_unstable_by(|one, other| one.connection.cmp(&other.connection));
    let detail = format!("connections that are not ready: {}", reasons.len());
    let reasons: Vec<Value> = reasons.into_iter().map(|reason| json!(reason)).collect();
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail).with("reasons", reasons))
}
