//! Sends requests to the nodes that can serve them.

use std::{borrow::Cow, iter, sync::Arc, time::Duration};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
    web::{Data, Query},
};
use serde::Deserialize;
use tertulia_actors::{
    core::{
        id::{ConnectionId, ConversationId, NodeId, RingId},
        placement::{Assignment, DutyName},
    },
    dead_letters::DeadLetterId,
};
use tokio::time::{Instant, timeout};

use super::{
    ForCaller, Neighbours,
    class::{Class, class, decoded},
    deadline::time_left,
    find::{self, Sought},
    gather::{self, PART_WITHIN, Parts},
    merge::{Part, merge},
    outgoing::{Outgoing, Sent, pass_on},
};
use crate::{
    cluster::Holder,
    gateway::{access, page, problem::Problem, state::State},
};

/// How long a request waits for a duty that no node has at the moment.
const MOVES_WITHIN: Duration = Duration::from_secs(20);
/// How often a duty is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A request at the first node.
struct Asked {
    state: Data<State>,
    neighbours: Neighbours,
    outgoing: Outgoing,
    is_only_looking: bool,
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
    if is_of_a_node {
        if let Class::Duty(duty) = &found
            && !serves(&state, &neighbours, duty, is_only_looking)
        {
            return Ok(request.into_response(misdirected().error_response()));
        }
        // A request that was passed on is served here or nowhere.
        let left = time_left(request.headers());
        return in_time(left, is_only_looking, next.call(request)).await;
    }
    if found == Class::Here {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    if !neighbours.are_known(MOVES_WITHIN).await {
        return Ok(request.into_response(moving("this node does not know the others yet").error_response()));
    }
    let outgoing = match Outgoing::of(&mut request).await {
        Ok(outgoing) => outgoing,
        Err(problem) => return Ok(request.into_response(problem.error_response())),
    };
    if found.may_be_named_in_body() {
        found = class(request.method(), &path, &query, outgoing.connection().as_deref());
    }
    let mut asked = Asked { state, neighbours, outgoing, is_only_looking };
    let answer = match &found {
        Class::Duty(duty) => asked.at_holder(duty).await,
        Class::Conversation(segment) => {
            let holder = request.extensions().get::<Arc<access::Holder>>().cloned();
            asked.of_conversation(holder.as_ref(), segment).await
        }
        Class::Ring(segment) => {
            let holder = request.extensions().get::<Arc<access::Holder>>().cloned();
            asked.of_ring(holder.as_ref(), segment).await
        }
        Class::Letter(id) => asked.of_letter(id).await,
        Class::Node(node) => asked.at_node(node).await,
        Class::Everyone | Class::Here => None,
    };
    if let Some(answer) = answer {
        return Ok(request.into_response(answer));
    }
    asked.outgoing.restore(&mut request);
    let own = next.call(request).await?.map_into_boxed_body();
    if found == Class::Everyone { together(own, &asked.neighbours, asked.outgoing).await } else { Ok(own) }
}

/// Waits for a response at most as long as the first node does.
async fn in_time<B: MessageBody + 'static>(
    left: Option<Duration>,
    is_only_looking: bool,
    serving: impl Future<Output = Result<ServiceResponse<B>, Error>>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(left) = left else { return Ok(serving.await?.map_into_boxed_body()) };
    let late = || if is_only_looking { timed_out() } else { outcome_unknown() };
    Ok(timeout(left, serving).await.map_err(|_| late())??.map_into_boxed_body())
}

fn node_away(node: &NodeId) -> Problem {
    let detail = format!("the node {node} cannot be reached");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node-away", detail).header(header::RETRY_AFTER, "1")
}

pub(in crate::gateway) fn suspended() -> Problem {
    let detail = "the database has not answered for too long, so this node does nothing until it does";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "suspended", detail).header(header::RETRY_AFTER, "1")
}

pub(in crate::gateway) fn moving(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "moving", detail).header(header::RETRY_AFTER, "1")
}

