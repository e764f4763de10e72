//! The platform stand-in in a process of its own, so that memory and processor time of the run are Tertulia's alone.

use std::{
    io::{BufRead as _, Write as _, stdin, stdout},
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// How often the pace is looked at.
const TURN: Duration = Duration::from_millis(2);
/// Characters of a consumer's message, the time it was said included.
const TEXT: usize = 80;

/// What consumers are to do, `rate` times a second in all; 0 is as fast as it goes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Order {
    /// Open conversations and say hello in each.
    Open { conversations: u32, rate: u32 },
    /// Say something in one open conversation after the other, from where the last order ended.
    Say { messages: u32, rate: u32 },
}

/// The first line: where it listens and whom to trust.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    pub(crate) discovery: String,
    pub(crate) authority: String,
    pub(crate) account: String,
}

/// When a message was said, by the text that [`serve`] gives it.
pub(crate) fn said_at(text: &str) -> Option<SystemTime> {
    let micros = text.split_whitespace().next()?.parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_micros(micros))
}

/// Runs the stand-in until standard input ends: one line for each [`Order`], answered by an empty one when it is done.
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

/// The stand-in as the run sees it. It ends with its owner.
pub(crate) struct Platform {
    pub(crate) ready: Ready,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Platform {
    /// Starts the stand-in with so many agents.
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

    /// Gives an order and waits until it is carried out.
    pub(crate) async fn carry_out(&mut self, order: Order) -> anyhow::Result<()> {
        let line = format!("{}\n", serde_json::to_string(&order)?);
        self.orders.write_all(line.as_bytes()).await?;
        self.answers.next_line().await?.context("the platform stand-in ended")?;
        Ok(())
    }
}
