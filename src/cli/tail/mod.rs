//! `tertulia tail`: follows the event stream of a running service in the terminal.

mod line;
mod source;

use std::{io, process::ExitCode, time::Duration};

use anyhow::Context as _;
use tertulia_actors::core::session::Backoff;
use tokio::{
    io::{AsyncWriteExt as _, Stdout, stdout},
    task::LocalSet,
    time::sleep,
};

use super::{gateway::GatewayOptions, interrupt::Interrupt};
use source::{Broken, Source};

/// The pauses between two attempts to open a stream, unless the service sent a pause.
const AGAIN: Backoff =
    Backoff { floor: Duration::from_millis(500), base: Duration::from_secs(1), max: Duration::from_secs(15) };

/// The events to follow.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia tail --type message --type transfer-skill")]
pub struct TailOptions {
    /// Where the service is, and the token to use.
    #[command(flatten)]
    pub gateway: GatewayOptions,
    /// Only events of this connection; may be given several times
    #[arg(long, value_name = "ID")]
    pub connection: Vec<String>,
    /// Only events of this conversation; may be given several times
    #[arg(long, value_name = "ID")]
    pub conversation: Vec<String>,
    /// Only events of this type, with or without `tertulia.` before it; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Vec<String>,
    /// Begin after the event with this id, instead of with the next new event
    #[arg(long, value_name = "EVENT_ID")]
    pub after: Option<String>,
    /// Print each whole event as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Follows the events until SIGINT or SIGTERM, or until standard output is closed. A broken stream is opened again
/// after the last event that was printed.
pub(super) fn execute(options: &TailOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = LocalSet::new().block_on(&runtime, async {
        let mut interrupt = Interrupt::listen().context("cannot listen for signals")?;
        tokio::select! {
            outcome = follow(options) => outcome,
            () = interrupt.received() => Ok(()),
        }
    });
    // Does not wait for a blocked print, for example to a pager.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn follow(options: &TailOptions) -> anyhow::Result<()> {
    let mut source = Source::new(options)?;
    let mut printed = stdout();
    let mut tries = 0;
    loop {
        match follow_once(&mut source, options.json, &mut printed, &mut tries).await {
            Err(Broken::ForGood(why)) => return Err(why),
            Err(Broken::NobodyReads) => return Ok(()),
            Err(Broken::ForNow { why, pause }) => {
                let by_itself = AGAIN.delay(tries, rand::random());
                let pause = pause.filter(|_| tries == 0).unwrap_or(by_itself);
                tracing::warn!("{why}; retrying in {:.1} s", pause.as_secs_f64());
                tries += 1;
                sleep(pause).await;
            }
            Ok(never) => match never {},
        }
    }
}

/// Prints the events of one stream until the stream breaks.
async fn follow_once(
    source: &mut Source,
    json: bool,
    printed: &mut Stdout,
    tries: &mut u32,
) -> Result<std::convert::Infallible, Broken> {
    let mut stream = source.open().await?;
    loop {
        let blocks = stream.next().await?;
        *tries = 0;
        let mut text = String::new();
        for data in blocks.iter().filter_map(|block| block.data.as_deref()) {
            text.push_str(&if json { line::whole(data) } else { line::readable(data) });
            text.push('\n');
        }
        if !text.is_empty() {
            print(printed, &text).await.map_err(|_| Broken::NobodyReads)?;
        }
        // After the print, so that a broken stream resumes after the last printed event.
        source.advance(blocks);
    }
}

async fn print(printed: &mut Stdout, text: &str) -> io::Result<()> {
    printed.write_all(text.as_bytes()).await?;
    printed.flush().await
}