/// The answer to a node that asked the wrong one.
pub(in crate::gateway) fn misdirected() -> Problem {
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "node-away", "another node does this")
}

fn outcome_unknown() -> Problem {
    let detail = "the node that was to act did not answer; with an Idempotency-Key the request can be repeated";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", detail)
}

fn timed_out() -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "timed-out", "the node did not answer in time")
}

/// Whether this node serves requests for a duty. A node that hands a duty over begins nothing more for it.
fn serves(state: &State, neighbours: &Neighbours, duty: &DutyName, is_only_looking: bool) -> bool {
    let view = neighbours.view();
    match duty {
        DutyName::Connection(id) => {
            let runs = state.everything().connection(id).status().is_some();
            runs && (is_only_looking || !view.is_leaving(duty))
        }
        DutyName::Webhooks => state.delivers_to_webhooks() && (is_only_looking || !view.is_leaving(duty)),
        DutyName::Bulk => state.runs_bulk_jobs() && (is_only_looking || !view.is_leaving(duty)),
        other => view.holder(other) == Holder::Me,
    }
}

/// Each method returns the answer of another node; `None` if this node should serve the request.
impl Asked {
    fn serves(&self, duty: &DutyName) -> bool {
        serves(&self.state, &self.neighbours, duty, self.is_only_looking)
    }

    /// Sends the request to the node that has a duty, and waits while no node has it.
    async fn at_holder(&mut self, duty: &DutyName) -> Option<HttpResponse> {
        let moved = self.outgoing.deadline.min(Instant::now() + MOVES_WITHIN);
        let mut view = self.neighbours.members.view();
        let mut is_lost = false;
        loop {
            if self.serves(duty) {
                return None;
            }
            let now = Arc::clone(&view.borrow_and_update());
            match now.holder(duty) {
                Holder::Unknown => return None,
                Holder::Other(node) => {
                    let address = now.nodes.get(&node).map(|peer| peer.about.address.clone()).unwrap_or_default();
                    match self.outgoing.send(&self.neighbours, &address).await {
                        Sent::Answered(answer) => return Some(pass_on(answer)),
                        Sent::Again => self.neighbours.members.beat_now(),
                        Sent::Lost => {
                            is_lost = true;
                            self.neighbours.members.beat_now();
                        }
                        Sent::Unknown => return Some(outcome_unknown().error_response()),
                    }
                }
                Holder::Me | Holder::Nobody => {}
            }
            // An answer that was lost is asked for until the end.
            if Instant::now() >= if is_lost { self.outgoing.deadline } else { moved } {
                return Some(match (is_lost, self.is_only_looking) {
                    (true, true) => timed_out().error_response(),
                    (true, false) => outcome_unknown().error_response(),
                    (false, _) => moving(format!("no node has {duty} at the moment")).error_response(),
                });
            }
            // An error means that the node's beats have ended: it learns of no move any more.
            if matches!(timeout(LOOK_EVERY, view.changed()).await, Ok(Err(_))) {
                return Some(moving("this node is stopping").error_response());
            }
        }
    }

    /// Sends the request to the node whose connection has a conversation.
    async fn of_conversation(&mut self, holder: Option<&Arc<access::Holder>>, segment: &str) -> Option<HttpResponse> {
        let id = ConversationId::from(decoded(segment));
        let known = find::here(&self.state, holder, &id);
        if self.is_only_looking && known.takes_part() {
            return None;
        }
        let sees = |connection: &ConnectionId| holder.is_none_or(|holder| holder.reach.sees(connection.as_str()));
        if let Some(connection) = self.neighbours.places.get(&id).filter(sees) {
            let is_here = known.has(&connection);
            let duty = DutyName::Connection(connection);
            match self.at_holder(&duty).await {
                None if is_here => return None,
                Some(answer) if answer.status() != StatusCode::NOT_FOUND || !self.outgoing.is_kept() => {
                    return Some(answer);
                }
                // The connection does not have it any more.
                None | Some(_) => self.neighbours.places.forget(&id),
            }
        }
        let found = find::everywhere(known, &self.neighbours, &self.outgoing, Sought::Conversation, segment).await;
        let Some(connection) = found.reader().cloned() else {
            return match found.silent {
                Some(node) => Some(node_away(&node).error_response()),
                None if found.is_beginning || self.is_anything_moving() => Some(may_move().error_response()),
                None => None,
            };
        };
        match found.connections.len() {
            1 => self.neighbours.places.put(id, connection.clone()),
            _ if self.is_only_looking => self.outgoing.read_through(&connection),
            _ => return Some(Problem::ambiguous_connection(found.connections.keys()).error_response()),
        }
        self.at_holder(&DutyName::Connection(connection)).await
    }

