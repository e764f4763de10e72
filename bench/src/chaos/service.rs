//! The service under test: the real binary in its own process, on a directory that survives its restarts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use actix_rt::task::JoinHandle;
use anyhow::Context as _;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tertulia_emulator::Emulator;
use tokio::{
    fs::OpenOptions,
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use super::plan::Signal;

/// How long a drain may take before it counts as hung: longer than the service's own limit.
const DRAINED_WITHIN: Duration = Duration::from_secs(40);

/// The service's current address; `None` while it is stopped.
pub(crate) type Address = watch::Receiver<Option<String>>;

/// The service and its restarts.
pub(crate) struct Service {
    binary: PathBuf,
    configuration: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    reader: Option<JoinHandle<()>>,
    tell: watch::Sender<Option<String>>,
    /// How often the service was started.
    pub(crate) lives: u32,
}

impl Service {
    /// A service that is not started yet; all its files are in `directory`.
    pub(crate) fn new(binary: &Path, directory: &Path, emulator: &Emulator, bots: u32) -> anyhow::Result<Self> {
        let authority = directory.join("ca.pem");
        emulator.write_ca(&authority)?;
        let mut text = format!(
            "[platform]\ndiscovery = \"https://{}\"\nca_file = {authority:?}\n\n[engine]\nkind = \"embedded\"\n\
             path = {:?}\n\n[gateway]\nlisten = \"127.0.0.1:0\"\n",
            emulator.listen(),
            directory.join("data"),
        );
        for number in 1..=bots {
            text.push_str(&format!(
                "\n[[connections]]\nid = \"bots-{number}\"\naccount = {:?}\nrole = \"brand\"\n\
                 login = {{ username = \"bot{number}\", password = {{ env = \"BOT_PASSWORD\" }} }}\n\
                 rings = \"accept\"\nagent_state = \"ONLINE\"\n",
                emulator.account(),
            ));
        }
        let configuration = directory.join("tertulia.toml");
        fs::write(&configuration, text)?;
        Ok(Self {
            binary: binary.to_owned(),
            configuration,
            log: directory.join("service.log"),
            child: None,
            reader: None,
            tell: watch::Sender::new(None),
            lives: 0,
        })
    }

    /// The service's address.
    pub(crate) fn address(&self) -> Address {
        self.tell.subscribe()
    }

    /// Starts the service without waiting until it listens.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let mut child = Command::new(&self.binary)
            .args(["run", "--log-format", "json", "--config"])
            .arg(&self.configuration)
            .env_clear()
            .env("BOT_PASSWORD", "secret")
            .envs(std::env::var_os("RUST_LOG").map(|levels| ("RUST_LOG", levels)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        self.lives += 1;
        let lines = BufReader::new(child.stderr.take().context("the service has no standard error")?);
        let mut log = OpenOptions::new().create(true).append(true).open(&self.log).await?;
        let tell = self.tell.clone();
        self.child = Some(child);
        // Ends with the process.
        self.reader = Some(actix_rt::spawn(async move {
            let mut lines = lines.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(Value::Object(entry)) = serde_json::from_str(&line)
                    && entry.get("message").is_some_and(|message| message == "running")
                    && let Some(gateway) = entry.get("gateway").and_then(Value::as_str)
                {
                    tell.send_replace(Some(gateway.to_owned()));
                }
                let _ = log.write_all(format!("{line}\n").as_bytes()).await;
            }
        }));
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
        self.child.as_ref().and_then(Child::id)
    }

    /// Waits until the service ends unexpectedly.
    pub(crate) async fn fell(&mut self) -> anyhow::Result<ExitStatus> {
        match &mut self.child {
            Some(child) => Ok(child.wait().await?),
            None => std::future::pending().await,
        }
    }

    /// Stops the service. A drain must end by itself, in time and with success.
    pub(crate) async fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if signal == Signal::Terminate
            && let Some(id) = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?))
        {
            kill_process(id, rustix::process::Signal::TERM)?;
            // A service that ended before it handled signals had nothing to drain.
            let was_running = self.tell.borrow().is_some();
            let status = timeout(DRAINED_WITHIN, child.wait()).await.context("the drain did not end")??;
            anyhow::ensure!(status.success() || !was_running, "the drain ended with {status}");
        } else {
            child.kill().await?;
        }
        // All log lines are read before the service starts again.
        if let Some(reader) = self.reader.take() {
            timeout(DRAINED_WITHIN, reader).await.context("the service's standard error stays open")??;
        }
        self.tell.send_replace(None);
        Ok(())
    }
}
