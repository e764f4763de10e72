//! What nodes know each other by: a secret in a header, certificates of one authority, or both.

use std::{cell::RefCell, fmt, sync::Arc, time::Duration};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use awc::{Client, Connector};
use rustls::{
    ClientConfig, ServerConfig,
    crypto::ring,
    server::{VerifierBuilderError, WebPkiClientVerifier},
    sign::SingleCertAndKey,
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config::{NodeTls, TlsError};

/// The header by which a node proves that it is one.
pub(crate) const SECRET: HeaderName = HeaderName::from_static("tertulia-node-secret");
/// How long another node may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_millis(300);
/// How long a handshake with another node may take.
const SHAKE_HANDS_WITHIN: Duration = Duration::from_secs(1);
/// How long an idle connection to another node is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// Why nodes cannot know each other.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of `node.tls` cannot be used.
    #[error(transparent)]
    Files(#[from] TlsError),
    /// The certificates of other nodes cannot be verified.
    #[error("the certificates of other nodes cannot be verified")]
    Verifier(#[from] VerifierBuilderError),
    /// The certificate cannot be used.
    #[error("the certificate of this node cannot be used")]
    Certificate(#[from] rustls::Error),
}

/// What nodes know each other by. Cheap to clone.
#[derive(Clone)]
pub(crate) struct NodeTrust(Arc<Trust>);

struct Trust {
    secret: Option<Secret>,
    tls: Option<Encryption>,
}

struct Secret {
    text: SecretString,
    digest: [u8; 32],
}

struct Encryption {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

thread_local! {
    /// Connections to other nodes belong to the thread that opened them.
    static CLIENT: RefCell<Option<(NodeTrust, Client)>> = const { RefCell::new(None) };
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
        let tls = tls.map(Encryption::read).transpose()?;
        Ok(Self(Arc::new(Trust { secret, tls })))
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
        self.0.tls.as_ref().map(|tls| (*tls.server).clone())
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
        CLIENT.with_borrow_mut(|last| match last {
            Some((of, client)) if Arc::ptr_eq(&of.0, &self.0) => client.clone(),
            _ => last.insert((self.clone(), self.new_client())).1.clone(),
        })
    }

    fn new_client(&self) -> Client {
        let connector = Connector::new().timeout(CONNECT_WITHIN).handshake_timeout(SHAKE_HANDS_WITHIN);
        let mut connector = connector.conn_keep_alive(KEEP_ALIVE).limit(0);
        if let Some(tls) = &self.0.tls {
            connector = connector.rustls_0_23(Arc::clone(&tls.client));
        }
        Client::builder().connector(connector).no_default_headers().disable_redirects().finish()
    }
}

impl Encryption {
    fn read(tls: &NodeTls) -> Result<Self, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let own = Arc::new(SingleCertAndKey::from(tls.own.certified(&tls.own.files()?)?));
        let roots = Arc::new(tls.authorities()?);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
        let server =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let mut server = server.with_client_cert_verifier(verifier).with_cert_resolver(Arc::clone(&own) as _);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let client = client.with_root_certificates(roots).with_client_cert_resolver(own);
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}
