//! `tertulia run`: the service.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use rustix::{fs::Mode, process::umask};
use tokio::time::sleep;

use super::{
    allocator, init,
    interrupt::{Hangup, Interrupt},
    open_files,
};
use crate::{
    config::{Configuration, ConfigurationError, DEFAULT_FILE, Drain, Environment},
    service::Service,
    telemetry::{self, Export, LogFormat},
};

/// How long the last spans may take to be exported.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// Options of `tertulia run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  TERTULIA_GATEWAY__LISTEN=127.0.0.1:9090 tertulia run --config tertulia.toml")]
pub struct RunOptions {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
}

/// Runs until SIGINT or SIGTERM, then drains; a second signal ends the process at once. SIGHUP reads the gateway's
/// tokens, limits, allowed origins and certificate again.
pub(super) fn execute(options: &RunOptions, format: LogFormat) -> anyhow::Result<ExitCode> {
    allocator::settle();
    // Before the configuration is read: reading takes time, and an early SIGHUP would end the process.
    actix_rt::System::new().block_on(async {
        let hangup = Hangup::listen().context("cannot listen for signals")?;
        start(options, format, hangup).await
    })
}

async fn start(options: &RunOptions, format: LogFormat, hangup: Hangup) -> anyhow::Result<ExitCode> {
    // Files of the store hold secrets, whatever permissions the directory around the store has.
    umask(Mode::RWXG | Mode::RWXO);
    let configuration = match Configuration::load(&options.config, &Environment::of_process()) {
        Ok(configuration) => configuration,
        Err(mistakes @ ConfigurationError::Mistaken { .. }) => {
            writeln!(io::stderr(), "{mistakes}")?;
            return Ok(ExitCode::FAILURE);
        }
        Err(unreadable @ ConfigurationError::Unreadable { .. }) => return Err(init::advise(unreadable)),
    };
    let (_logs, export) = telemetry::start(format, Some(&configuration.telemetry))?;
    open_files::raise_limit();
    let exporting = export.map(Export::begin);
    let served = serve(&configuration, &options.config, hangup).await;
    if let Some(exporting) = exporting {
        exporting.flush(FLUSH_WITHIN).await;
    }
    served
}

async fn serve(configuration: &Configuration, file: &Path, mut hangup: Hangup) -> anyhow::Result<ExitCode> {
    let mut interrupt = Interrupt::listen().context("cannot listen for signals")?;
    let service = Service::start(configuration)?;
    let gateway = service.gateway().address();
    tracing::info!(%gateway, connections = configuration.connections.len(), "running");

    loop {
        tokio::select! {
            () = interrupt.received() => break,
            () = hangup.received() => tokio::select! {
                () = service.read_again(file) => {}
                () = interrupt.received() => break,
            },
        }
    }
    let Drain { notice, within } = configuration.drain;
    tracing::info!(?notice, ?within, "draining; another signal ends the process at once");
    let journal = Arc::clone(service.tertulia().journal());
    let draining = async {
        service.gateway().leave();
        sleep(notice).await;
        service.stop(within).await;
    };
    tokio::select! {
        () = draining => {
            if !journal.is_healthy() {
                tracing::error!("stopped; the last events could not be stored");
                return Ok(ExitCode::FAILURE);
            }
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        () = interrupt.received() => {
            tracing::warn!("ended before the drain was complete");
            Ok(ExitCode::FAILURE)
        }
    }
}
