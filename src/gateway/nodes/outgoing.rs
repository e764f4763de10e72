//! A request as it is sent to other nodes.

use std::time::Duration;

use actix_web::{
    HttpMessage as _, HttpResponse,
    dev::{Payload, ServiceRequest},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tertulia_actors::core::id::ConnectionId;
use tokio::time::{Instant, timeout};

use super::{
    Neighbours,
    caller::{CALLER, describe},
    deadline::{self, DEADLINE, HOPS},
};
use crate::{
    cluster::{
        peers::{PeerError, PeerRequest, PeerResponse},
        trust::SECRET,
    },
    gateway::{body, problem::Problem},
    percent::encoded,
};

/// The largest body that is kept to be sent again, in bytes: any but that of an upload.
const KEPT_BODY: usize = 1024 * 1024;
/// The header of a request that may be repeated.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers that belong to one connection, or to the first node.
const OWN: [HeaderName; 10] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::AUTHORIZATION,
    header::COOKIE,
    SECRET,
    CALLER,
    DEADLINE,
    HOPS,
];

/// A request as it is sent to other nodes.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Sendable,
    /// When the caller is to have an answer, whichever nodes the request goes to.
    pub(super) deadline: Instant,
}

enum Sendable {
    Kept(Bytes),
    /// Can be sent once.
    Coming(Option<Payload>),
}

/// What became of a request to another node.
pub(super) enum Sent {
    Answered(PeerResponse),
    /// It was not sent, or the node does not have the duty any more or not yet.
    Again,
    /// The node may have acted, and the request can be repeated.
    Lost,
    /// The node may have acted.
    Unknown,
}

impl Outgoing {
    pub(super) async fn of(request: &mut ServiceRequest) -> Result<Self, Problem> {
        let deadline = Instant::now() + deadline::allowed(request.method(), request.path());
        let mut headers = own_removed(request.headers());
        headers.extend(describe(request.request()).map(|caller| (CALLER, caller)));
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
        Ok(Self { method: request.method().clone(), path, headers, body, deadline })
    }

    /// What the body names as its connection.
    pub(super) fn connection(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            connection: String,
        }
        match &self.body {
            Sendable::Kept(body) if !body.is_empty() => Some(serde_json::from_slice::<Named>(body).ok()?.connection),
            Sendable::Kept(_) | Sendable::Coming(_) => None,
        }
    }

    /// Names the connection through which another node is to read.
    pub(super) fn read_through(&mut self, connection: &ConnectionId) {
        let mark = if self.path.contains('?') { '&' } else { '?' };
        self.path = format!("{}{mark}connection={}", self.path, encoded(connection.as_str()));
    }

    /// Gives the body back to a request that is served here.
    pub(super) fn restore(&mut self, request: &mut ServiceRequest) {
        request.set_payload(match &mut self.body {
            Sendable::Kept(body) => Payload::from(body.clone()),
            Sendable::Coming(payload) => payload.take().unwrap_or(Payload::None),
        });
    }

    /// Whether the body can be sent again.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.body, Sendable::Kept(_))
    }

    /// Whether an answer that was lost may be asked for again.
    fn can_be_repeated(&self) -> bool {
        let is_read = self.method == Method::GET || self.method == Method::HEAD;
        self.is_kept() && (is_read || self.headers.iter().any(|(name, _)| *name == KEY))
    }

    /// The time until the deadline.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The headers for a node that has until `within` is over.
    pub(super) fn headers(&self, within: Duration) -> Vec<(HeaderName, HeaderValue)> {
        self.headers.iter().cloned().chain(deadline::passed_on(within)).collect()
    }

    /// Sends the request, and waits for the answer until the deadline.
    pub(super) async fn send(&mut self, neighbours: &Neighbours, address: &str) -> Sent {
        let within = self.left();
        let (method, headers) = (self.method.clone(), self.headers(within));
        let request = PeerRequest { method, address, path: &self.path, headers, within };
        let began = Instant::now();
        let answered = match &mut self.body {
            Sendable::Kept(body) => request.send(&neighbours.trust, body.clone()).await,
            Sendable::Coming(payload) => match payload.take() {
                Some(payload) => request.stream(&neighbours.trust, payload).await,
                None => return Sent::Unknown,
            },
        };
        neighbours.forwarded.count(&answered, began.elapsed());
        match answered {
            Ok(response) if is_unhandled(response.status()) && self.is_kept() => Sent::Again,
            Ok(response) => Sent::Answered(response),
            Err(PeerError::NotSent(error)) => {
                tracing::debug!(address, error, "a node could not be reached");
                if self.is_kept() { Sent::Again } else { Sent::Unknown }
            }
            Err(PeerError::NoAnswer(error)) => {
                tracing::info!(address, error, "a node did not answer");
                if self.can_be_repeated() { Sent::Lost } else { Sent::Unknown }
            }
        }
    }
}

/// Whether a node answers so before it handles a request: the node does not have the duty, or the way to it was so slow
/// that the request did not arrive in time. The caller of this node has sent the request in time.
fn is_unhandled(status: StatusCode) -> bool {
    matches!(status, StatusCode::MISDIRECTED_REQUEST | StatusCode::REQUEST_TIMEOUT)
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

fn own_removed(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let kept = headers.iter().filter(|(name, _)| !OWN.contains(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The headers of a request with these headers, for a node that has until `within` is over.
pub(in crate::gateway) fn passed_on(headers: &HeaderMap, within: Duration) -> Vec<(HeaderName, HeaderValue)> {
    own_removed(headers).into_iter().chain(deadline::passed_on(within)).collect()
}

/// A response of another node, for the caller of this one.
pub(in crate::gateway) fn pass_on(answer: PeerResponse) -> HttpResponse {
    let mut response = HttpResponse::build(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| !OWN.contains(name)) {
        response.append_header((name.clone(), value.clone()));
    }
    response.streaming(answer)
}

#[cfg(test)]
mod tests {
    use super::{super::class::decoded, *};

    #[test]
    fn a_connection_in_a_query_is_read_as_it_was() {
        for id in ["bots-1", "böts/1+&;=?#%41 x"] {
            assert_eq!(decoded(&encoded(id)), id);
        }
    }

    #[test]
    fn a_request_that_reached_the_other_node_too_slowly_is_sent_again() {
        for status in [408, 421] {
            assert!(is_unhandled(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [200, 404, 409, 429, 500, 503, 504] {
            assert!(!is_unhandled(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }
}
