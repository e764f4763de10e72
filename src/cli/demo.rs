//! `tertulia demo`: bots and consumers on an embedded platform stand-in.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tertulia_emulator::FaultMode;

use super::{Faults, interrupt::Interrupt, loopback_address, open_files};
use crate::{
    bulk::Bulk,
    config::Limits,
    demo::{Cluster, Demo, Length, NodesDemo, Progress, Scale, Summary},
    gateway::{Gateway, Listening, State},
    webhooks::{Settings, Webhooks},
};

/// Conversations per bot by default.
const CONVERSATIONS_PER_BOT: u32 = 250;

/// The size of the demo and its conditions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia demo --conversations 5000 --faults flaky --json")]
pub struct DemoOptions {
    /// Conversations to hold at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub conversations: u32,
    /// Bot connections that answer [default: conversations / 250, at least 1 for each node]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    bots: Option<u32>,
    /// Messages that each consumer sends
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages: u32,
    /// Seconds for which consumers keep sending, instead of a number of messages
    #[arg(long, value_name = "S", conflicts_with = "messages", value_parser = clap::value_parser!(u64).range(1..))]
    pub duration: Option<u64>,
    /// How badly the platform stand-in behaves
    #[arg(long, value_name = "MODE", default_value = "none")]
    pub faults: Faults,
    /// Address of the gateway and the dashboard, on loopback; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback_address)]
    pub listen: SocketAddr,
    /// Run N nodes on one Postgres instead of one process; bots follow and answer at any of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub nodes: Option<u8>,
    /// Kill one node half-way
    #[arg(long, requires = "nodes")]
    pub kill: bool,
    /// Database of the nodes, which get a schema of their own; without it a temporary server is started
    #[arg(long, value_name = "URL", requires = "nodes", env = "TERTULIA_DEMO_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Print only the summary on standard output, as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Keep running until interrupted
    #[arg(long)]
    pub keep: bool,
}

impl DemoOptions {
    /// Number of bot connections, at least 1, and one for each node by default.
    pub fn bots(&self) -> u32 {
        let least = u32::from(self.nodes.unwrap_or(1));
        self.bots.unwrap_or_else(|| (self.conversations / CONVERSATIONS_PER_BOT).max(least))
    }

    fn scale(&self) -> Scale {
        Scale {
            conversations: self.conversations,
            bots: self.bots(),
            length: match self.duration {
                Some(seconds) => Length::Duration(Duration::from_secs(seconds)),
                None => Length::Messages(self.messages),
            },
            faults: match self.faults {
                Faults::None => FaultMode::None,
                Faults::Flaky => FaultMode::Flaky,
                Faults::Hostile => FaultMode::Hostile,
            },
            seed: SEED,
        }
    }
}

/// The seed of a demo's faults: every run has the same faults.
const SEED: u64 = 7;
/// How long requests to the gateway may take at the end.
const GATEWAY_ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How often progress is printed if standard error is not a terminal.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Runs the demo. The exit code is success only if nothing was lost, duplicated or reordered.
pub(super) fn execute(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    open_files::raise_limit();
    actix_rt::System::new().block_on(async {
        match options.nodes {
            Some(nodes) => run_nodes(options, nodes.into()).await,
            None => run(options).await,
        }
    })
}

