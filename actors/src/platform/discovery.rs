//! Where an account's services are (protocol §1).

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{HttpError, PlatformClient, http::Call};

/// For how long a host is believed (wire-from-sdk §3).
const BELIEVED_FOR: Duration = Duration::from_secs(600);

/// A service of the platform, by its part in messaging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The discovery service itself.
    Discovery,
    /// Agents log in here.
    AgentLogin,
    /// The brand's websocket.
    BrandSocket,
    /// The consumer's websocket, and messaging over HTTP.
    Messaging,
    /// Consumers get their tokens here.
    Identity,
    /// Applications get their tokens here.
    Sentinel,
    /// File storage.
    Storage,
    /// The account's configuration.
    Configuration,
    /// What everybody may know of an account.
    Public,
}

impl Service {
    /// The name in the discovery service (protocol §1.3).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::AgentLogin => "agentVep",
            Self::BrandSocket => "facadeMsg",
            Self::Messaging => "asyncMessagingEnt",
            Self::Identity => "idp",
            Self::Sentinel => "sentinel",
            Self::Storage => "swift",
            Self::Configuration => "accountConfigReadOnly",
            Self::Public => "acCdnDomain",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone)]
pub(super) struct Host {
    name: String,
    since: Instant,
}

/// The answer in either documented form (protocol §1.2).
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    #[serde(rename_all = "camelCase")]
    Flat {
        #[serde(rename = "baseURI")]
        base_uri: String,
    },
    List {
        #[serde(rename = "baseURIs")]
        base_uris: Vec<Entry>,
    },
}

#[derive(Deserialize)]
struct Entry {
    service: String,
    #[serde(rename = "baseURI")]
    base_uri: String,
}

impl PlatformClient {
    /// The host of a service, with its port if it has one; cached for ten minutes.
    ///
    /// # Errors
    /// [`HttpError`] where the discovery service does not tell.
    pub async fn host(&self, service: Service) -> Result<String, HttpError> {
        let key = (self.account.clone(), service);
        if let Some(host) = self.platform.hosts.get(&key).filter(|host| host.since.elapsed() < BELIEVED_FOR) {
            return Ok(host.name.clone());
        }
        let discovery = self.platform.settings.discovery.trim_end_matches('/').to_owned();
        let path = format!("/api/account/{}/service/{}/baseURI.json?version=1.0", self.account, service.name());
        let call = Call { service: Service::Discovery, host: discovery.clone(), path, headers: Vec::new(), body: None };
        let found = match self.get(call).await? {
            Answer::Flat { base_uri } => Some(base_uri),
            Answer::List { base_uris } => {
                base_uris.into_iter().find(|entry| entry.service == service.name()).map(|entry| entry.base_uri)
            }
        };
        let name = found.filter(|name| !name.is_empty()).ok_or_else(|| HttpError::Unexpected {
            service: Service::Discovery,
            host: discovery,
            detail: format!("no base URI for {service}"),
        })?;
        self.platform.hosts.insert(key, Host { name: name.clone(), since: Instant::now() });
        Ok(name)
    }

    /// Forgets a service's host, because it did not answer there.
    pub(crate) fn forget_host(&self, service: Service) {
        self.platform.hosts.remove(&(self.account.clone(), service));
    }
}
