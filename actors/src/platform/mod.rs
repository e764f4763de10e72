//! The platform's HTTP side: where its services are, who may speak, and how a socket is opened.

mod agent;
mod bounded;
mod brand;
mod consumer;
mod discovery;
mod final_answers;
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

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use tertulia_core::{id::AccountId, session::LoginRefusal};

pub use agent::{AgentLogin, AgentSession};
pub use brand::{AgentProfile, ShiftStatus, Skill, StatisticsOf};
pub(crate) use consumer::ConsumerIdentity;
pub use consumer::{ConsumerLogin, StepUp};
pub use discovery::Service;
pub use http::{HttpError, PlatformClient};
pub use http_client::http_client;
pub use pacing::Pace;
pub use provider::{AgentToken, TokenError, TokenProvider};
pub use proxy::{Proxy, ProxyCredentials, ProxyError};
pub use sentinel::AppCredentials;
pub(crate) use socket::Socket;
pub use tls::{TlsError, client_config};

#[cfg(test)]
pub(crate) use bounded::BoundedSocket;
pub(crate) use rest::RestAnswer;
pub(crate) use send::{SendAnswer, SendFailure, SendLetter, SendPath};
pub(crate) use sentinel::{AppToken, ConsumerToken};
pub(crate) use storage::{StoreFailure, StoredFile};

use discovery::Host;
use pacing::Turns;

/// Where the messaging platform is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct PlatformSettings {
    /// The discovery service, such as `https://adminlogin.liveperson.net`.
    pub discovery: String,
    /// More certificate authorities to trust, as PEM texts.
    pub authorities: Vec<String>,
    /// How long one HTTP request may take.
    pub request_timeout: Duration,
    /// How long a token may take that is obtained elsewhere.
    pub provider_timeout: Duration,
    /// How long one try to send or read a file may take.
    pub transfer_timeout: Duration,
    /// The largest frame taken that nobody asked for, in bytes. What is larger ends the socket.
    pub max_frame_bytes: usize,
    /// The largest snapshot or answer taken, in bytes, in one frame or several. A snapshot has up to 1001 conversations
    /// of a few kilobytes each ([SB-8](crate::rules#sb-8)).
    pub max_answer_bytes: usize,
    /// How fast this process logs in and connects.
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

/// The platform as one process sees it: settings, trust and the cache of service hosts, shared by all connections.
pub struct Platform {
    settings: PlatformSettings,
    tls: Arc<rustls::ClientConfig>,
    hosts: DashMap<(AccountId, Service), Host>,
    turns: Turns,
}

impl Platform {
    /// The platform at the settings' discovery service.
    ///
    /// # Errors
    /// [`TlsError`] where an authority is no certificate.
    pub fn new(settings: PlatformSettings) -> Result<Arc<Self>, TlsError> {
        let tls = client_config(&settings.authorities)?;
        let turns = Turns::new(settings.pace);
        Ok(Arc::new(Self { settings, tls, hosts: DashMap::new(), turns }))
    }

    /// Notes that a login was refused. For its number, all logins of the account are held back (protocol
    /// [§9.3](crate::protocol#93)).
    pub fn login_refused(&self, account: &AccountId, refusal: LoginRefusal) {
        if let LoginRefusal::Throttled { retry_after } = refusal {
            self.turns.hold(account, retry_after.unwrap_or_default().max(self.settings.pace.after_refusal));
        }
    }

    /// Whom this process trusts, for other requests than the platform's.
    #[must_use]
    pub fn tls(&self) -> &Arc<rustls::ClientConfig> {
        &self.tls
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &PlatformSettings {
        &self.settings
    }
}
