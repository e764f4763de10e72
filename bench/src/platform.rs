//! The platform stand-in in its own process, so that memory and processor time of the run are only Tertulia's.

use std::{
    io::{BufRead as _, Write as _, stdin, stdout},
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tertulia_emulator::{Emulator, EmulatorConfig, Fault, FaultKind, Side};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// The interval at which due messages are sent.
const TURN: Duration = Duration::from_millis(2);
/// Characters of a consumer's message, including its sending time.
const TEXT: usize = 80;

/// An order to the consumers, at `rate` per second in total; 0 means as fast as possible.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Order {
    /// Open conversations and send a greeting in each.
    Open { conversations: u32, rate: u32 },
    /// Open conversations without a greeting.
    Hold { conversations: u32, rate: u32 },
    /// Send messages in one open conversation after the other, continuing where the last order ended.
    Say { messages: u32, rate: u32 },
    /// Drop the sockets of all agents, as far as they have one.
    Lose,
}

/// The first line: the address, and the certificate authority to trust.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    pub(crate) discovery: String,
    pub(crate) authority: String,
    pub(crate) account: String,
}

/// The sending time in the text of a message from [`serve`].
pub(crate) fn said_at(text: &str) -> Option<SystemTime> {
    let micros = text.split_whitespace().next()?.parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_micros(micros))
}

/// Runs the stand-in until standard input ends: each line is an [`Order`], and an empty line confirms its completion.
pub(crate) fn serve(agents: u32) -> anyhow::Result<()> {
    let emulator = Emulator::start(EmulatorConfig { agents: usize::try_from(agents)?, ..EmulatorConfig::default() })?;
    let ready = Ready {
        discovery: format!("https://{}", emulator.listen()),
        authority: emulator.ca_pem().to_owned(),
        account: emulator.account().to_owned(),
    };
    writeln!(stdout(), "{}", serde_json::to_string(&ready)?)?;
    let mut conversations = Vec::new();
    let mut turn = 0;
    for line in stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Order::Open { conversations: count, rate } => paced(count, rate, || {
                let conversation = emulator.create_conversation(None, None);
                say(&emulator, &conversation)?;
                conversations.push(conversation);
                Ok(())
            })?,
            Order::Hold { conversations: count, rate } => paced(count, rate, || {
                conversations.push(emulator.create_conversation(None, None));
                Ok(())
            })?,
            Order::Lose => {
                let (kind, side, count) = (FaultKind::Drop, Some(Side::Brand), usize::try_from(agents)?);
                emulator.inject(Fault { kind, side, user: None, count, code: None });
            }
            Order::Say { messages, rate } => paced(messages, rate, || {
                turn = (turn + 1) % conversations.len().max(1);
                conversations.get(turn).map_or(Ok(()), |conversation| say(&emulator, conversation))
            })?,
        }
        writeln!(stdout())?;
    }
    Ok(())
}

fn say(emulator: &Emulator, conversation: &str) -> anyhow::Result<()> {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    emulator.say(conversation, &format!("{micros} {:.<1$}", "", TEXT - 17))?;
    Ok(())
}

fn paced(count: u32, rate: u32, mut act: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let begun = Instant::now();
    for number in 0..count {
        while rate > 0 && begun.elapsed().as_secs_f64() * f64::from(rate) < f64::from(number) {
            thread::sleep(TURN);
        }
        act()?;
    }
    Ok(())
}

/// The run's handle of the stand-in, which ends when the handle is dropped.
pub(crate) struct Platform {
    pub(crate) ready: Ready,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Platform {
    /// Starts the stand-in with `agents` agents.
    pub(crate) async fn start(agents: u32) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["platform", "--agents", &agents.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the platform stand-in")?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            anyhow::bail!("the platform stand-in has no pipes");
        };
        let mut answers = BufReader::new(answers).lines();
        let ready = answers.next_line().await?.context("the platform stand-in ended")?;
        Ok(Self { ready: serde_json::from_str(&ready)?, orders, answers, _process: process })
    }

    /// Gives an order and waits for its completion.
    pub(crate) async fn carry_out(&mut self, order: Order) -> anyhow::Result<()> {
        let line = format!("{}\n", serde_json::to_string(&order)?);
        self.orders.write_all(line.as_bytes()).await?;
        self.answers.next_line().await?.context("the platform stand-in ended")?;
        Ok(())
    }
}
