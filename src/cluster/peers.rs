//! Requests to other nodes.

use std::{fmt, sync::Arc, time::Duration};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use awc::{Client, ClientResponse, Connector, error::SendRequestError};
use bytes::Bytes;
use futures_util::Stream;
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The header by which a node proves that it is one.
pub(crate) const SECRET: HeaderName = HeaderName::from_static("tertulia-node-secret");
/// How long another node may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_millis(300);
/// How long an idle connection to another node is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// How long a hint may take.
const HINT_WITHIN: Duration = Duration::from_secs(2);
/// The largest answer that is read as a whole.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A response with its body still to come.
pub(crate) type PeerResponse = ClientResponse;

/// What nodes know each other by.
#[derive(Clone)]
pub(crate) struct NodeSecret {
    shown: Arc<SecretString>,
    digest: [u8; 32],
}

impl fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSecret").finish_non_exhaustive()
    }
}

impl NodeSecret {
    pub(crate) fn new(secret: &SecretString) -> Self {
        let digest = Sha256::digest(secret.expose_secret()).into();
        Self { shown: Arc::new(secret.clone()), digest }
    }

    /// Whether the headers show the secret. Compared in constant time.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(SECRET).map(|value| Sha256::digest(value.as_bytes()));
        shown.is_some_and(|shown| bool::from(shown.as_slice().ct_eq(&self.digest)))
    }

    fn value(&self) -> HeaderValue {
        let mut value =
            HeaderValue::from_str(self.shown.expose_secret()).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

thread_local! {
    /// Connections to other nodes belong to the thread that opened them.
    static CLIENT: Client = {
        let connector = Connector::new().timeout(CONNECT_WITHIN).conn_keep_alive(KEEP_ALIVE).limit(0);
        Client::builder().connector(connector).no_default_headers().disable_redirects().finish()
    };
}

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
            SendRequestError::Connect(error) => Self::NotSent(error.to_string()),
            SendRequestError::Url(error) => Self::NotSent(error.to_string()),
            error => Self::NoAnswer(error.to_string()),
        }
    }
}

impl PeerRequest<'_> {
    fn prepare(self, secret: &NodeSecret) -> awc::ClientRequest {
        let url = format!("http://{}{}", self.address, self.path);
        let request = CLIENT.with(|client| client.request(self.method, url));
        let mut request = request.timeout(self.within).no_decompress().insert_header((SECRET, secret.value()));
        for header in self.headers {
            request = request.append_header(header);
        }
        request
    }

    /// Sends a request with a body that is at hand.
    pub(crate) async fn send(self, secret: &NodeSecret, body: Bytes) -> Result<PeerResponse, PeerError> {
        Ok(self.prepare(secret).send_body(body).await?)
    }

    /// Sends a request with a body that is still coming.
    pub(crate) async fn stream<E>(
        self,
        secret: &NodeSecret,
        body: impl Stream<Item = Result<Bytes, E>> + 'static,
    ) -> Result<PeerResponse, PeerError>
    where
        E: Into<Box<dyn std::error::Error>> + 'static,
    {
        Ok(self.prepare(secret).send_stream(body).await?)
    }
}

/// Reads an answer as a whole.
pub(crate) async fn read(mut response: PeerResponse) -> Result<Bytes, PeerError> {
    response.body().limit(LARGEST_ANSWER).await.map_err(|error| PeerError::NoAnswer(error.to_string()))
}

/// Lets a node take duties again after a drain; `false` if it does not answer.
pub(crate) async fn ask_to_rebalance(address: &str, secret: &NodeSecret) -> bool {
    let request = PeerRequest {
        method: Method::POST,
        address,
        path: "/internal/v1/rebalance",
        headers: Vec::new(),
        within: HINT_WITHIN,
    };
    request.send(secret, Bytes::new()).await.is_ok_and(|answer| answer.status().is_success())
}

/// Lets a node know that duties have changed, so that it looks at once. Without the hint it looks with its next beat.
pub(crate) async fn hint(address: &str, secret: &NodeSecret) {
    let request = PeerRequest {
        method: Method::POST,
        address,
        path: "/internal/v1/nudge",
        headers: Vec::new(),
        within: HINT_WITHIN,
    };
    if let Err(error) = request.send(secret, Bytes::new()).await {
        tracing::debug!(address, %error, "a node could not be reached with a hint");
    }
}
