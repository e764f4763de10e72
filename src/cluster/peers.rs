//! Requests to other nodes.

use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use awc::{
    ClientResponse,
    error::{ConnectError, SendRequestError},
};
use bytes::Bytes;
use futures_util::Stream;
use http::{Method, StatusCode};
use tertulia_actors::core::id::ConnectionId;

use super::trust::NodeTrust;

/// How long a hint may take.
const HINT_WITHIN: Duration = Duration::from_secs(2);
/// The largest answer that is read as a whole.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Where a node learns that something has changed in the database.
pub(crate) const NUDGE: &str = "/internal/v1/nudge";

/// A response with its body still to come.
pub(crate) type PeerResponse = ClientResponse;

/// A request to another node.
pub(crate) struct PeerRequest<'a> {
    pub(crate) method: Method,
    /// `host:port` of the node.
    pub(crate) address: &'a str,
    /// The path with its query.
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) within: Duration,
}

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// The request did not reach the node.
    #[error("cannot connect: {0}")]
    NotSent(String),
    /// The node may have acted.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

impl From<SendRequestError> for PeerError {
    fn from(error: SendRequestError) -> Self {
        match error {
            // The client says so only of a connection that it had: the request may have been read.
            SendRequestError::Connect(error @ ConnectError::Disconnected) => Self::NoAnswer(error.to_string()),
            SendRequestError::Connect(error) => Self::NotSent(error.to_string()),
            SendRequestError::Url(error) => Self::NotSent(error.to_string()),
            error => Self::NoAnswer(error.to_string()),
        }
    }
}

impl PeerRequest<'_> {
    fn prepare(self, trust: &NodeTrust) -> awc::ClientRequest {
        let request = trust.client().request(self.method, trust.url(self.address, self.path));
        let mut request = request.timeout(self.within).no_decompress();
        for header in trust.header().into_iter().chain(self.headers) {
            request = request.append_header(header);
        }
        request
    }

    /// Sends a request with a body that is at hand.
    pub(crate) async fn send(self, trust: &NodeTrust, body: Bytes) -> Result<PeerResponse, PeerError> {
        Ok(self.prepare(trust).send_body(body).await?)
    }

    /// Sends a request with a body that is still coming.
    pub(crate) async fn stream<E>(
        self,
        trust: &NodeTrust,
        body: impl Stream<Item = Result<Bytes, E>> + 'static,
    ) -> Result<PeerResponse, PeerError>
    where
        E: Into<Box<dyn std::error::Error>> + 'static,
    {
        Ok(self.prepare(trust).send_stream(body).await?)
    }
}

/// Reads an answer as a whole.
pub(crate) async fn read(mut response: PeerResponse) -> Result<Bytes, PeerError> {
    response.body().limit(LARGEST_ANSWER).await.map_err(|error| PeerError::NoAnswer(error.to_string()))
}

/// Lets the holder of a connection know of webhooks in its inbox; `true` if it knows.
pub(crate) async fn report_inbox(address: &str, trust: &NodeTrust, connection: &ConnectionId) -> bool {
    let request = PeerRequest { method: Method::POST, address, path: NUDGE, headers: Vec::new(), within: HINT_WITHIN };
    let answer = request.send(trust, Bytes::from(connection.as_str().to_owned())).await;
    answer.is_ok_and(|answer| answer.status() == StatusCode::NO_CONTENT)
}

/// Lets a node take duties again after a drain; `false` if it does not answer.
pub(crate) async fn ask_to_rebalance(address: &str, trust: &NodeTrust) -> bool {
    let request = PeerRequest {
        method: Method::POST,
        address,
        path: "/internal/v1/rebalance",
        headers: Vec::new(),
        within: HINT_WITHIN,
    };
    request.send(trust, Bytes::new()).await.is_ok_and(|answer| answer.status().is_success())
}

/// Lets a node know that duties have changed, so that it looks at once. Without the hint it looks with its next beat.
pub(crate) async fn hint(address: &str, trust: &NodeTrust) {
    let request = PeerRequest { method: Method::POST, address, path: NUDGE, headers: Vec::new(), within: HINT_WITHIN };
    if let Err(error) = request.send(trust, Bytes::new()).await {
        tracing::debug!(address, %error, "a node could not be reached with a hint");
    }
}
