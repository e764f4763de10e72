//! The service under test: the real binary in its own process, on a directory that survives its restarts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use actix_rt::time::timeout;
use anyhow::Context as _;
use tertulia::demo::{GatewayAddress, ServiceProcess, ServiceStart, service_configuration};
use tertulia_emulator::Emulator;
use tokio::sync::watch;

use super::plan::Signal;

/// How long a drain may take before it counts as hung: longer than the service's own limit.
const DRAINED_WITHIN: Duration = Duration::from_secs(40);

/// The service's current address; `None` while it is stopped.
pub(crate) type Address = GatewayAddress;

/// The service and its restarts.
pub(crate) struct Service {
    binary: PathBuf,
    configuration: PathBuf,
    log: PathBuf,
    process: Option<ServiceProcess>,
    tell: watch::Sender<Option<String>>,
    /// How often the service was started.
    pub(crate) lives: u32,
}

impl Service {
    /// A service that is not started yet; all its files are in `directory`.
    pub(crate) fn new(binary: &Path, directory: &Path, emulator: &Emulator, bots: u32) -> anyhow::Result<Self> {
        let authority = directory.join("ca.pem");
        emulator.write_ca(&authority)?;
        let engine = format!("[engine]\nkind = \"embedded\"\npath = {:?}\n", directory.join("data"));
        let configuration = directory.join("tertulia.toml");
        fs::write(&configuration, service_configuration(emulator, &authority, &engine, "bots", bots))?;
        Ok(Self {
            binary: binary.to_owned(),
            configuration,
            log: directory.join("service.log"),
            process: None,
            tell: watch::Sender::new(None),
            lives: 0,
        })
    }

    /// The service's address.
    pub(crate) fn address(&self) -> Address {
        self.tell.subscribe()
    }

    /// Starts the service without waiting until it listens.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let start = ServiceStart {
            program: &self.binary,
            configuration: &self.configuration,
            variables: &[],
            log: &self.log,
            is_apart: false,
        };
        let process = ServiceProcess::start(&start, self.tell.clone(), |_| {});
        self.process = Some(process.with_context(|| format!("cannot start {}", self.binary.display()))?);
        self.lives += 1;
        Ok(())
    }

    /// Waits until the service listens.
    pub(crate) async fn listening(&self) -> anyhow::Result<String> {
        let mut address = self.address();
        let listening = timeout(Duration::from_secs(60), address.wait_for(Option::is_some)).await;
        let address = listening.context("the service does not listen")??.clone();
        address.context("the service does not listen")
    }

    /// The process id, if the service runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(ServiceProcess::id)
    }

    /// Waits until the service ends unexpectedly.
    pub(crate) async fn fell(&mut self) -> anyhow::Result<ExitStatus> {
        match &mut self.process {
            Some(process) => Ok(process.ended().await?),
            None => std::future::pending().await,
        }
    }

    /// Stops the service. A drain must end by itself, in time and with success.
    pub(crate) async fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let Some(process) = self.process.take() else { return Ok(()) };
        match signal {
            Signal::Kill => process.kill().await?,
            Signal::Terminate => {
                // A service that ended before it handled signals had nothing to drain.
                let was_running = self.tell.borrow().is_some();
                let status = process.terminate(DRAINED_WITHIN).await?.context("the drain did not end")?;
                anyhow::ensure!(status.success() || !was_running, "the drain ended with {status}");
            }
        }
        self.tell.send_replace(None);
        Ok(())
    }
}