    /// Sends the request to the node whose connection was offered a ring.
    async fn of_ring(&mut self, holder: Option<&Arc<access::Holder>>, segment: &str) -> Option<HttpResponse> {
        let known = find::ring_here(&self.state, holder, &RingId::from(decoded(segment).as_str())).await;
        if known.takes_part() {
            return None;
        }
        let found = find::everywhere(known, &self.neighbours, &self.outgoing, Sought::Ring, segment).await;
        match (found.reader().cloned(), found.silent) {
            (Some(connection), _) => self.at_holder(&DutyName::Connection(connection)).await,
            (None, Some(node)) => Some(node_away(&node).error_response()),
            (None, None) if found.is_beginning || self.is_anything_moving() => Some(may_move().error_response()),
            // Nobody knows the ring, or it was answered: this node says so.
            (None, None) => None,
        }
    }

    /// Sends the request to the node that has the connection of a dead letter.
    async fn of_letter(&mut self, id: &str) -> Option<HttpResponse> {
        let letter = self.state.everything().dead_letters().get(&DeadLetterId::from(id)).await;
        // This node reports that a letter is unknown or cannot be read.
        let letter = letter.ok().flatten()?;
        self.at_holder(&DutyName::Connection(letter.connection)).await
    }

    async fn at_node(&mut self, node: &NodeId) -> Option<HttpResponse> {
        let view = self.neighbours.view();
        let peer = view.nodes.get(node).filter(|peer| peer.name != view.me)?;
        if self.is_only_looking {
            self.outgoing.deadline = self.outgoing.deadline.min(Instant::now() + PART_WITHIN);
        }
        Some(match self.outgoing.send(&self.neighbours, &peer.about.address).await {
            Sent::Answered(answer) => pass_on(answer),
            // This node answers with what it knows of the other one.
            _ if self.is_only_looking => return None,
            Sent::Again => node_away(&peer.name).error_response(),
            Sent::Lost | Sent::Unknown => outcome_unknown().error_response(),
        })
    }

    /// Whether a connection, and with it what a request names, may move at this moment.
    fn is_anything_moving(&self) -> bool {
        let view = self.neighbours.view();
        view.placement.duties.iter().any(|(duty, assignment)| {
            let is_between = matches!(assignment, Assignment::Held { .. } | Assignment::Released { next: Some(_), .. });
            matches!(duty, DutyName::Connection(_)) && is_between && view.holder(duty) == Holder::Nobody
        })
    }
}

fn may_move() -> Problem {
    moving("what the request names may move at the moment")
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
    let headers = outgoing.headers(PART_WITHIN);
    let Parts { answered, incomplete } = gather::ask(&outgoing.path, headers, neighbours, Part::read).await;
    let all = iter::once(first).chain(answered).collect();
    let merged = merge(all, limit, &incomplete);
    Ok(ServiceResponse::new(request, HttpResponse::Ok().json(merged)))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_request_that_was_passed_on_has_no_more_time_than_at_the_first_node() {
        for (is_only_looking, code) in [(true, "timed-out"), (false, "outcome-unknown")] {
            let late = in_time::<BoxBody>(Some(Duration::ZERO), is_only_looking, pending()).await.unwrap_err();
            assert_eq!(late.as_response_error().status_code(), StatusCode::GATEWAY_TIMEOUT);
            assert!(late.to_string().starts_with(code), "{late}");
        }
    }
}
