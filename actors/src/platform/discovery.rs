//! Finds the hosts of an account's services (protocol [§1](crate::protocol#1)).

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use awc::http::uri::Authority;
use serde::Deserialize;

use super::{HttpError, PlatformClient, http::Call};

/// How long a discovered host is cached (protocol [§1](crate::protocol#1)).
const BELIEVED_FOR: Duration = Duration::from_secs(600);

/// A service of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The discovery service itself.
    Discovery,
    /// The login of agents.
    AgentLogin,
    /// The brand's websocket.
    BrandSocket,
    /// The consumer's websocket, and messaging over HTTP.
    Messaging,
    /// The tokens of consumers.
    Identity,
    /// The tokens of applications.
    Sentinel,
    /// File storage.
    Storage,
    /// The account's configuration.
    Configuration,
    /// Public data of an account.
    Public,
}

impl Service {
    /// The name in the discovery service (protocol [§1.3](crate::protocol#13)).
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

    /// The services that check credentials and grant tokens.
    const GRANTING: [Self; 3] = [Self::AgentLogin, Self::Identity, Self::Sentinel];

    /// Whether the service checks credentials and grants tokens.
    pub(super) fn grants_tokens(self) -> bool {
        Self::GRANTING.contains(&self)
    }

    /// Whether the service with this name checks credentials and grants tokens.
    pub(super) fn name_grants_tokens(name: &str) -> bool {
        Self::GRANTING.iter().any(|service| service.name() == name)
    }

    /// Whether no request to the service contains a secret, so that its responses cannot contain one either.
    pub(super) fn is_asked_without_secrets(self) -> bool {
        matches!(self, Self::Discovery | Self::Public)
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

/// The response in either documented form (protocol [§1.2](crate::protocol#12)).
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

/// Whether a base URI is a host, with an optional port. Anything else could redirect a password to another host. A host
/// with plain HTTP must be on this machine, and is accepted only if the discovery service itself was configured with
/// plain HTTP.
fn is_host(base_uri: &str, allows_plain: bool) -> bool {
    let plain = base_uri.strip_prefix("http://").filter(|_| allows_plain);
    let Ok(authority) = plain.unwrap_or(base_uri).parse::<Authority>() else { return false };
    let host = authority.host();
    let is_bare = !host.is_empty()
        && match authority.as_str().strip_prefix(host) {
            Some("") => true,
            Some(rest) => rest.starts_with(':') && authority.port_u16().is_some(),
            None => false,
        };
    is_bare && (plain.is_none() || is_loopback(host))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl PlatformClient {
    /// Returns the host of a service, with its port if it has one; cached for ten minutes.
    ///
    /// # Errors
    /// [`HttpError`] if the discovery service does not return the host.
    pub async fn host(&self, service: Service) -> Result<String, HttpError> {
        let found = self.host_named(service.name()).await?;
        found.ok_or_else(|| self.misled(format!("no host for {service}")))
    }

    /// Returns the host of the service with this name; `None` if the discovery service does not name one.
    pub(super) async fn host_named(&self, service: &str) -> Result<Option<String>, HttpError> {
        let key = (self.account.clone(), service.to_owned());
        if let Some(host) = self.platform.hosts.get(&key).filter(|host| host.since.elapsed() < BELIEVED_FOR) {
            return Ok(Some(host.name.clone()));
        }
        let discovery = self.discovery();
        let path = format!("/api/account/{}/service/{service}/baseURI.json?version=1.0", self.account);
        let call =
            Call { service: Service::Discovery, host: discovery.to_owned(), path, headers: Vec::new(), body: None };
        let found = match self.get(call).await? {
            Answer::Flat { base_uri } => Some(base_uri),
            Answer::List { base_uris } => {
                base_uris.into_iter().find(|entry| entry.service == service).map(|entry| entry.base_uri)
            }
        };
        let Some(name) = found else { return Ok(None) };
        if !is_host(&name, discovery.starts_with("http://")) {
            return Err(self.misled(format!("no host for {service}")));
        }
        self.platform.hosts.insert(key, Host { name: name.clone(), since: Instant::now() });
        Ok(Some(name))
    }

    /// Removes a service's host from the cache, because the service did not respond there.
    pub(crate) fn forget_host(&self, service: Service) {
        self.forget_host_named(service.name());
    }

    pub(super) fn forget_host_named(&self, service: &str) {
        self.platform.hosts.remove(&(self.account.clone(), service.to_owned()));
    }

    fn discovery(&self) -> &str {
        self.platform.settings.discovery.trim_end_matches('/')
    }

    fn misled(&self, detail: String) -> HttpError {
        HttpError::Unexpected { service: Service::Discovery, host: self.discovery().to_owned(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_uri_is_a_host_with_or_without_a_port_and_nothing_else() {
        for good in ["va.msg.example.net", "127.0.0.1:8443", "[::1]:8443", "localhost", "emulator:1"] {
            assert!(is_host(good, false), "{good}");
        }
        for bad in [
            "",
            ":443",
            "host:",
            "host:port",
            "host/path",
            "user@host",
            "host@evil.example",
            "https://host",
            "http://127.0.0.1:1",
            "host?x",
            "host#x",
            "host name",
            "//host",
        ] {
            assert!(!is_host(bad, false), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_and_only_where_it_was_configured() {
        for good in ["http://127.0.0.1:1", "http://localhost:80", "http://[::1]:1"] {
            assert!(is_host(good, true) && !is_host(good, false), "{good}");
        }
        for bad in ["http://192.0.2.1", "http://localhost.example", "http://user@127.0.0.1", "http://127.0.0.1/p"] {
            assert!(!is_host(bad, true), "{bad}");
        }
    }
}
