//! The platform's HTTP services: their discovery, logins, and the opening of sockets.

mod agent;
mod bounded;
mod brand;
mod consumer;
mod discovery;
mod final_answers;
mod forward;
mod http;
mod http_client;
mod pacing;
mod provider;
mod proxy;
mod rest;
mod send;
mod sentinel;
mod socket;
mod storage;
mod tls;
mod wire;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use actix_rt::net::TcpStream;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use dashmap::DashMap;
use tertulia_core::{id::AccountId, session::LoginRefusal};

pub use agent::{AgentLogin, AgentSession};
pub use brand::{AgentProfile, ShiftStatus, Skill};
pub(crate) use consumer::ConsumerIdentity;
pub use consumer::{ConsumerLogin, StepUp};
pub use discovery::Service;
pub use http::{HttpError, PlatformClient};
pub use pacing::Pace;
pub use provider::{AgentToken, TokenError, TokenProvider};
pub use proxy::{Proxy, ProxyError};
pub use sentinel::AppCredentials;
pub(crate) use socket::Socket;
pub use tls::TlsError;
use tls::client_config;

#[cfg(test)]
pub(crate) use bounded::BoundedSocket;
pub(crate) use forward::{Authorization, ByteStream, ForwardError, Forwarded, Outgoing, OutgoingBody};
pub(crate) use rest::RestAnswer;
pub(crate) use send::{SendAnswer, SendFailure, SendLetter, SendPath};
pub(crate) use sentinel::{AppToken, ConsumerToken};
pub(crate) use storage::{StoreFailure, StoredFile};

use discovery::Host;
use pacing::Turns;

use crate::engine::SendGate;

/// The address of the platform and the limits of its use.
#[derive(Clone, Debug)]
pub struct PlatformSettings {
    /// The discovery service, such as `https://adminlogin.liveperson.net`.
    pub discovery: String,
    /// Additional trusted certificate authorities, in PEM.
    pub authorities: Vec<String>,
    /// How long one HTTP request may take.
    pub request_timeout: Duration,
    /// How long a token provider may take.
    pub provider_timeout: Duration,
    /// How long one attempt to send or read a file may take.
    pub transfer_timeout: Duration,
    /// The largest unsolicited frame accepted, in bytes. A larger frame ends the socket.
    pub max_frame_bytes: usize,
    /// The largest snapshot or response accepted, in bytes, in one frame or several. A snapshot has up to 1001
    /// conversations of a few kilobytes each ([SB-8](crate::rules#sb-8)).
    pub max_answer_bytes: usize,
    /// How fast this process may log in and connect.
    pub pace: Pace,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self {
            discovery: "https://adminlogin.liveperson.net".to_owned(),
            authorities: Vec::new(),
            request_timeout: Duration::from_secs(10),
            provider_timeout: Duration::from_secs(60),
            transfer_timeout: Duration::from_secs(60),
            max_frame_bytes: 1024 * 1024,
            max_answer_bytes: 16 * 1024 * 1024,
            pace: Pace::default(),
        }
    }
}

/// The platform as used by one process: settings, trusted authorities and the cache of service hosts, shared by all
/// connections.
pub struct Platform {
    settings: PlatformSettings,
    tls: Arc<rustls::ClientConfig>,
    hosts: DashMap<(AccountId, String), Host>,
    turns: Turns,
    gate: SendGate,
}

impl Platform {
    /// Returns the platform with these settings.
    ///
    /// # Errors
    /// [`TlsError`] if an authority is not a certificate.
    pub fn new(settings: PlatformSettings) -> Result<Arc<Self>, TlsError> {
        Self::behind(SendGate::default(), settings)
    }

    /// Returns the platform, to which requests that change something or log in are sent only through `gate`.
    pub(crate) fn behind(gate: SendGate, settings: PlatformSettings) -> Result<Arc<Self>, TlsError> {
        let tls = client_config(&settings.authorities)?;
        let turns = Turns::new(settings.pace);
        Ok(Arc::new(Self { settings, tls, hosts: DashMap::new(), turns, gate }))
    }

    /// Records that a login was refused. If there were too many logins, all logins of the account are delayed (protocol
    /// [§9.3](crate::protocol#93)).
    pub fn login_refused(&self, account: &AccountId, refusal: LoginRefusal) {
        if let LoginRefusal::Throttled { retry_after } = refusal {
            self.turns.hold(account, retry_after.unwrap_or_default().max(self.settings.pace.after_refusal));
        }
    }

    /// Limits this process to its share of the [`Pace`] among `nodes`, from now on. A process alone has all of it.
    pub fn share_pace(&self, nodes: NonZeroU32) {
        self.turns.share(nodes);
    }

    /// The TLS configuration with the trusted authorities, for requests to other services too.
    #[must_use]
    pub fn tls(&self) -> &Arc<rustls::ClientConfig> {
        &self.tls
    }

    /// Returns an HTTP client for another service, which waits for the final response if informational responses come
    /// before it.
    ///
    /// `dial` makes the TCP connections. Without `tls`, `https` addresses fail. A request takes at most `within`, and
    /// so does a connection with its TLS handshake. A connection that was unused for `idle` is not used again. The
    /// number of open connections is not limited. Redirects are returned as responses.
    pub fn http_client<D>(
        dial: D,
        tls: Option<Arc<rustls::ClientConfig>>,
        within: Duration,
        idle: Duration,
    ) -> awc::Client
    where
        D: actix_service::Service<ConnectInfo<Uri>, Response = Connection<Uri, TcpStream>, Error = ConnectError>
            + Clone
            + 'static,
    {
        http_client::http_client(dial, tls, within, idle)
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &PlatformSettings {
        &self.settings
    }
}
