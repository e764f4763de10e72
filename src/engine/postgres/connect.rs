//! Where the database is, and how a session to it is encrypted.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a session may take to open.
pub(super) const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged before the session counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// How long a session may be idle before the system looks whether the other side is there.
const IDLE: Duration = Duration::from_secs(10);

/// Why an address of a database cannot be used. The messages never contain the password.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The address has another form, or an unknown parameter.
    #[error("engine.url is not an address such as postgres://user:password@host:5432/database: {0}")]
    Malformed(String),
    /// The address asks for a session that anybody on the way can read or change.
    #[error("sslmode={0} is accepted for this machine only; use verify-full")]
    NotEncrypted(String),
    /// The certificates of the authorities cannot be read.
    #[error("cannot read the authorities of the database in {}: {reason}", file.display())]
    Authorities {
        /// The file of `sslrootcert`.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// TLS cannot be configured.
    #[error("TLS to the database cannot be configured")]
    Tls(#[from] rustls::Error),
}

/// How sessions are opened.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) encryption: Encryption,
    pub(super) schema: String,
}

/// Whether a session is encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    /// To a database on this machine.
    None(NoTls),
    /// With the certificate and the host's name verified.
    Tls(MakeRustlsConnect),
}

impl Address {
    /// Reads an address. Beyond this machine the certificate of the database must be valid for its host, by the
    /// authorities in the file `sslrootcert` or, without one, by those that browsers trust.
    ///
    /// # Errors
    /// [`UrlError`].
    pub(super) fn parse(url: &str, schema: &str) -> Result<Self, UrlError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authorities, mut others) = (None, None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => authorities = Some(PathBuf::from(value)),
                _ => others.push(parameter),
            }
        }
        let rest = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        // The error of the parser names a parameter, never a value.
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| malformed(&error))?;
        let is_here = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_this_machine);
        let is_encrypted = match mode.as_deref() {
            None => !is_here,
            Some("verify-full") => true,
            Some("disable") if is_here => false,
            Some("disable" | "allow" | "prefer" | "require" | "verify-ca") => {
                return Err(UrlError::NotEncrypted(mode.unwrap_or_default()));
            }
            Some(_) => return Err(UrlError::Malformed("sslmode is neither verify-full nor disable".to_owned())),
        };
        config
            .ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable })
            .connect_timeout(OPEN_WITHIN)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives(true)
            .keepalives_idle(IDLE);
        let encryption = if is_encrypted { Encryption::Tls(tls(authorities)?) } else { Encryption::None(NoTls) };
        Ok(Self { config, encryption, schema: schema.to_owned() })
    }
}

fn malformed(error: &tokio_postgres::Error) -> UrlError {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    UrlError::Malformed(format!("{error}{}", source.unwrap_or_default()))
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) if name == "localhost" => true,
        Host::Tcp(name) => name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        Host::Unix(_) => true,
    }
}

fn tls(authorities: Option<PathBuf>) -> Result<MakeRustlsConnect, UrlError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let unreadable = |reason: String| UrlError::Authorities { file: file.clone(), reason };
            let certificates = CertificateDer::pem_file_iter(&file).map_err(|error| unreadable(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("it has no certificate".to_owned()));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<bool, String> {
        let address = Address::parse(url, "tertulia").map_err(|error| error.to_string())?;
        Ok(matches!(address.encryption, Encryption::Tls(_)))
    }

    #[test]
    fn beyond_this_machine_a_session_is_encrypted_and_verified() {
        assert_eq!(parse("postgres://me:pw@db.example/t"), Ok(true));
        assert_eq!(parse("postgres://me:pw@db.example/t?sslmode=verify-full&application_name=x"), Ok(true));
        for mode in ["disable", "require", "prefer"] {
            let refused = parse(&format!("postgres://me:pw@db.example/t?sslmode={mode}")).unwrap_err();
            assert_eq!(refused, format!("sslmode={mode} is accepted for this machine only; use verify-full"));
        }
        // One host of several is enough to need it.
        assert_eq!(parse("postgres://me@localhost,db.example/t"), Ok(true));
    }

    #[test]
    fn on_this_machine_a_session_need_not_be_encrypted() {
        for host in ["localhost:5432", "127.0.0.1", "[::1]", "%2Frun%2Fpostgresql"] {
            assert_eq!(parse(&format!("postgres://me@{host}/t")), Ok(false), "{host}");
        }
        assert_eq!(parse("postgres://me@localhost/t?sslmode=verify-full"), Ok(true));
        assert_eq!(parse("postgres://me@localhost/t?sslmode=disable"), Ok(false));
    }

    #[test]
    fn a_mistaken_address_is_described_without_its_password() {
        for url in ["mysql://me:sEcReT@db/t", "postgres://me:sEcReT@db/t?sslmod=x", "postgres://me:sEcReT@db:port/t"] {
            let refused = parse(url).unwrap_err();
            assert!(refused.starts_with("engine.url is not an address") && !refused.contains("sEcReT"), "{refused}");
        }
        let refused = parse("postgres://me@db/t?sslrootcert=/nowhere/ca.pem").unwrap_err();
        assert!(refused.starts_with("cannot read the authorities of the database in /nowhere/ca.pem"), "{refused}");
    }
}
