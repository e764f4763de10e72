//! `gateway.tls`: the certificate that the gateway presents. `node.tls`: the one that nodes know each other by.

use std::{fmt, fs, io, path::PathBuf};

use rustls::{RootCertStore, crypto::ring, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};

use super::field::Field;

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the certificate, followed by the certificates that lead to its authority.
    pub certificate: PathBuf,
    /// PEM file of its private key, in PKCS #8, PKCS #1 or SEC1.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. The message never contains the content of a file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file does not contain what it should.
    #[error("{} has no {what} in PEM", file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What the file should contain.
        what: &'static str,
    },
    /// The key is of an unsupported kind, or belongs to another certificate.
    #[error("{} is not the key of {}, or its kind is not supported", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// The files by which nodes know each other: each presents its certificate, and accepts those of one authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTls {
    /// What the node presents, as a server and as a client.
    pub own: Tls,
    /// PEM file of the authority that signed the certificates of all nodes, and of nobody else.
    pub authority: PathBuf,
}

impl NodeTls {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        if !field.is_present() {
            return None;
        }
        let mut section = field.section();
        let certificate = section.field("certificate").required();
        let key = section.field("key").required();
        let authority = section.field("ca").required();
        section.finish();
        let own = Tls::read_pair(certificate, key)?;
        authority.parse(|authority| {
            let tls = Self { own, authority: PathBuf::from(authority) };
            tls.authorities().map(|_| tls).map_err(|error| error.to_string())
        })
    }

    /// Reads the authority.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let not_pem = || TlsError::NotPem { file: self.authority.clone(), what: "certificate of an authority" };
        let text = read(&self.authority)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            roots.add(certificate.map_err(|_| not_pem())?).map_err(|_| not_pem())?;
        }
        if roots.is_empty() { Err(not_pem()) } else { Ok(roots) }
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|source| TlsError::Unreadable { file: file.clone(), source })
}

/// The content of a certificate's files.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFiles {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}

impl Tls {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        if !field.is_present() {
            return None;
        }
        let mut section = field.section();
        let certificate = section.field("certificate").required();
        let key = section.field("key").required();
        section.finish();
        Self::read_pair(certificate, key)
    }

    fn read_pair(certificate: Field<'_>, key: Field<'_>) -> Option<Self> {
        let certificate = certificate.text().map(PathBuf::from);
        // The key completes the pair, so mistakes of the pair are reported at the key.
        key.parse(|key| {
            let Some(certificate) = certificate else { return Ok(None) };
            let tls = Self { certificate, key: PathBuf::from(key) };
            let certified = tls.files().and_then(|files| tls.certified(&files));
            certified.map(|_| Some(tls)).map_err(|error| error.to_string())
        })?
    }

    /// Reads both files.
    ///
    /// # Errors
    /// [`TlsError::Unreadable`].
    pub fn files(&self) -> Result<TlsFiles, TlsError> {
        Ok(TlsFiles { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    /// Parses the certificate and its key from `files`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn certified(&self, files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
        let not_pem = |file: &PathBuf, what| TlsError::NotPem { file: file.clone(), what };
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&files.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| not_pem(&self.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| not_pem(&self.key, "private key"))?;
        CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|_| TlsError::Mismatch { certificate: self.certificate.clone(), key: self.key.clone() })
    }
}
