//! Trusted certificate authorities: those of the web and those of the configuration.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// A certificate authority that cannot be used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is not a PEM certificate.
    #[error("a certificate authority is not a PEM certificate: {0}")]
    NotPem(#[from] rustls_pki_types::pem::Error),
    /// The certificate cannot serve as an authority.
    #[error("a certificate authority cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The text has no certificate.
    #[error("the file of a certificate authority contains no certificate")]
    Empty,
}

/// Returns the TLS configuration of a client that trusts the web's authorities and `authorities`, given in PEM.
///
/// # Errors
/// [`TlsError`] if an authority is not valid.
pub(super) fn client_config(authorities: &[String]) -> Result<Arc<ClientConfig>, TlsError> {
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
