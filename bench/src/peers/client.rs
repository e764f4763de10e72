//! The process of one client. It reads one JSON line for each thing to do, and writes a line when it is done.

use std::{io::Write as _, process::Stdio, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::platform::Ready;

/// How long a client may take for one thing.
const PATIENCE: Duration = Duration::from_secs(180);
/// The environment variable with the [`Assignment`], as JSON.
pub(super) const ASSIGNMENT: &str = "TERTULIA_PEER";

/// What a client is told when it starts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assignment {
    /// The stand-in.
    #[serde(flatten)]
    pub(super) ready: Ready,
    /// The number of bots to log in: `bot1`, `bot2` and so on. The first line of a client says that all are ready for
    /// conversations.
    pub(super) bots: u32,
}

/// What a client must do before it writes the next line.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Ask {
    /// Hold so many conversations since the start.
    Hold { conversations: u32 },
    /// Hear so many messages of consumers since the start, each counted once.
    Hear { messages: u32 },
    /// Drop what is not needed.
    Rest,
}

/// A running client, which ends when it is dropped.
pub(super) struct Client {
    /// The id of the process.
    pub(super) process: u32,
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _child: Child,
    _authority: NamedTempFile,
}

impl Client {
    /// Starts a client and waits until its bots are ready.
    pub(super) async fn start(command: &[String], ready: &Ready, bots: u32) -> anyhow::Result<Self> {
        let (program, arguments) = command.split_first().context("the command is empty")?;
        let mut authority = NamedTempFile::new()?;
        authority.write_all(ready.authority.as_bytes())?;
        let assignment = Assignment { ready: ready.clone(), bots };
        let mut child = Command::new(program)
            .args(arguments)
            .env(ASSIGNMENT, serde_json::to_string(&assignment)?)
            // Node reads the authority when it starts.
            .env("NODE_EXTRA_CA_CERTS", authority.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let (Some(process), Some(asks), Some(answers)) = (child.id(), child.stdin.take(), child.stdout.take()) else {
            anyhow::bail!("{program} has no pipes");
        };
        let answers = BufReader::new(answers).lines();
        let mut client = Self { process, asks, answers, _child: child, _authority: authority };
        client.answer().await.context("the client was never ready")?;
        Ok(client)
    }

    /// Waits until the client has done it.
    pub(super) async fn ask(&mut self, ask: Ask) -> anyhow::Result<()> {
        let line = format!("{}\n", serde_json::to_string(&ask)?);
        self.asks.write_all(line.as_bytes()).await?;
        self.answer().await.with_context(|| format!("the client has not done {ask:?}"))
    }

    async fn answer(&mut self) -> anyhow::Result<()> {
        let line = timeout(PATIENCE, self.answers.next_line()).await.context("the time is over")??;
        line.map(drop).context("the client ended")
    }
}
