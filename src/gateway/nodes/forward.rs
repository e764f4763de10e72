//! Sends requests to the nodes that can serve them.

use std::{borrow::Cow, sync::Arc, time::Duration};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::{Bytes, BytesMut, Data, Query},
};
use futures_util::{StreamExt as _, future::join_all};
use serde::Deserialize;
use tertulia_actors::core::{
    id::NodeId,
    placement::{Assignment, DutyName},
};
use tokio::time::{Instant, timeout};

use super::{
    ForCaller, Neighbours,
    caller::{CALLER, describe},
    class::{Class, class},
    merge::{Part, merge},
};
use crate::{
    cluster::{
        ClusterView, Holder,
        peers::{PeerError, PeerRequest, PeerResponse, SECRET, read},
    },
    gateway::{body, page, problem::Problem, state::State},
};

/// How long a request waits for a duty that no node has at the moment.
const MOVES_WITHIN: Duration = Duration::from_secs(20);
/// How long another node may take to answer, longer than any request takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// How long another node may take to answer with its part of a list.
const PART_WITHIN: Duration = Duration::from_secs(2);
/// How often a duty is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The largest body that is kept to be sent again, in bytes: any but that of an upload.
const KEPT_BODY: usize = 1024 * 1024;
/// The header of a request that may be repeated.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers that belong to one connection, or to the first node.
const OWN: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::AUTHORIZATION,
    header::COOKIE,
    SECRET,
    CALLER,
];

/// A request as it is sent to other nodes.
struct Outgoing {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Sendable,
}

enum Sendable {
    Kept(Bytes),
    /// Can be sent once.
    Coming(Option<Payload>),
}

/// What became of a request to another node.
enum Sent {
    Answered(PeerResponse),
    /// It can be sent again.
    Again,
    /// The node may have acted.
    Unknown,
}

impl Outgoing {
    async fn of(request: &mut ServiceRequest) -> Result<Self, Problem> {
        let kept = request.headers().iter().filter(|(name, _)| !OWN.contains(name));
        let mut headers: Vec<_> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        headers.extend(describe(request).map(|caller| (CALLER, caller)));
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let payload = request.take_payload();
        let body = match length {
            Some(length) if length > KEPT_BODY => Sendable::Coming(Some(payload)),
            None if is_chunked => Sendable::Coming(Some(payload)),
            _ => Sendable::Kept(keep(payload).await?),
        };
        Ok(Self { method: request.method().clone(), path, headers, body })
    }

    /// What the body names as its connection.
    fn connection(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            connection: String,
        }
        match &self.body {
            Sendable::Kept(body) if !body.is_empty() => Some(serde_json::from_slice::<Named>(body).ok()?.connection),
            Sendable::Kept(_) | Sendable::Coming(_) => None,
        }
    }

    /// Gives the body back to a request that is served here.
    fn restore(&mut self, request: &mut ServiceRequest) {
        request.set_payload(match &mut self.body {
            Sendable::Kept(body) => Payload::from(body.clone()),
            Sendable::Coming(payload) => payload.take().unwrap_or(Payload::None),
        });
    }

    fn can_be_repeated(&self) -> bool {
        let is_read = self.method == Method::GET || self.method == Method::HEAD;
        is_read || self.headers.iter().any(|(name, _)| *name == KEY)
    }

    async fn send(&mut self, neighbours: &Neighbours, address: &str, within: Duration) -> Sent {
        let request = PeerRequest {
            method: self.method.clone(),
            address,
            path: &self.path,
            headers: self.headers.clone(),
            within,
        };
        let answered = match &mut self.body {
            Sendable::Kept(body) => request.send(&neighbours.secret, body.clone()).await,
            Sendable::Coming(payload) => match payload.take() {
                Some(payload) => request.stream(&neighbours.secret, payload).await,
                None => return Sent::Unknown,
            },
        };
        match answered {
            // The node does not have the duty any more, or not yet.
            Ok(response) if response.status() == StatusCode::MISDIRECTED_REQUEST => Sent::Again,
            Ok(response) => Sent::Answered(response),
            Err(PeerError::NotSent(error)) => {
                tracing::debug!(address, error, "a node could not be reached");
                if matches!(self.body, Sendable::Kept(_)) { Sent::Again } else { Sent::Unknown }
            }
            Err(PeerError::NoAnswer(error)) => {
                tracing::info!(address, error, "a node did not answer");
                if self.can_be_repeated() && matches!(self.body, Sendable::Kept(_)) {
                    Sent::Again
                } else {
                    Sent::Unknown
                }
            }
        }
    }
}

