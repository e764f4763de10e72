//! The certificates by which nodes know each other. They can be replaced while the node runs.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::ring,
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::config::{NodeTls, TlsError};

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
    Certificate(#[from] Error),
    /// A node begins or ends to have certificates only when it starts.
    #[error("node.tls was added or removed; restart the node")]
    Kind,
}

/// The certificate of this node, and the authority of all nodes.
pub(super) struct Certificates {
    current: Arc<Current>,
    server: ServerConfig,
}

/// What is used for connections that begin now.
struct Current(ArcSwap<Renewal>);

/// The content of the files of `node.tls`.
pub(crate) struct Renewal {
    own: Arc<CertifiedKey>,
    verifier: Arc<dyn ClientCertVerifier>,
    client: Arc<ClientConfig>,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl Renewal {
    /// Reads the files of `tls`.
    ///
    /// # Errors
    /// [`TrustError`].
    pub(super) fn read(tls: &NodeTls) -> Result<Self, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let own = Arc::new(tls.own.certified(&tls.own.files()?)?);
        let roots = Arc::new(tls.authorities()?);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let presented = Arc::new(SingleCertAndKey::from(Arc::clone(&own)));
        let client = client.with_root_certificates(roots).with_client_cert_resolver(presented);
        Ok(Self { own, verifier, client: Arc::new(client) })
    }
}

impl Certificates {
    /// Reads the files of `tls`.
    ///
    /// # Errors
    /// [`TrustError`].
    pub(super) fn read(tls: &NodeTls) -> Result<Self, TrustError> {
        let current = Arc::new(Current(ArcSwap::from_pointee(Renewal::read(tls)?)));
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let server = server.with_safe_default_protocol_versions()?;
        let server = server.with_client_cert_verifier(Arc::clone(&current) as _);
        let mut server = server.with_cert_resolver(Arc::clone(&current) as _);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session that is resumed would not be verified by the authority of now.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { current, server })
    }

    pub(super) fn renew(&self, renewal: Renewal) {
        self.current.0.store(Arc::new(renewal));
    }

    /// How this node listens.
    pub(super) fn server(&self) -> ServerConfig {
        self.server.clone()
    }

    /// How this node calls others.
    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.current.0.load().client)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().own))
    }
}

impl ClientCertVerifier for Current {
    /// None: they could not be replaced. A node has one certificate and needs no hint.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0.load().verifier.verify_client_cert(certificate, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.load().verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.load().verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.load().verifier.supported_verify_schemes()
    }
}
