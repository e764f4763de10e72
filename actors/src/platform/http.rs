//! The HTTP client of one connection, and its errors.

use std::{sync::Arc, time::Duration};

use awc::{
    Client,
    error::{ConnectError, SendRequestError, WsClientError},
    http::{StatusCode, Uri, header},
};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tertulia_core::{
    id::AccountId,
    session::{LoginRefusal, RefreshRefusal, SocketRefusal},
};
use tokio::time::timeout;

use super::{Platform, Proxy, ProxyError, Service, TokenError, http_client::http_client, proxy::Road};

/// The largest response accepted from an HTTP service, in bytes.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;
/// How long an unused connection is kept open. Most servers keep connections longer; if the server closed first, the
/// outcome of a request on that connection would be unknown.
const IDLE: Duration = Duration::from_secs(4);

/// A failed request to a service of the platform.
///
/// If a request contained a secret, the error never contains the response body, because a service may repeat in its
/// response what it received.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The service cannot be reached: unknown host, connection refused, or a certificate that is not trusted or has
    /// expired.
    #[error("{service} at {host} cannot be reached: {detail}")]
    Unreachable {
        /// The service.
        service: Service,
        /// The host, or the address of the discovery service.
        host: String,
        /// The error of the transport.
        detail: String,
    },
    /// The connection's proxy does not reach the service.
    #[error("{service} at {host} cannot be reached: {error}")]
    Proxy {
        /// The service.
        service: Service,
        /// The host.
        host: String,
        /// The error of the proxy.
        #[source]
        error: ProxyError,
    },
    /// The service responded with an error status.
    #[error("{service} at {host} answered {status}{}", words(text))]
    Status {
        /// The service.
        service: Service,
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// The beginning of the response body; empty if the request contained a secret.
        text: String,
        /// The wait that the service requested.
        retry_after: Option<Duration>,
    },
    /// The token provider returned no token.
    #[error(transparent)]
    NoToken(#[from] TokenError),
    /// The response of the service was not as expected.
    #[error("{service} at {host} sent an unexpected response: {detail}")]
    Unexpected {
        /// The service.
        service: Service,
        /// The host.
        host: String,
        /// What was unexpected.
        detail: String,
    },
}

impl HttpError {
    /// The status, if the service responded.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Proxy { .. } | Self::Unexpected { .. } | Self::NoToken(_) => None,
        }
    }

    /// What a failed login means for the session (protocol [§2.1](crate::protocol#21)). Only services that check
    /// credentials can refuse them.
    #[must_use]
    pub fn login_refusal(&self) -> LoginRefusal {
        match self {
            Self::NoToken(TokenError::Refused(_)) => LoginRefusal::Credentials,
            Self::Status { service, status: 400 | 401 | 403 | 451, .. } if service.grants_tokens() => {
                LoginRefusal::Credentials
            }
            Self::Status { status: 429, retry_after, .. } => LoginRefusal::Throttled { retry_after: *retry_after },
            _ => LoginRefusal::Unavailable,
        }
    }

    /// What a failed refresh means for the session.
    #[must_use]
    pub fn refresh_refusal(&self) -> RefreshRefusal {
        match self {
            Self::Status { service: Service::AgentLogin, status: 401, .. } => RefreshRefusal::Unauthorized,
            _ => RefreshRefusal::Unavailable,
        }
    }

    /// What a failed upgrade means for the session.
    #[must_use]
    pub fn socket_refusal(&self) -> SocketRefusal {
        match self {
            Self::Status { service: Service::BrandSocket | Service::Messaging, status: 401 | 403, .. } => {
                SocketRefusal::Unauthorized
            }
            Self::Status { status: 429, retry_after, .. } => SocketRefusal::Throttled { retry_after: *retry_after },
            _ => SocketRefusal::Unavailable,
        }
    }
}

fn words(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The HTTP client of one connection. Lives on the connection's arbiter.
#[derive(Clone)]
pub struct PlatformClient {
    pub(super) platform: Arc<Platform>,
    pub(super) account: AccountId,
    pub(super) http: Client,
}

/// A request before it is sent.
pub(super) struct Call<'a> {
    pub service: Service,
    pub host: String,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<&'a serde_json::Value>,
}

impl PlatformClient {
    /// Returns a client for `account` without a proxy.
    #[must_use]
    pub fn new(platform: Arc<Platform>, account: AccountId) -> Self {
        Self::through(None, platform, account)
    }

