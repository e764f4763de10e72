//! `/v1/nodes`: the nodes of the cluster, and who has which duty.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::StatusCode,
    post,
    web::{Data, Json, Path},
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tertulia_actors::core::{
    id::{ConnectionId, NodeId},
    placement::{Assignment, DutyName},
    tenure::Standing,
};
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Neighbours, ask_others, is_for_part};
use crate::{
    cluster::{ClusterView, DutyMove, Peer, peers},
    gateway::{
        body::Body,
        keyed::{Once, Reply},
        problem::Problem,
        state::{Caller, State},
    },
};

/// How long the database may take to note a move.
const NOTED_WITHIN: Duration = Duration::from_secs(10);
/// The most moves in the list of all nodes.
const MOVES: usize = 50;

pub(in crate::gateway) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(rebalance).service(one).service(drain).service(move_connection);
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
    /// The connections that it runs, by its last sign of life.
    connections: u64,
    /// Its conversations, in memory or asleep, by its last sign of life.
    conversations: u64,
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
    /// The last duties that nodes have taken, the newest first, at most 50. A node notes what it has taken since it joined.
    moves: Vec<MoveView>,
    /// The nodes that did not answer in time, so that their moves are missing; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    incomplete: Vec<String>,
}

/// A node, and what it has taken.
#[derive(Serialize, ToSchema)]
#[schema(as = NodeWithMoves)]
#[serde(rename_all = "camelCase")]
struct WithMoves {
    #[serde(flatten)]
    node: View,
    /// The last duties that the node has taken since it joined, the newest first, at most 50. Null if the node itself does not
    /// answer.
    moves: Option<Vec<MoveView>>,
}

/// A duty that a node has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DutyMove)]
#[serde(rename_all = "camelCase")]
struct MoveView {
    /// When, in milliseconds since 1970 by the clock of the node.
    time: i64,
    /// The duty, such as `connection/bots-1`.
    duty: String,
    /// The node that had the duty before; null if none had it or it is not known.
    from: Option<String>,
    /// The node that has taken the duty.
    to: String,
    /// `first`: no node had the duty before. `node-lost`: its node was fenced. `drained`: its node hands over all it has.
    /// `handed-over`: it was moved for balance or by an operator. `free`: its node left, joined again or gave it back.
    cause: String,
    /// Seconds since the last sign of life of the lost node, or since the decision to move; null for other causes.
    seconds: Option<f64>,
}

/// The part of one node in the list of moves.
#[derive(Deserialize)]
struct MovesPart {
    moves: Vec<MoveView>,
}

impl MoveView {
    fn new(made: &DutyMove, me: &NodeId) -> Self {
        Self {
            time: made.at.0,
            duty: made.duty.to_string(),
            from: made.from.as_ref().map(ToString::to_string),
            to: me.to_string(),
            cause: made.cause.word().to_owned(),
            seconds: made.took.map(|took| took.as_secs_f64()),
        }
    }
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
            connections: about.connections,
            conversations: about.conversations,
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
    let duties: &BTreeMap<DutyName, Assignment> = &view.placement.duties;
    duties
        .iter()
        .filter(|(duty, now)| is_meant(now) && is_seen(duty, caller))
        .map(|(duty, _)| duty.to_string())
        .collect()
}

fn is_seen(duty: &DutyName, caller: &Caller) -> bool {
    match duty {
        DutyName::Connection(id) => caller.reach().sees(id.as_str()),
        _ => true,
    }
}

/// The moves to this node that the caller sees, the newest first.
fn own_moves(view: &ClusterView, caller: &Caller) -> Vec<MoveView> {
    let seen = view.moves.iter().rev().filter(|made| is_seen(&made.duty, caller));
    seen.map(|made| MoveView::new(made, &view.me)).collect()
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
async fn list(caller: Caller, state: Data<State>, request: HttpRequest) -> Result<Json<Views>, Problem> {
    let view = newest(&state)?;
    let mut moves = own_moves(&view, &caller);
    let mut incomplete = Vec::new();
    if !is_for_part(&request) {
        let parse = |text: &[u8]| serde_json::from_slice::<MovesPart>(text).ok();
        let parts = ask_others(&request, neighbours(&state)?, parse).await;
        moves.extend(parts.answered.into_iter().flat_map(|part| part.moves));
        moves.sort_by_key(|made| Reverse(made.time));
        moves.truncate(MOVES);
        incomplete = parts.incomplete;
    }
    let items = view.nodes.values().map(|peer| View::new(peer, &view, &caller)).collect();
    let is_free = |assignment: &Assignment| match assignment {
        Assignment::Held { by, .. } => !view.nodes.contains_key(by),
        Assignment::Never | Assignment::Released { .. } => true,
    };
    Ok(Json(Views { items, unassigned: duties(&view, &caller, is_free), moves, incomplete }))
}

/// Reports one node and what it has taken.
#[utoipa::path(
    operation_id = "getNode",
    tag = "service",
    params(("node" = String, Path)),
    responses((status = 200, description = "The node", body = WithMoves))
)]
#[get("/nodes/{node}")]
async fn one(caller: Caller, state: Data<State>, id: Path<String>) -> Result<Json<WithMoves>, Problem> {
    let view = newest(&state)?;
    let peer = view.nodes.get(&NodeId::from(id.as_str())).ok_or_else(|| unknown(&id))?;
    // The gateway has sent the request to the node that it names, if that node answers.
    let moves = (peer.name == view.me).then(|| own_moves(&view, &caller));
    Ok(Json(WithMoves { node: View::new(peer, &view, &caller), moves }))
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
    let (view, neighbours) = (newest(&state)?, neighbours(&state)?);
    let to = NodeId::from(body.value.node.as_str());
    let connection = ConnectionId::from(id.as_str());
    let duty = DutyName::Connection(connection.clone());
    // Whether or not a node runs it at the moment.
    if !is_seen(&duty, &caller) || !view.placement.duties.contains_key(&duty) {
        return Err(Problem::unknown_connection(&connection));
    }
    if !view.nodes.contains_key(&to) {
        return Err(unknown(to.as_str()));
    }
    let members = Arc::clone(&neighbours.members);
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

/// Ends what `drain` began at every node, so that the connections spread over all nodes again. A node that stops goes on to
/// hand over.
#[utoipa::path(
    operation_id = "rebalanceNodes",
    tag = "service",
    params(Once),
    responses((status = 200, description = "The nodes take connections again", body = Rebalanced))
)]
#[post("/nodes/rebalance")]
async fn rebalance(caller: Caller, once: Once, state: Data<State>) -> Result<HttpResponse, Problem> {
    caller.administer()?;
    let (view, neighbours) = (newest(&state)?, neighbours(&state)?.clone());
    once.act_bare(async move {
        state.take_duties_again();
        let asked = join_all(view.nodes.values().filter(|peer| peer.name != view.me).map(async |peer| {
            let is_reached = peers::ask_to_rebalance(&peer.about.address, &neighbours.trust).await;
            (!is_reached).then(|| peer.name.to_string())
        }));
        let incomplete = asked.await.into_iter().flatten().collect();
        Ok(Reply::ok(json!(Rebalanced { incomplete })))
    })
    .await
}

/// What came of a request to all nodes.
#[derive(Serialize, ToSchema)]
struct Rebalanced {
    /// The nodes that did not answer, and may still drain.
    incomplete: Vec<String>,
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
