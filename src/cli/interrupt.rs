//! Signals: the request to end (SIGINT or SIGTERM), and those that must not end the service.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Once created, SIGINT and SIGTERM no longer end the process; [`Interrupt::received`] waits for them.
pub(super) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// Must be called inside a tokio runtime.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next request.
    pub(super) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Once created, SIGHUP no longer ends the process, and a write beyond the size limit of files (SIGXFSZ) fails instead
/// of ending the process.
pub(super) struct Hangup {
    hangup: Signal,
    _file_size: Signal,
}

impl Hangup {
    /// Must be called inside a tokio runtime.
    pub(super) fn listen() -> io::Result<Self> {
        const FILE_SIZE: SignalKind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok(Self { hangup: signal(SignalKind::hangup())?, _file_size: signal(FILE_SIZE)? })
    }

    /// Waits for the next SIGHUP.
    pub(super) async fn received(&mut self) {
        self.hangup.recv().await;
    }
}