async fn keep(mut payload: Payload) -> Result<Bytes, Problem> {
    let reading = async {
        let mut kept = BytesMut::new();
        while let Some(part) = payload.next().await {
            kept.extend_from_slice(&part.map_err(|error| Problem::bad_request(error.to_string()))?);
            if kept.len() > KEPT_BODY {
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "the body is too large"));
            }
        }
        Ok(kept.freeze())
    };
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "the body did not arrive in time");
    timeout(body::WITHIN, reading).await.unwrap_or_else(|_| Err(late()))
}

/// Serves a request here or at the node that can.
pub(in crate::gateway) async fn forward(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = request.app_data::<Data<State>>().cloned();
    let Some((state, neighbours)) = state.and_then(|state| Some((state.clone(), state.neighbours.clone()?))) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let is_of_a_node = request.extensions().contains::<ForCaller>();
    let (path, query) = (request.path().to_owned(), request.query_string().to_owned());
    let mut found = class(request.method(), &path, &query, None);
    let is_only_looking = request.method() == Method::GET || request.method() == Method::HEAD;
    if !is_only_looking && !neighbours.members.tenure().may_act() {
        return Ok(request.into_response(suspended().error_response()));
    }
    if found == Class::Here {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    if is_of_a_node {
        if let Class::Duty(duty) = &found
            && !serves(&state, &neighbours, duty, is_only_looking)
        {
            let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "node-away", "another node does this");
            return Ok(request.into_response(problem.error_response()));
        }
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    if !neighbours.are_known(MOVES_WITHIN).await {
        return Ok(request.into_response(moving("this node does not know the others yet").error_response()));
    }
    let mut outgoing = match Outgoing::of(&mut request).await {
        Ok(outgoing) => outgoing,
        Err(problem) => return Ok(request.into_response(problem.error_response())),
    };
    if found == Class::Someone {
        found = class(request.method(), &path, &query, outgoing.connection().as_deref());
    }
    match found {
        Class::Duty(duty) => {
            if !serves(&state, &neighbours, &duty, is_only_looking)
                && let Some(answer) = elsewhere(&state, &neighbours, &duty, is_only_looking, &mut outgoing).await
            {
                return Ok(request.into_response(answer));
            }
            outgoing.restore(&mut request);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Class::Someone => {
            outgoing.restore(&mut request);
            let own = next.call(request).await?.map_into_boxed_body();
            if own.status() != StatusCode::NOT_FOUND {
                return Ok(own);
            }
            match ask_others(&neighbours, &mut outgoing).await {
                Some(answer) => Ok(ServiceResponse::new(own.into_parts().0, answer)),
                None => Ok(own),
            }
        }
        Class::Everyone => {
            outgoing.restore(&mut request);
            let own = next.call(request).await?.map_into_boxed_body();
            together(own, &neighbours, outgoing).await
        }
        Class::Node(node) => {
            let view = newest(&neighbours);
            let Some(peer) = view.nodes.get(&node).filter(|peer| peer.name != view.me) else {
                outgoing.restore(&mut request);
                return Ok(next.call(request).await?.map_into_boxed_body());
            };
            let answer = match outgoing.send(&neighbours, &peer.about.address, ANSWER_WITHIN).await {
                Sent::Answered(answer) => pass_on(answer),
                Sent::Again => node_away(&peer.name).error_response(),
                Sent::Unknown => outcome_unknown().error_response(),
            };
            Ok(request.into_response(answer))
        }
        Class::Here => Ok(next.call(request).await?.map_into_boxed_body()),
    }
}

fn node_away(node: &NodeId) -> Problem {
    let detail = format!("the node {node} cannot be reached");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node-away", detail).header(header::RETRY_AFTER, "1")
}

fn suspended() -> Problem {
    let detail = "the database has not answered for too long, so this node does nothing until it does";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "suspended", detail).header(header::RETRY_AFTER, "1")
}

/// Whether this node serves requests for a duty. A node that hands a connection over begins nothing more for it.
fn serves(state: &State, neighbours: &Neighbours, duty: &DutyName, is_only_looking: bool) -> bool {
    let view = newest(neighbours);
    match duty {
        DutyName::Connection(id) => {
            let runs = state.everything().connection(id).status().is_some();
            runs && (is_only_looking || !view.is_leaving(duty))
        }
        other => view.holder(other) == Holder::Me,
    }
}

fn newest(neighbours: &Neighbours) -> Arc<ClusterView> {
    Arc::clone(&neighbours.members.view().borrow())
}

/// Sends a request to the node that has a duty, and waits while no node has it; `None` if this node should serve it after
/// all.
async fn elsewhere(
    state: &State,
    neighbours: &Neighbours,
    duty: &DutyName,
    is_only_looking: bool,
    outgoing: &mut Outgoing,
) -> Option<HttpResponse> {
    let deadline = Instant::now() + MOVES_WITHIN;
    let mut view = neighbours.members.view();
    loop {
        let now = Arc::clone(&view.borrow_and_update());
        match now.holder(duty) {
            Holder::Unknown => return None,
            Holder::Other(node) => {
                let address = now.nodes.get(&node).map(|peer| peer.about.address.clone()).unwrap_or_default();
                match outgoing.send(neighbours, &address, ANSWER_WITHIN).await {
                    Sent::Answered(answer) => return Some(pass_on(answer)),
                    Sent::Again => neighbours.members.beat_now(),
                    Sent::Unknown => return Some(outcome_unknown().error_response()),
                }
            }
            Holder::Me if serves(state, neighbours, duty, is_only_looking) => return None,
            Holder::Me | Holder::Nobody => {}
        }
        if Instant::now() >= deadline {
            return Some(moving(format!("no node has {duty} at the moment")).error_response());
        }
        let _ = timeout(LOOK_EVERY, view.changed()).await;
    }
}

fn moving(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "moving", detail).header(header::RETRY_AFTER, "1")
}

