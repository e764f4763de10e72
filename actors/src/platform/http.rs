//! One connection's HTTP client, and what can go wrong with a request.

use std::{sync::Arc, time::Duration};

use awc::{
    Client, Connector,
    error::{ConnectError, SendRequestError, WsClientError},
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;
use tertulia_core::{
    id::AccountId,
    session::{LoginRefusal, RefreshRefusal, SocketRefusal},
};

use super::{Platform, Proxy, ProxyError, Service, TokenError, proxy::Road};

/// The largest answer taken from an HTTP service, in bytes.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;

/// A request to one of the platform's services that failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The service cannot be reached: no such host, refused, or its certificate is not trusted or expired.
    #[error("{service} at {host} cannot be reached: {detail}")]
    Unreachable {
        /// The service.
        service: Service,
        /// The host, or the address of the discovery service.
        host: String,
        /// What the transport says.
        detail: String,
    },
    /// The connection's proxy does not lead to the service.
    #[error("{service} at {host} cannot be reached: {error}")]
    Proxy {
        /// The service.
        service: Service,
        /// The host.
        host: String,
        /// What is wrong with the proxy.
        error: ProxyError,
    },
    /// The service answered with an error.
    #[error("{service} at {host} answered {status}: {text}")]
    Status {
        /// The service.
        service: Service,
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// The beginning of its words.
        text: String,
        /// The wait it asked for.
        retry_after: Option<Duration>,
    },
    /// There is no token from where they are obtained.
    #[error(transparent)]
    NoToken(#[from] TokenError),
    /// The service answered something else than expected.
    #[error("{service} at {host} answered something unexpected: {detail}")]
    Unexpected {
        /// The service.
        service: Service,
        /// The host.
        host: String,
        /// What does not fit.
        detail: String,
    },
}

impl HttpError {
    /// The status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Proxy { .. } | Self::Unexpected { .. } | Self::NoToken(_) => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Proxy { .. } | Self::Unexpected { .. } | Self::NoToken(_) => None,
        }
    }

    /// What a failed login means for the session (protocol §2.1).
    #[must_use]
    pub fn login_refusal(&self) -> LoginRefusal {
        if matches!(self, Self::NoToken(TokenError::Refused(_))) {
            return LoginRefusal::Credentials;
        }
        match self.status() {
            Some(400 | 401 | 403 | 451) => LoginRefusal::Credentials,
            Some(429) => LoginRefusal::Throttled { retry_after: self.retry_after() },
            _ => LoginRefusal::Unavailable,
        }
    }

    /// What a failed refresh means for the session.
    #[must_use]
    pub fn refresh_refusal(&self) -> RefreshRefusal {
        match self.status() {
            Some(401) => RefreshRefusal::Unauthorized,
            _ => RefreshRefusal::Unavailable,
        }
    }

    /// What a failed upgrade means for the session.
    #[must_use]
    pub fn socket_refusal(&self) -> SocketRefusal {
        match self.status() {
            Some(401 | 403) => SocketRefusal::Unauthorized,
            Some(429) => SocketRefusal::Throttled { retry_after: self.retry_after() },
            _ => SocketRefusal::Unavailable,
        }
    }
}

/// The HTTP side of one connection. Lives on the connection's arbiter.
#[derive(Clone)]
pub struct PlatformClient {
    pub(super) platform: Arc<Platform>,
    pub(super) account: AccountId,
    pub(super) http: Client,
}

/// One request, before it is sent.
pub(super) struct Call<'a> {
    pub service: Service,
    pub host: String,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<&'a serde_json::Value>,
}

impl PlatformClient {
    /// A client for `account` that needs no proxy.
    #[must_use]
    pub fn new(platform: Arc<Platform>, account: AccountId) -> Self {
        Self::through(None, platform, account)
    }

