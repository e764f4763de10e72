//! `tertulia run` as a process of its own: its configuration, its log, and its end.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use actix_rt::task::JoinHandle;
use rustix::process::{Pid, kill_process};
use serde::Deserialize;
use tertulia_emulator::Emulator;
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

pub use rustix::process::Signal;

/// The variable with the password of the bots.
const PASSWORD: &str = "TERTULIA_DEMO_PASSWORD";
/// How long the log of a process that ended may take to be read.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The address of a gateway, as `host:port`; `None` while it does not listen.
pub type GatewayAddress = watch::Receiver<Option<String>>;

/// A process that is to be started.
#[derive(Debug)]
pub struct ServiceStart<'s> {
    /// The program.
    pub program: &'s Path,
    /// The configuration.
    pub configuration: &'s Path,
    /// The environment, beside `RUST_LOG` of this process and the password of the bots.
    pub variables: &'s [(&'s str, &'s str)],
    /// The file to which the log is appended, as JSON lines.
    pub log: &'s Path,
    /// Whether an interrupt at the terminal is not for the process, so that its owner must end it.
    pub is_apart: bool,
}

/// `tertulia run` as a process of its own. Dropping it kills the process.
#[derive(Debug)]
pub struct ServiceProcess {
    child: Child,
    /// Ends with the process.
    reader: JoinHandle<()>,
}

/// The members of a log line that say where the gateway listens.
#[derive(Deserialize)]
struct Line<'l> {
    message: Option<&'l str>,
    gateway: Option<&'l str>,
}

impl ServiceProcess {
    /// Starts a process. `tell` gets the address of its gateway whenever it listens, and `on_line` each line of its log.
    /// Must be called inside an actix system.
    ///
    /// # Errors
    /// The program cannot be run, or the log cannot be written.
    pub fn start(
        start: &ServiceStart<'_>,
        tell: watch::Sender<Option<String>>,
        mut on_line: impl FnMut(&str) + 'static,
    ) -> io::Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(start.log)?;
        let mut command = Command::new(start.program);
        command.args(["run", "--log-format", "json", "--config"]).arg(start.configuration);
        command.env_clear().env(PASSWORD, "secret");
        if let Some(levels) = std::env::var_os("RUST_LOG") {
            command.env("RUST_LOG", levels);
        }
        command.envs(start.variables.iter().copied());
        if start.is_apart {
            command.process_group(0);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let reader = actix_rt::spawn(async move {
            let mut lines = lines.lines();
            let mut log = File::from_std(log);
            while let Ok(Some(text)) = lines.next_line().await {
                if let Ok(Line { message: Some("running"), gateway: Some(gateway) }) = serde_json::from_str(&text) {
                    tell.send_replace(Some(gateway.to_owned()));
                }
                on_line(&text);
                // The log is for people.
                let _ = log.write_all(format!("{text}\n").as_bytes()).await;
            }
            let _ = log.flush().await;
        });
        Ok(Self { child, reader })
    }

    /// The process id, unless the process ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a signal. A process that ended needs none.
    pub fn signal(&self, signal: Signal) {
        if let Some(id) = self.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
            let _ = kill_process(id, signal);
        }
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// The system refused to wait.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    /// The system refused to look.
    pub fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Kills the process (SIGKILL), which finishes nothing, and waits until its log is read.
    ///
    /// # Errors
    /// The system refused.
    pub async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await?;
        self.read_log().await;
        Ok(())
    }

    /// Makes the process drain (SIGTERM), and waits until its log is read. `None` if the process did not end in time and was
    /// killed.
    ///
    /// # Errors
    /// The system refused.
    pub async fn terminate(mut self, within: Duration) -> io::Result<Option<ExitStatus>> {
        self.signal(Signal::TERM);
        let status = timeout(within, self.child.wait()).await.ok().transpose()?;
        if status.is_none() {
            self.child.kill().await?;
        }
        self.read_log().await;
        Ok(status)
    }

    async fn read_log(self) {
        // A child of the process may keep its standard error open.
        let _ = timeout(READ_WITHIN, self.reader).await;
    }
}

/// Returns a configuration of a service in front of a stand-in whose certificate authority is in the file `authority`. It
/// has the sections `engine`, a gateway at any free port, and a connection for each of the first `bots` logins, named
/// `{prefix}-1` and so on.
#[must_use]
pub fn service_configuration(emulator: &Emulator, authority: &Path, engine: &str, prefix: &str, bots: u32) -> String {
    let (platform, account) = (emulator.listen(), emulator.account());
    let mut text = format!(
        "[platform]\ndiscovery = \"https://{platform}\"\nca_file = {authority:?}\n\n{engine}\n\
         [gateway]\nlisten = \"127.0.0.1:0\"\n",
    );
    for number in 1..=bots {
        text.push_str(&format!(
            "\n[[connections]]\nid = \"{prefix}-{number}\"\naccount = {account:?}\nrole = \"brand\"\n\
             login = {{ username = \"bot{number}\", password = {{ env = \"{PASSWORD}\" }} }}\n\
             rings = \"accept\"\nagent_state = \"ONLINE\"\n",
        ));
    }
    text
}