fn outcome_unknown() -> Problem {
    let detail = "the node that was to act did not answer; with an Idempotency-Key the request can be repeated";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", detail)
}

/// Asks the other nodes one after another; `None` if all of them answer that they do not know what the request names.
async fn ask_others(neighbours: &Neighbours, outgoing: &mut Outgoing) -> Option<HttpResponse> {
    let view = newest(neighbours);
    if matches!(outgoing.body, Sendable::Coming(_)) && view.peers().next().is_some() {
        // The body was read here and cannot be sent again.
        let detail = "this node does not have the conversation; name its connection to reach the node that does";
        return Some(Problem::new(StatusCode::NOT_FOUND, "not-found", detail).error_response());
    }
    let mut silent = None;
    for peer in view.peers() {
        match outgoing.send(neighbours, &peer.about.address, ANSWER_WITHIN).await {
            Sent::Answered(answer) if answer.status() == StatusCode::NOT_FOUND => {}
            Sent::Answered(answer) => return Some(pass_on(answer)),
            Sent::Again => silent = Some(peer.name.clone()),
            Sent::Unknown => return Some(outcome_unknown().error_response()),
        }
    }
    if let Some(node) = silent {
        return Some(node_away(&node).error_response());
    }
    // What the request names may move at this moment.
    let is_moving = view.placement.duties.iter().any(|(duty, assignment)| {
        let is_between = matches!(assignment, Assignment::Held { .. } | Assignment::Released { next: Some(_), .. });
        matches!(duty, DutyName::Connection(_)) && is_between && view.holder(duty) == Holder::Nobody
    });
    is_moving.then(|| moving("what the request names may move at the moment").error_response())
}

/// A response of another node, for the caller of this one.
fn pass_on(answer: PeerResponse) -> HttpResponse {
    let mut response = HttpResponse::build(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| !OWN.contains(name)) {
        response.append_header((name.clone(), value.clone()));
    }
    response.streaming(answer)
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<usize>,
}

/// Puts this node's part of a list and those of the others together.
async fn together(
    own: ServiceResponse<BoxBody>,
    neighbours: &Neighbours,
    outgoing: Outgoing,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if own.status() != StatusCode::OK {
        return Ok(own);
    }
    let (request, response): (HttpRequest, HttpResponse) = own.into_parts();
    let (head, content) = response.into_parts();
    let text = to_bytes(content).await.unwrap_or_default();
    let Some(first) = Part::read(&text) else {
        return Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(text))));
    };
    let limit = Query::<Limit>::from_query(request.query_string()).ok().and_then(|query| query.limit);
    let limit = page::limit(limit).unwrap_or(usize::MAX);
    let view = newest(neighbours);
    let outgoing = &outgoing;
    let parts = join_all(view.peers().map(async |peer| {
        let request = PeerRequest {
            method: Method::GET,
            address: &peer.about.address,
            path: &outgoing.path,
            headers: outgoing.headers.clone(),
            within: PART_WITHIN,
        };
        let asking = async {
            let answer = request.send(&neighbours.secret, Bytes::new()).await.ok()?;
            if answer.status() != StatusCode::OK {
                return None;
            }
            Part::read(&read(answer).await.ok()?)
        };
        (peer.name.to_string(), timeout(PART_WITHIN, asking).await.ok().flatten())
    }))
    .await;
    let mut incomplete: Vec<String> = Vec::new();
    let mut all = vec![first];
    for (node, part) in parts {
        match part {
            Some(part) => all.push(part),
            None => incomplete.push(node),
        }
    }
    let merged = merge(all, limit, &incomplete);
    Ok(ServiceResponse::new(request, HttpResponse::Ok().json(merged)))
}
