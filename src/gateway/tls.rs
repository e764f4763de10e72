//! The certificate that the gateway presents. It is reloaded when its files change, without a restart; files that
//! cannot be used are ignored.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::config::{Tls, TlsError, TlsFiles};

/// How often the files are checked.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The certificate in use.
pub struct Certificate {
    known: Mutex<Known>,
    current: ArcSwap<CertifiedKey>,
}

/// The files of the certificate.
struct Known {
    tls: Tls,
    /// The content as read last, even if it could not be used, so that a failure is logged only once.
    files: TlsFiles,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the certificate of `tls`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn read(tls: Tls) -> Result<Arc<Self>, TlsError> {
        let files = tls.files()?;
        let current = ArcSwap::from_pointee(tls.certified(&files)?);
        Ok(Arc::new(Self { known: Mutex::new(Known { tls, files }), current }))
    }

    /// Checks whether the files have changed and uses the new certificate. Blocks, because it reads files.
    pub fn look(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let read = known.tls.files().and_then(|files| {
            if files == known.files {
                return Ok(None);
            }
            known.files = files;
            known.tls.certified(&known.files).map(Some)
        });
        match read {
            Ok(None) => {}
            Ok(Some(certified)) => {
                self.current.store(Arc::new(certified));
                tracing::info!(certificate = %known.tls.certificate.display(), "the gateway presents a new certificate");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot use the changed certificate; the gateway presents the previous one")
            }
        }
    }

    /// Uses the files of `tls` from now on. Blocks, because it reads files.
    fn replace(&self, tls: Tls) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).tls = tls;
        self.look();
    }

    /// Replaces the files on a thread that may block.
    pub(super) async fn replace_aside(self: Arc<Self>, tls: Tls) {
        if spawn_blocking(move || self.replace(tls)).await.is_err() {
            tracing::error!("the certificate could not be replaced");
        }
    }

    /// Checks periodically until the future is dropped.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut time = interval(LOOK_EVERY);
        time.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            time.tick().await;
            Arc::clone(&self).look_aside().await;
        }
    }

    /// Checks on a thread that may block.
    pub(super) async fn look_aside(self: Arc<Self>) {
        if spawn_blocking(move || self.look()).await.is_err() {
            tracing::error!("the check for a changed certificate failed");
        }
    }

    /// The TLS configuration: versions 1.2 and 1.3, with HTTP/1.1 on top.
    pub(super) fn server(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}
