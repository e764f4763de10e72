//! What nodes know each other by: a secret in a header, certificates of one authority, or both.

use std::{cell::RefCell, fmt, sync::Arc, time::Duration};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use awc::{Client, Connector};
use rustls::{ClientConfig, ServerConfig};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::certificates::{Certificates, Renewal, TrustError};
use crate::config::NodeTls;

/// The header by which a node proves that it is one.
pub(crate) const SECRET: HeaderName = HeaderName::from_static("tertulia-node-secret");
/// How long another node may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_millis(300);
/// How long a handshake with another node may take.
const SHAKE_HANDS_WITHIN: Duration = Duration::from_secs(1);
/// How long an idle connection to another node is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// What nodes know each other by. Cheap to clone.
#[derive(Clone)]
pub(crate) struct NodeTrust(Arc<Trust>);

struct Trust {
    secret: Option<Secret>,
    tls: Option<Certificates>,
}

struct Secret {
    text: SecretString,
    digest: [u8; 32],
}

/// A client of a thread, and what the client was made of.
struct KnownClient {
    trust: NodeTrust,
    tls: Option<Arc<ClientConfig>>,
    client: Client,
}

thread_local! {
    /// Connections to other nodes belong to the thread that opened them.
    static CLIENT: RefCell<Option<KnownClient>> = const { RefCell::new(None) };
}

impl fmt::Debug for NodeTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeTrust").finish_non_exhaustive()
    }
}

impl NodeTrust {
    /// Reads the files of `tls`. One of both must be given: otherwise every caller would count as a node.
    ///
    /// # Errors
    /// [`TrustError`].
    pub(crate) fn new(secret: Option<&SecretString>, tls: Option<&NodeTls>) -> Result<Self, TrustError> {
        let secret =
            secret.map(|secret| Secret { digest: Sha256::digest(secret.expose_secret()).into(), text: secret.clone() });
        let tls = tls.map(Certificates::read).transpose()?;
        Ok(Self(Arc::new(Trust { secret, tls })))
    }

    /// Reads the files of `tls`, for use in place of the files that were read before. Blocks.
    ///
    /// # Errors
    /// [`TrustError`]; the files that were read before can stay in use.
    pub(crate) fn read_again(&self, tls: Option<&NodeTls>) -> Result<Option<Renewal>, TrustError> {
        match (&self.0.tls, tls) {
            (Some(_), Some(tls)) => Ok(Some(Renewal::read(tls)?)),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(TrustError::Kind),
        }
    }

    /// Uses what was read again for all connections that begin from now on.
    pub(crate) fn renew(&self, renewal: Renewal) {
        if let Some(tls) = &self.0.tls {
            tls.renew(renewal);
        }
    }

    /// Whether the headers show the secret, compared in constant time. Without a secret the caller's certificate was
    /// verified before it could send any header.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let Some(secret) = &self.0.secret else { return self.0.tls.is_some() };
        let shown = headers.get(SECRET).map(|value| Sha256::digest(value.as_bytes()));
        shown.is_some_and(|shown| bool::from(shown.as_slice().ct_eq(&secret.digest)))
    }

    /// How nodes are listened to, if encrypted: only callers with a certificate of the authority get through.
    pub(crate) fn server(&self) -> Option<ServerConfig> {
        self.0.tls.as_ref().map(Certificates::server)
    }

    /// The header that shows the secret.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let secret = self.0.secret.as_ref()?;
        let mut value = HeaderValue::from_str(secret.text.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some((SECRET, value))
    }

    /// The address of a path at a node.
    pub(super) fn url(&self, address: &str, path: &str) -> String {
        let scheme = if self.0.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}{path}")
    }

    /// The client of this thread.
    pub(super) fn client(&self) -> Client {
        let tls = self.0.tls.as_ref().map(Certificates::client);
        CLIENT.with_borrow_mut(|last| match last {
            Some(known) if Arc::ptr_eq(&known.trust.0, &self.0) && is_same(&known.tls, &tls) => known.client.clone(),
            _ => {
                let client = new_client(tls.clone());
                last.insert(KnownClient { trust: self.clone(), tls, client }).client.clone()
            }
        })
    }
}

fn is_same(one: &Option<Arc<ClientConfig>>, other: &Option<Arc<ClientConfig>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn new_client(tls: Option<Arc<ClientConfig>>) -> Client {
    let connector = Connector::new().timeout(CONNECT_WITHIN).handshake_timeout(SHAKE_HANDS_WITHIN);
    let mut connector = connector.conn_keep_alive(KEEP_ALIVE).limit(0);
    if let Some(tls) = tls {
        connector = connector.rustls_0_23(tls);
    }
    Client::builder().connector(connector).no_default_headers().disable_redirects().finish()
}
