//! `/v1/nodes`: the nodes of the cluster, and who has which duty.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse, get,
    http::StatusCode,
    post,
    web::{Data, Json, Path},
};
use serde::{Deserialize, Serialize};
use tertulia_actors::core::{
    id::NodeId,
    placement::{Assignment, DutyName},
    tenure::Standing,
};
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Neighbours;
use crate::{
    cluster::{ClusterView, Peer},
    gateway::{
        body::Body,
        keyed::{Once, Reply},
        problem::Problem,
        state::{Caller, State},
    },
};

/// How long the database may take to note a move.
const NOTED_WITHIN: Duration = Duration::from_secs(10);

pub(in crate::gateway) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(one).service(drain).service(move_connection);
}

/// A node of the cluster.
#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
#[serde(rename_all = "camelCase")]
struct View {
    /// The node's name.
    id: String,
    /// Whether this node answered the request.
    is_this: bool,
    /// `valid`, or `suspended` if it has not shown for long that it runs.
    standing: &'static str,
    /// Whether the node hands over all its duties.
    draining: bool,
    /// The version of its program.
    version: String,
    /// How other nodes reach it.
    address: String,
    labels: Vec<String>,
    /// How much it takes on, relative to other nodes.
    capacity: f64,
    /// When it joined, in milliseconds since 1970 by its own clock.
    since: i64,
    /// Milliseconds since a new sign of life was seen.
    silent_for: u64,
    /// Its duties, such as `connection/bots-1` and `webhooks`.
    duties: Vec<String>,
}

/// The nodes of the cluster.
#[derive(Serialize, ToSchema)]
#[schema(as = Nodes)]
struct Views {
    items: Vec<View>,
    /// Duties that no node has at the moment.
    unassigned: Vec<String>,
}

impl View {
    fn new(peer: &Peer, view: &ClusterView, caller: &Caller) -> Self {
        let node = view.placement.nodes.get(&peer.name);
        let is_valid = node.is_some_and(|node| node.standing == Standing::Valid);
        let about = &peer.about;
        Self {
            id: peer.name.to_string(),
            is_this: peer.name == view.me,
            standing: if is_valid { "valid" } else { "suspended" },
            draining: about.is_draining,
            version: about.version.clone(),
            address: about.address.clone(),
            labels: about.labels.iter().map(ToString::to_string).collect(),
            capacity: f64::from(about.capacity) / 1_000.0,
            since: about.since,
            silent_for: u64::try_from(peer.silent_for.as_millis()).unwrap_or(u64::MAX),
            duties: duties(
                view,
                caller,
                |assignment| matches!(assignment, Assignment::Held { by, .. } if *by == peer.name),
            ),
        }
    }
}

/// The names of the duties whose assignment `is_meant`, as far as the caller sees them.
fn duties(view: &ClusterView, caller: &Caller, is_meant: impl Fn(&Assignment) -> bool) -> Vec<String> {
    let is_seen = |duty: &DutyName| match duty {
        DutyName::Connection(id) => caller.reach().sees(id.as_str()),
        _ => true,
    };
    let duties: &BTreeMap<DutyName, Assignment> = &view.placement.duties;
    duties.iter().filter(|(duty, now)| is_meant(now) && is_seen(duty)).map(|(duty, _)| duty.to_string()).collect()
}

fn neighbours(state: &State) -> Result<&Neighbours, Problem> {
    let alone = || Problem::new(StatusCode::NOT_FOUND, "not-found", "this process shares its data with no other node");
    state.neighbours.as_ref().ok_or_else(alone)
}

fn newest(state: &State) -> Result<Arc<ClusterView>, Problem> {
    Ok(Arc::clone(&neighbours(state)?.members.view().borrow()))
}

/// Lists the nodes of the cluster, and their duties.
#[utoipa::path(operation_id = "listNodes", tag = "service", responses((status = 200, description = "The nodes", body = Views)))]
#[get("/nodes")]
async fn list(caller: Caller, state: Data<State>) -> Result<Json<Views>, Problem> {
    let view = newest(&state)?;
    let items = view.nodes.values().map(|peer| View::new(peer, &view, &caller)).collect();
    let is_free = |assignment: &Assignment| match assignment {
        Assignment::Held { by, .. } => !view.nodes.contains_key(by),
        Assignment::Never | Assignment::Released { .. } => true,
    };
    Ok(Json(Views { items, unassigned: duties(&view, &caller, is_free) }))
}

/// Reports one node.
#[utoipa::path(
    operation_id = "getNode",
    tag = "service",
    params(("node" = String, Path)),
    responses((status = 200, description = "The node", body = View))
)]
#[get("/nodes/{node}")]
async fn one(caller: Caller, state: Data<State>, id: Path<String>) -> Result<Json<View>, Problem> {
    let view = newest(&state)?;
    let peer = view.nodes.get(&NodeId::from(id.as_str())).ok_or_else(|| unknown(&id))?;
    Ok(Json(View::new(peer, &view, &caller)))
}

fn unknown(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown-node", format!("no node is named {id}"))
}

/// Which node is to have a connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Move {
    /// The node's name.
    node: String,
}

/// Moves a connection to a node. It is off line for a login and a resume.
#[utoipa::path(
    operation_id = "moveConnection",
    tag = "connections",
    params(("connection" = String, Path), Once),
    request_body = Move,
    responses((status = 202, description = "The connection moves; `GET` the nodes to see where it is"))
)]
#[post("/connections/{connection}/move")]
async fn move_connection(
    caller: Caller,
    once: Once,
    state: Data<State>,
    id: Path<String>,
    body: Body<Move>,
) -> Result<HttpResponse, Problem> {
    caller.connection(&id.as_str().into())?;
    let (view, neighbours) = (newest(&state)?, neighbours(&state)?);
    let to = NodeId::from(body.value.node.as_str());
    if !view.nodes.contains_key(&to) {
        return Err(unknown(to.as_str()));
    }
    let (members, duty) = (Arc::clone(&neighbours.members), DutyName::Connection(id.as_str().into()));
    once.act(&body.digest, async move {
        let table = Arc::clone(members.table());
        let noting = tokio::task::spawn_blocking(move || table.destine(&duty, Some(&to)));
        let away = |detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node-away", detail);
        let late = |_| away("the database did not answer in time".to_owned());
        let noted = timeout(NOTED_WITHIN, noting).await.map_err(late)?;
        noted.map_err(|error| away(error.to_string()))?.map_err(|error| away(error.to_string()))?;
        members.beat_now();
        Ok(Reply::accepted())
    })
    .await
}

/// Makes a node hand over all its duties, and take none. A restart of the node ends this.
#[utoipa::path(
    operation_id = "drainNode",
    tag = "service",
    params(("node" = String, Path), Once),
    responses((status = 202, description = "The node hands its duties over"))
)]
#[post("/nodes/{node}/drain")]
async fn drain(caller: Caller, once: Once, state: Data<State>, id: Path<String>) -> Result<HttpResponse, Problem> {
    caller.administer()?;
    let view = newest(&state)?;
    // The gateway has sent the request to the node that it names.
    if view.me.as_str() != id.as_str() {
        return Err(unknown(&id));
    }
    let members = Arc::clone(&neighbours(&state)?.members);
    once.act_bare(async move {
        members.say(|about| about.is_draining = true);
        Ok(Reply::accepted())
    })
    .await
}