    /// A client for `account`, through `proxy` where there is one.
    #[must_use]
    pub fn through(proxy: Option<Proxy>, platform: Arc<Platform>, account: AccountId) -> Self {
        let timeout = platform.settings.request_timeout;
        let connector = Connector::new()
            .connector(Road::by(proxy, timeout))
            .rustls_0_23(Arc::clone(&platform.tls))
            // Each open websocket holds a place of the pool for ever: with the default limit of 100 the next one hangs.
            .limit(0)
            .timeout(timeout)
            .handshake_timeout(timeout);
        let http = Client::builder().connector(connector).timeout(timeout).disable_redirects().finish();
        Self { platform, account, http }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, HttpError> {
        let Call { service, host, path, headers, .. } = call;
        let mut request = self.http.get(address(&host, &path));
        for (name, value) in headers {
            request = request.insert_header((name, value));
        }
        let response = request.send().await.map_err(|error| unreachable(service, &host, &error))?;
        answer(response, service, &host).await.and_then(|bytes| read(&bytes, service, &host))
    }

    /// Posts a form and reads the answer; the call's own body is not looked at.
    pub(super) async fn post_form<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        form: &impl serde::Serialize,
    ) -> Result<T, HttpError> {
        let Call { service, host, path, .. } = call;
        let sent = self.http.post(address(&host, &path)).send_form(form).await;
        let response = sent.map_err(|error| unreachable(service, &host, &error))?;
        answer(response, service, &host).await.and_then(|bytes| read(&bytes, service, &host))
    }

    /// Posts JSON and hands back the answer's bytes.
    pub(super) async fn post(&self, call: Call<'_>) -> Result<Vec<u8>, HttpError> {
        let Call { service, host, path, headers, body } = call;
        let mut request = self.http.post(address(&host, &path)).insert_header((header::ACCEPT, "application/json"));
        for (name, value) in headers {
            request = request.insert_header((name, value));
        }
        let sent = match body {
            Some(body) => request.send_json(body),
            None => request.insert_header((header::CONTENT_LENGTH, "0")).send(),
        };
        let response = sent.await.map_err(|error| unreachable(service, &host, &error))?;
        answer(response, service, &host).await
    }
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], service: Service, host: &str) -> Result<T, HttpError> {
    serde_json::from_slice(bytes).map_err(|error| HttpError::Unexpected {
        service,
        host: host.to_owned(),
        detail: error.to_string(),
    })
}

pub(super) fn address(host: &str, path: &str) -> String {
    // Base URIs are bare hosts (protocol §1.2); only the discovery service is configured with its scheme.
    if host.contains("://") { format!("{host}{path}") } else { format!("https://{host}{path}") }
}

async fn answer<S>(mut response: awc::ClientResponse<S>, service: Service, host: &str) -> Result<Vec<u8>, HttpError>
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, awc::error::PayloadError>>,
{
    let body = response.body().limit(MAX_ANSWER).await;
    if !response.status().is_success() {
        return Err(refused(service, host, &response, &body.unwrap_or_default()));
    }
    body.map(|bytes| bytes.to_vec()).map_err(|error| HttpError::Unexpected {
        service,
        host: host.to_owned(),
        detail: error.to_string(),
    })
}

/// The error an answer is whose status is no success.
pub(super) fn refused<S>(service: Service, host: &str, response: &awc::ClientResponse<S>, body: &[u8]) -> HttpError {
    let retry_after = response.headers().get(header::RETRY_AFTER);
    HttpError::Status {
        service,
        host: host.to_owned(),
        status: response.status().as_u16(),
        text: String::from_utf8_lossy(body).chars().take(200).collect(),
        retry_after: retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs),
    }
}

pub(super) fn unreachable(service: Service, host: &str, error: &SendRequestError) -> HttpError {
    let host = host.to_owned();
    match proxy_error(error) {
        Some(error) => HttpError::Proxy { service, host, error },
        None => HttpError::Unreachable { service, host, detail: error.to_string() },
    }
}

fn proxy_error(error: &SendRequestError) -> Option<ProxyError> {
    let SendRequestError::Connect(ConnectError::Io(error)) = error else { return None };
    error.get_ref()?.downcast_ref().cloned()
}

pub(super) fn upgrade_failed(service: Service, host: &str, error: &WsClientError) -> HttpError {
    match error {
        WsClientError::InvalidResponseStatus(status) => HttpError::Status {
            service,
            host: host.to_owned(),
            status: StatusCode::as_u16(status),
            text: "websocket upgrade refused".to_owned(),
            retry_after: None,
        },
        WsClientError::SendRequest(error) => unreachable(service, host, error),
        other => HttpError::Unexpected { service, host: host.to_owned(), detail: other.to_string() },
    }
}
