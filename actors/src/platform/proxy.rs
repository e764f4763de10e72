//! A proxy between one connection and the platform. All traffic uses tunnels that the proxy opens by HTTP CONNECT.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector, ConnectorService};
use awc::http::Uri;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tertulia_core::address::is_internal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::lookup_host,
    time::timeout,
};

/// The longest head of a proxy's response, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// The most header lines in the head.
const MAX_LINES: usize = 64;

/// An HTTP proxy that opens tunnels (CONNECT). Requests to the proxy are plain HTTP; TLS begins inside the tunnel, so
/// the proxy sees only the names of the platform's hosts. The proxy resolves these names itself.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The proxy's name or address.
    pub host: String,
    /// The proxy's port.
    pub port: u16,
    /// The user name and the password for the proxy, if it requires them, sent by Basic authentication. The name cannot
    /// contain a colon.
    pub credentials: Option<(String, SecretString)>,
    /// Whether only public addresses are allowed for the proxy: not this machine and not private networks.
    pub only_public: bool,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a proxy opened no tunnel. The error names the proxy, and never its user.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Nothing listens at the proxy's address.
    #[error("the proxy {proxy} cannot be reached: {detail}")]
    Unreachable {
        /// The proxy's address.
        proxy: String,
        /// The error of the transport.
        detail: String,
    },
    /// The proxy's name resolves to an address of this machine or of a private network, which is not allowed.
    #[error("the proxy {proxy} has the internal address {address}")]
    Internal {
        /// The proxy's address.
        proxy: String,
        /// The internal address; the name may resolve to others too.
        address: IpAddr,
    },
    /// The proxy refuses the tunnel; 407 means that it requires other credentials.
    #[error("the proxy {proxy} answered {status}")]
    Refused {
        /// The proxy's address.
        proxy: String,
        /// The status of its response.
        status: u16,
    },
    /// The proxy neither opened the tunnel nor refused: the proxy, or the host after it, does not respond.
    #[error("the proxy {proxy} opened no tunnel within {within:?}")]
    TimedOut {
        /// The proxy's address.
        proxy: String,
        /// The time limit.
        within: Duration,
    },
    /// The other side does not speak the protocol of an HTTP proxy.
    #[error("{proxy} is not an HTTP proxy: {detail}")]
    NoProxy {
        /// The proxy's address.
        proxy: String,
        /// What was unexpected.
        detail: &'static str,
    },
}

/// How TCP connections are made: directly, or through a proxy.
#[derive(Clone)]
pub(super) struct Road {
    tcp: ConnectorService,
    proxy: Option<Arc<Proxy>>,
    within: Duration,
}

impl Road {
    /// `within` is the time limit of a whole request. A proxy gets half of it, so that the error names the proxy if it
    /// is too slow.
    pub(super) fn by(proxy: Option<Proxy>, within: Duration) -> Self {
        Self { tcp: Connector::default().service(), proxy: proxy.map(Arc::new), within: within / 2 }
    }
}

impl Service<ConnectInfo<Uri>> for Road {
    type Response = Connection<Uri, TcpStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::always_ready!();

    fn call(&self, target: ConnectInfo<Uri>) -> Self::Future {
        let Some(proxy) = self.proxy.clone() else { return Box::pin(self.tcp.call(target)) };
        let (tcp, within) = (self.tcp.clone(), self.within);
        Box::pin(async move {
            let tunnel = timeout(within, proxy.tunnel(&tcp, &authority(&target))).await;
            let tunnel = tunnel.unwrap_or_else(|_| Err(ProxyError::TimedOut { proxy: proxy.to_string(), within }));
            let stream = tunnel.map_err(|error| ConnectError::Io(io::Error::other(error)))?;
            Ok(Connection::new(target.request().clone(), stream))
        })
    }
}

/// The host and port as CONNECT writes them.
fn authority(target: &ConnectInfo<Uri>) -> String {
    format!("{}:{}", target.hostname(), target.port())
}

impl Proxy {
    async fn tunnel(&self, tcp: &ConnectorService, authority: &str) -> Result<TcpStream, ProxyError> {
        // Dials exactly the addresses that were checked.
        let addresses = self.addresses().await?;
        let internal = addresses.iter().map(SocketAddr::ip).find(|address| is_internal(*address));
        if let Some(address) = internal.filter(|_| self.only_public) {
            return Err(ProxyError::Internal { proxy: self.to_string(), address });
        }
        let reached = tcp.call(ConnectInfo::new(self.host.clone()).set_addrs(addresses)).await;
        let mut stream = match reached {
            Ok(connection) => connection.into_parts().0,
            Err(ConnectError::Io(error)) => return Err(self.unreachable(&error)),
            Err(error) => return Err(self.unreachable(&error)),
        };
        let opening = stream.write_all(self.opening(authority).expose_secret().as_bytes()).await;
        opening.map_err(|error| self.unreachable(&error))?;
        match self.answer(&mut stream).await? {
            200..=299 => Ok(stream),
            status => Err(ProxyError::Refused { proxy: self.to_string(), status }),
        }
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, ProxyError> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![(address, self.port).into()]);
        }
        let found = lookup_host((self.host.as_str(), self.port)).await.map_err(|error| self.unreachable(&error))?;
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(self.unreachable(&"its name has no address"));
        }
        Ok(addresses)
    }

    fn opening(&self, authority: &str) -> SecretString {
        let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some((username, password)) = &self.credentials {
            let user = BASE64_STANDARD.encode(format!("{username}:{}", password.expose_secret()));
            head.push_str(&format!("Proxy-Authorization: Basic {user}\r\n"));
        }
        head.push_str("\r\n");
        head.into()
    }

    /// Reads the status of the proxy's response.
    async fn answer(&self, stream: &mut TcpStream) -> Result<u16, ProxyError> {
        let no_proxy = |detail| ProxyError::NoProxy { proxy: self.to_string(), detail };
        let mut head = Vec::new();
        loop {
            let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
            let mut answer = httparse::Response::new(&mut lines);
            let parsed = answer.parse(&head).map_err(|_| no_proxy("it does not answer in HTTP"))?;
            match (parsed, answer.code) {
                // Informational responses may come before the final response (RFC 9110 §15.2).
                (httparse::Status::Complete(end), Some(100 | 102..=199)) => {
                    head.drain(..end);
                    continue;
                }
                // Nothing may arrive through a tunnel before the client has written. The body of a refusal is not read.
                (httparse::Status::Complete(end), Some(200..=299)) if end < head.len() => {
                    return Err(no_proxy("it says more than that the tunnel is open"));
                }
                (httparse::Status::Complete(_), Some(status)) => return Ok(status),
                _ if head.len() > MAX_HEAD => return Err(no_proxy("its answer has no end")),
                _ => {}
            }
            if stream.read_buf(&mut head).await.map_err(|error| self.unreachable(&error))? == 0 {
                return Err(no_proxy("it hung up within its answer"));
            }
        }
    }

    fn unreachable(&self, error: &dyn fmt::Display) -> ProxyError {
        ProxyError::Unreachable { proxy: self.to_string(), detail: error.to_string() }
    }
}