async fn run(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    let mut interrupt = Interrupt::listen()?;
    let demo = Demo::start(options.scale())?;
    // People who try the demo have their receivers on the same machine.
    let webhooks = Webhooks::start(demo.tertulia(), Settings { allow_internal: true, ..Settings::default() });
    let bulk = Bulk::start(Arc::clone(demo.tertulia()));
    let (tertulia, limits) = (Arc::clone(demo.tertulia()), Limits::default());
    let state = State::new(tertulia, Arc::clone(&webhooks), Arc::clone(&bulk), &[], &limits);
    let gateway = Gateway::start(state, Listening::plain(options.listen))?;
    // A closed standard error does not end the demo.
    let _ = writeln!(io::stderr(), "gateway: http://{}", gateway.address());
    let mut teller = Teller::new(options.json);
    let outcome = tokio::select! {
        summary = demo.run(|progress| teller.tell(progress)) => Some(summary?),
        () = interrupt.received() => None,
    };
    teller.finish();
    if let Some(summary) = &outcome {
        print(summary, options.json)?;
        if options.keep {
            interrupt.received().await;
        }
    }
    tokio::join!(gateway.stop(GATEWAY_ENDS_WITHIN), webhooks.stop(GATEWAY_ENDS_WITHIN), bulk.stop(GATEWAY_ENDS_WITHIN));
    drop(bulk);
    demo.stop().await;
    let clean = outcome.is_some_and(|summary| summary.is_clean());
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_nodes(options: &DemoOptions, nodes: usize) -> anyhow::Result<ExitCode> {
    let mut interrupt = Interrupt::listen()?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let cluster = Cluster { nodes, kill: options.kill, database: options.database.clone(), program };
    let mut demo = tokio::select! {
        demo = NodesDemo::start(options.scale(), cluster) => demo?,
        () = interrupt.received() => return Ok(ExitCode::FAILURE),
    };
    for gateway in demo.gateways() {
        let _ = writeln!(io::stderr(), "gateway: http://{gateway}");
    }
    let mut teller = Teller::new(options.json);
    let outcome = tokio::select! {
        summary = demo.run(|progress| teller.tell(progress)) => Some(summary),
        () = interrupt.received() => None,
    };
    teller.finish();
    if let Some(Ok(summary)) = &outcome {
        print(summary, options.json)?;
        if options.keep {
            interrupt.received().await;
        }
    }
    demo.stop().await;
    let clean = outcome.transpose()?.is_some_and(|summary| summary.is_clean());
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(summary: &Summary, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(summary)?)?;
    } else {
        writeln!(out, "{summary}")?;
    }
    Ok(())
}

/// Shows the progress on standard error: a bar on a terminal, lines otherwise.
struct Teller {
    bar: Option<ProgressBar>,
    reported: Instant,
}

impl Teller {
    fn new(json: bool) -> Self {
        let bar = (io::stderr().is_terminal() && !json).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{msg:>9} {wide_bar} {pos}/{len} {elapsed}");
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self { bar, reported: Instant::now() }
    }

    fn tell(&mut self, progress: Progress) {
        let (what, done, of) = match progress {
            Progress::Opening { open, of } => ("opening", open, Some(of)),
            Progress::Speaking { answered, of } => ("answered", answered, of),
        };
        match &self.bar {
            Some(bar) => {
                bar.set_message(what);
                bar.set_length(of.unwrap_or(done));
                bar.set_position(done);
            }
            None if self.reported.elapsed() >= REPORT_EVERY => {
                self.reported = Instant::now();
                let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
                let _ = writeln!(io::stderr(), "{what} {done}{of}");
            }
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: DemoOptions,
    }

    fn parse(arguments: &[&str]) -> Result<DemoOptions, clap::Error> {
        Line::try_parse_from([&["demo"], arguments].concat()).map(|line| line.options)
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.conversations, options.bots(), options.messages, options.duration), (1000, 4, 10, None));
        assert_eq!(options.faults, Faults::None);
        assert!(options.listen.ip().is_loopback() && !options.json && !options.keep);
    }

    #[test]
    fn there_is_at_least_one_bot() {
        assert_eq!(parse(&["--conversations", "3"]).unwrap().bots(), 1);
        assert_eq!(parse(&["--conversations", "3", "--bots", "2"]).unwrap().bots(), 2);
        assert_eq!(parse(&["--conversations", "3", "--nodes", "3"]).unwrap().bots(), 3);
        assert!(parse(&["--bots", "0"]).is_err());
    }

    #[test]
    fn a_duration_replaces_the_number_of_messages() {
        assert_eq!(parse(&["--duration", "5"]).unwrap().duration, Some(5));
        assert!(parse(&["--duration", "5", "--messages", "5"]).is_err());
    }

    #[test]
    fn only_nodes_can_be_killed() {
        assert!(parse(&["--nodes", "3", "--kill"]).unwrap().kill);
        assert!(parse(&["--kill"]).is_err() && parse(&["--nodes", "0"]).is_err());
    }

    #[test]
    fn the_gateway_of_a_demo_has_no_tokens_and_stays_on_loopback() {
        assert!(parse(&["--listen", "0.0.0.0:8080"]).is_err());
        assert!(parse(&["--listen", "[::1]:0"]).is_ok());
    }
}