    /// Returns a client for `account` that uses `proxy`, if given.
    #[must_use]
    pub fn through(proxy: Option<Proxy>, platform: Arc<Platform>, account: AccountId) -> Self {
        let within = platform.settings.request_timeout;
        let http = http_client(Road::by(proxy, within), Some(Arc::clone(&platform.tls)), within, IDLE);
        Self { platform, account, http }
    }

    /// How long one HTTP request may take.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.platform.settings.request_timeout
    }

    /// Waits until this process may act, at most as long as a request may take. Called before each request that changes
    /// something or logs in. The error says in words why it may not.
    pub(super) async fn pass_gate(&self) -> Result<(), String> {
        match timeout(self.platform.settings.request_timeout, self.platform.gate.pass()).await {
            Ok(passed) => passed.map_err(|error| error.to_string()),
            Err(_) => Err("this process may send nothing at the moment".to_owned()),
        }
    }

    /// [`Self::pass_gate`] for a request to a service.
    pub(super) async fn may_act(&self, service: Service, host: &str) -> Result<(), HttpError> {
        let unreachable = |detail| HttpError::Unreachable { service, host: host.to_owned(), detail };
        self.pass_gate().await.map_err(unreachable)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, HttpError> {
        let Call { service, host, path, headers, .. } = call;
        let mut request = self.http.get(address(service, &host, &path)?);
        for (name, value) in headers {
            request = request.insert_header((name, value));
        }
        self.exchange(service, &host, request.send()).await.and_then(|bytes| read(&bytes, service, &host))
    }

    /// Posts a form and parses the response; the body of `call` is ignored.
    pub(super) async fn post_form<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        form: &impl serde::Serialize,
    ) -> Result<T, HttpError> {
        let Call { service, host, path, .. } = call;
        self.may_act(service, &host).await?;
        let sending = self.http.post(address(service, &host, &path)?).send_form(form);
        self.exchange(service, &host, sending).await.and_then(|bytes| read(&bytes, service, &host))
    }

    /// Posts JSON and returns the bytes of the response.
    pub(super) async fn post(&self, call: Call<'_>) -> Result<Vec<u8>, HttpError> {
        let Call { service, host, path, headers, body } = call;
        self.may_act(service, &host).await?;
        let mut request =
            self.http.post(address(service, &host, &path)?).insert_header((header::ACCEPT, "application/json"));
        for (name, value) in headers {
            request = request.insert_header((name, value));
        }
        let sending = match body {
            Some(body) => request.send_json(body),
            None => request.insert_header((header::CONTENT_LENGTH, "0")).send(),
        };
        self.exchange(service, &host, sending).await
    }

    /// Sends a request and reads the whole response, within the time limit of one request: a service may send the head
    /// of its response at once and the rest very slowly.
    async fn exchange<S>(
        &self,
        service: Service,
        host: &str,
        sending: impl Future<Output = Result<awc::ClientResponse<S>, SendRequestError>>,
    ) -> Result<Vec<u8>, HttpError>
    where
        S: futures_util::Stream<Item = Result<bytes::Bytes, awc::error::PayloadError>>,
    {
        let exchange = async {
            let response = sending.await.map_err(|error| {
                if matches!(error, SendRequestError::Connect(_)) {
                    self.forget_host(service);
                }
                unreachable(service, host, &error)
            })?;
            answer(response, service, host).await
        };
        let within = self.platform.settings.request_timeout;
        let late = || HttpError::Unreachable {
            service,
            host: host.to_owned(),
            detail: format!("no whole answer within {within:?}"),
        };
        timeout(within, exchange).await.unwrap_or_else(|_| Err(late()))
    }
}

/// Parses a response. An error names only the position, because the text of the response may be a secret.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], service: Service, host: &str) -> Result<T, HttpError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = match error.classify() {
            Category::Io | Category::Syntax => "it is not JSON",
            Category::Eof => "it ends too early",
            Category::Data => "it is not what the service answers",
        };
        let detail = format!("{kind}, at line {} column {}", error.line(), error.column());
        HttpError::Unexpected { service, host: host.to_owned(), detail }
    })
}

/// Returns the URL of a path at a host. Base URIs are bare hosts (protocol [§1.2](crate::protocol#12)); only the
/// discovery service, and hosts that it names in plain HTTP, have their scheme. The path cannot lead to another host.
pub(super) fn address(service: Service, host: &str, path: &str) -> Result<String, HttpError> {
    with_scheme("https", service, host, path)
}

