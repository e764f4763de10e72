//! `tertulia run`: the service.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rustix::{fs::Mode, process::umask};
use tokio::{sync::oneshot, time::sleep};

use super::{
    allocator, init,
    interrupt::{Hangup, Interrupt},
    open_files,
};
use crate::{
    config::{Configuration, ConfigurationError, DEFAULT_FILE, Drain, Environment},
    service::{OpenedStore, Service, ServiceError},
    telemetry::{self, Export, LogFormat},
};

/// How long the last spans may take to be exported.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// How long a service that was fenced may take to stop.
const FENCED_WITHIN: Duration = Duration::from_secs(5);
/// The pause before the database is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Options of `tertulia run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  TERTULIA_GATEWAY__LISTEN=127.0.0.1:9090 tertulia run --config tertulia.toml")]
pub struct RunOptions {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
}

/// Runs until SIGINT or SIGTERM, then drains; a second signal ends the process at once. SIGHUP reads the gateway's
/// tokens, limits, allowed origins and certificate again, and the certificates of the node.
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
    let served = serve(configuration, &options.config, hangup).await;
    if let Some(exporting) = exporting {
        exporting.flush(FLUSH_WITHIN).await;
    }
    served
}

async fn serve(configuration: Configuration, file: &Path, mut hangup: Hangup) -> anyhow::Result<ExitCode> {
    let mut interrupt = Interrupt::listen().context("cannot listen for signals")?;
    let configuration = Arc::new(configuration);
    let service = loop {
        let Some(service) = begin(&configuration, &mut interrupt).await? else { return Ok(ExitCode::SUCCESS) };
        if attend(&service, file, &mut interrupt, &mut hangup).await == Attended::Interrupted {
            break service;
        }
        // Nothing more can be written or sent. Others have the duties already.
        tracing::warn!("starting again, because this node was fenced");
        service.stop(FENCED_WITHIN).await;
    };
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

/// Why nobody attends to a service any more.
#[derive(PartialEq, Eq)]
enum Attended {
    /// The process is to end.
    Interrupted,
    /// Another node has fenced this one.
    Fenced,
}

/// Starts a service, and tries again while the database does not answer; `None` if the process is to end meanwhile.
async fn begin(configuration: &Arc<Configuration>, interrupt: &mut Interrupt) -> anyhow::Result<Option<Service>> {
    loop {
        let (report, opening) = oneshot::channel();
        let of = Arc::clone(configuration);
        // A thread of its own: the process must not wait for the thread when it is told to end.
        thread::Builder::new().name("opening".to_owned()).spawn(move || {
            // Nobody may wait any more.
            drop(report.send(OpenedStore::open(&of)));
        })?;
        let opened = tokio::select! {
            opened = opening => opened.context("the store could not be opened")?,
            () = interrupt.received() => return Ok(None),
        };
        match opened {
            Ok(opened) => {
                let service = Service::begin(configuration, opened)?;
                let gateway = service.gateway().address();
                tracing::info!(%gateway, connections = configuration.connections.len(), "running");
                return Ok(Some(service));
            }
            Err(ServiceError::Database(error)) if error.is_temporary() => {
                tracing::error!(%error, "waiting for the database");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = sleep(AGAIN_AFTER) => {}
            () = interrupt.received() => return Ok(None),
        }
    }
}

/// Attends to signals while the service runs.
async fn attend(service: &Service, file: &Path, interrupt: &mut Interrupt, hangup: &mut Hangup) -> Attended {
    loop {
        tokio::select! {
            () = interrupt.received() => return Attended::Interrupted,
            () = service.fenced() => return Attended::Fenced,
            () = hangup.received() => tokio::select! {
                () = service.read_again(file, Environment::of_process()) => {}
                () = interrupt.received() => return Attended::Interrupted,
            },
        }
    }
}
