//! Whom we trust: the web's authorities and those of the configuration.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// An authority that cannot be trusted because it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is no PEM certificate.
    #[error("a certificate authority is not a PEM certificate: {0}")]
    NotPem(#[from] rustls_pki_types::pem::Error),
    /// The certificate cannot be an authority.
    #[error("a certificate authority cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// There is no certificate in the text.
    #[error("the file of a certificate authority contains no certificate")]
    Empty,
}

/// TLS for a client that trusts the web's authorities and these, PEM texts, too.
///
/// # Errors
/// [`TlsError`]: one of them is none.
pub fn client_config(authorities: &[String]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for text in authorities {
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            roots.add(certificate?)?;
            found = true;
        }
        if !found {
            return Err(TlsError::Empty);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