pub(super) fn with_scheme(scheme: &str, service: Service, host: &str, path: &str) -> Result<String, HttpError> {
    url(scheme, host, path).ok_or_else(|| HttpError::Unexpected {
        service,
        host: host.to_owned(),
        detail: "what it is asked for has no place in an address".to_owned(),
    })
}

/// Returns the URL of a path at a host; `None` if the path or the host is malformed.
pub(super) fn url(scheme: &str, host: &str, path: &str) -> Option<String> {
    let (scheme, authority) = match host.split_once("://") {
        Some((plain, authority)) => (if scheme == "wss" && plain == "http" { "ws" } else { plain }, authority),
        None => (scheme, host),
    };
    let address = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()?;
    (path.starts_with('/') && !authority.contains('@')).then(|| address.to_string())
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

/// Returns the error for a response without a success status.
pub(super) fn refused<S>(service: Service, host: &str, response: &awc::ClientResponse<S>, body: &[u8]) -> HttpError {
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let body = if service.is_asked_without_secrets() { body } else { &[] };
    HttpError::Status {
        service,
        host: host.to_owned(),
        status: response.status().as_u16(),
        text: String::from_utf8_lossy(body).chars().filter(|letter| !letter.is_control()).take(200).collect(),
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
            text: "the websocket upgrade was refused".to_owned(),
            retry_after: None,
        },
        WsClientError::SendRequest(error) => unreachable(service, host, error),
        other => HttpError::Unexpected { service, host: host.to_owned(), detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Service = Service::AgentLogin;

    fn status(service: Service, status: u16) -> HttpError {
        HttpError::Status { service, host: "host".to_owned(), status, text: String::new(), retry_after: None }
    }

    #[test]
    fn only_a_service_that_checks_credentials_refuses_them() {
        let throttled = LoginRefusal::Throttled { retry_after: None };
        for (service, code, refusal) in [
            (LOGIN, 401, LoginRefusal::Credentials),
            (Service::Identity, 403, LoginRefusal::Credentials),
            (Service::Sentinel, 400, LoginRefusal::Credentials),
            (LOGIN, 429, throttled),
            (Service::Discovery, 429, throttled),
            (LOGIN, 500, LoginRefusal::Unavailable),
            (LOGIN, 404, LoginRefusal::Unavailable),
            (Service::Discovery, 401, LoginRefusal::Unavailable),
            (Service::Discovery, 403, LoginRefusal::Unavailable),
        ] {
            assert_eq!(status(service, code).login_refusal(), refusal, "{service} {code}");
        }
    }

    #[test]
    fn discovery_refuses_neither_a_refresh_nor_a_socket() {
        for code in [401, 403] {
            let refused = status(Service::Discovery, code);
            assert_eq!(refused.refresh_refusal(), RefreshRefusal::Unavailable);
            assert_eq!(refused.socket_refusal(), SocketRefusal::Unavailable);
        }
        assert_eq!(status(LOGIN, 401).refresh_refusal(), RefreshRefusal::Unauthorized);
        assert_eq!(status(Service::BrandSocket, 403).socket_refusal(), SocketRefusal::Unauthorized);
    }

    #[test]
    fn a_page_with_status_200_is_trouble_of_the_platform_and_is_not_repeated() {
        let page = b"<html>sEcReT</html>";
        let error = read::<serde_json::Value>(page, LOGIN, "host").unwrap_err();
        assert_eq!(error.login_refusal(), LoginRefusal::Unavailable);
        let number = read::<String>(br#"123456789"#, LOGIN, "host").unwrap_err();
        for error in [error, number] {
            assert!(!error.to_string().contains("sEcReT") && !error.to_string().contains("123456789"), "{error}");
        }
    }

    #[test]
    fn a_path_leads_to_no_other_host() {
        assert_eq!(address(LOGIN, "a.example:8443", "/p?q=1").unwrap(), "https://a.example:8443/p?q=1");
        for (host, path) in [
            ("a.example", "@b.example/p"),
            ("a.example", ".b.example/p"),
            ("a.example", ""),
            ("a.example@b.example", "/p"),
            ("a.example/p", "/p"),
            ("a.example", "/p\r\nx: y"),
        ] {
            address(LOGIN, host, path).unwrap_err();
        }
    }
}
