//! Chaos: the real service on a misbehaving platform, killed repeatedly, and the proof that nothing was lost or done
//! twice. Backups are taken meanwhile, and one of them is opened.

mod answering;
mod backup;
pub(crate) mod bot;
mod nodes;
pub(crate) mod oracle;
mod outside;
pub(crate) mod plan;
mod proxy;
pub(crate) mod service;
pub(crate) mod stream;
pub(crate) mod trial;
mod trials;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::Context as _;
use jiff::SignedDuration;
use tertulia_emulator::FaultMode;

use outside::{BotCommand, Outside};
use plan::Plan;
use trial::{Setup, Verdict};
use trials::{Outcome, print_violations};

/// The amount of chaos.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tertulia-bench chaos --seeds 20 --kills 4\n  tertulia-bench chaos --nodes 3 --seeds 13\n  tertulia-bench chaos --nodes 3 --seeds 13 \
                  --bot 'python3 bench/bots/bot.py' --bot-kills 3"
)]
pub(crate) struct ChaosOptions {
    /// Number of trials, each with its own seed
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Minutes in which trials are started, instead of a number of trials
    #[arg(long, value_name = "M", conflicts_with = "seeds", value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,
    /// The first seed; the following trials use the following numbers
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How often the service is stopped in each trial, 4 by default; with several nodes the number of faults, 1 by default
    #[arg(long, value_name = "K")]
    kills: Option<u32>,
    /// Trials at the same time: 4 by default, or 1 with several nodes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    together: Option<u64>,
    /// Nodes on one Postgres, which is started with each trial. With several, also the database and the network fail
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = nodes)]
    nodes: usize,
    /// With several nodes: how long a node must be silent before others take over
    #[arg(long, value_name = "T", default_value = "5s", value_parser = lease)]
    lease: Duration,
    /// With several nodes: bots
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    bots: u32,
    /// With several nodes: conversations
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    conversations: u32,
    /// With several nodes: consumers' messages per second
    #[arg(long, value_name = "R", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// With several nodes: the bot reaches them through a proxy that takes the nodes in turns
    #[arg(long)]
    through_proxy: bool,
    /// With several nodes: every second node runs this program
    #[arg(long, value_name = "FILE")]
    old_binary: Option<PathBuf>,
    /// A program with its arguments that answers instead of the bot of this program. Its environment has TERTULIA_URL,
    /// the address of a proxy that takes the nodes in turns; TERTULIA_TOKEN; and TERTULIA_CURSOR, a file that is kept
    /// when the bot is killed. Each reply must contain the text that it answers
    #[arg(long, value_name = "COMMAND")]
    bot: Option<BotCommand>,
    /// How often the program of --bot is killed and started again while consumers send
    #[arg(long, value_name = "N", default_value_t = 0, requires = "bot")]
    bot_kills: u32,
    /// Milliseconds between two backups of the running service; one backup is opened in the end
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    backup_every: u64,
    /// The service to test; without it the service is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Directory for the evidence of failed trials
    #[arg(long, value_name = "DIR", default_value = "target/chaos-evidence")]
    evidence: PathBuf,
    /// Print one JSON object for each trial instead of lines and a table
    #[arg(long)]
    json: bool,
}

impl ChaosOptions {
    /// The bot outside of this program, if it answers.
    fn outside(&self) -> Option<Outside<'_>> {
        Some(Outside { command: self.bot.as_ref()?, kills: self.bot_kills })
    }
}

impl Outcome for Verdict {
    fn violations(&self) -> &[String] {
        &self.violations
    }
}

/// Runs the trials. Fails if any trial finds a violation.
pub(crate) async fn run(options: &ChaosOptions) -> anyhow::Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build()?,
    };
    if options.nodes > 1 {
        return nodes::run(options, &binary).await;
    }
    let kills = options.kills.unwrap_or(4);
    let setup = Setup {
        binary: &binary,
        backup_every: Duration::from_millis(options.backup_every),
        outside: options.outside(),
    };
    let trial = async |seed, directory: &Path| trial::run(Plan::of(seed, kills), &setup, directory).await;
    let all = trials::run(options, 4, trial, |verdict| print(verdict, options)).await?;
    if !options.json {
        print_table(&all);
    }
    let clean = all.iter().all(|verdict| verdict.violations.is_empty());
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn nodes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|nodes| (1..=32).contains(nodes))
        .ok_or_else(|| format!("{text:?} is not a number from 1 to 32"))
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(lease).map_err(|error| error.to_string())
}

/// Builds the service into the directory of this program.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let directory = own.parent().context("the path of this program has no directory")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "tertulia", "--bin", "tertulia"]);
    cargo.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    match directory.file_name().and_then(|profile| profile.to_str()) {
        None | Some("debug") => {}
        // As it is shipped; the build of jemalloc needs `make`.
        Some(profile) => {
            cargo.args(["--features", "jemalloc", "--profile", profile]);
        }
    }
    if let Some(target) = directory.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    anyhow::ensure!(cargo.status().context("cannot run cargo")?.success(), "the service cannot be built");
    Ok(directory.join("tertulia"))
}

fn mode(faults: FaultMode) -> &'static str {
    match faults {
        FaultMode::None => "none",
        FaultMode::Flaky => "flaky",
        FaultMode::Hostile => "hostile",
    }
}

fn print(verdict: &Verdict, options: &ChaosOptions) {
    let Verdict {
        plan,
        lives,
        faults,
        messages,
        replies,
        events,
        breaks,
        backups,
        again,
        bot_runs,
        seconds,
        violations,
    } = verdict;
    let outcome = if violations.is_empty() { "ok" } else { "FAILED" };
    let again: u32 = again.iter().map(|(_, times)| times).sum();
    println!(
        "seed {:>4} {:<7} {outcome}: {messages} messages, {replies} replies, {events} events, {faults} faults, {lives} \
         lives, {breaks} breaks, {backups} backups, asked again {again} times{}, {seconds:.1} s",
        plan.seed,
        mode(plan.faults),
        outside::runs(*bot_runs),
    );
    let replay = format!("chaos --seeds 1 --seed {} --kills {}", plan.seed, plan.ends.len());
    print_violations(violations, options, plan.seed, &replay);
}

fn print_table(all: &[Verdict]) {
    println!(
        "\n| faults | trials | failed | messages | replies | events | faults injected | lives | backups | asked again |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for faults in [FaultMode::None, FaultMode::Flaky, FaultMode::Hostile] {
        let of: Vec<&Verdict> = all.iter().filter(|verdict| verdict.plan.faults == faults).collect();
        let sum = |count: fn(&Verdict) -> u64| of.iter().map(|verdict| count(verdict)).sum::<u64>();
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            mode(faults),
            of.len(),
            sum(|verdict| u64::from(!verdict.violations.is_empty())),
            sum(|verdict| verdict.messages),
            sum(|verdict| verdict.replies),
            sum(|verdict| verdict.events as u64),
            sum(|verdict| verdict.faults),
            sum(|verdict| verdict.lives.into()),
            sum(|verdict| verdict.backups as u64),
            sum(|verdict| verdict.again.iter().map(|(_, times)| u64::from(*times)).sum()),
        );
    }
}
