//! Chaos: the real service on a misbehaving platform, killed repeatedly, and the proof that nothing was lost or done
//! twice. Backups are taken meanwhile, and one of them is opened.

mod backup;
pub(crate) mod bot;
mod nodes;
pub(crate) mod oracle;
pub(crate) mod plan;
pub(crate) mod service;
pub(crate) mod stream;
pub(crate) mod trial;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _, stream as streams};
use jiff::SignedDuration;
use tertulia_emulator::FaultMode;

use plan::Plan;
use trial::Verdict;

/// The amount of chaos.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tertulia-bench chaos --seeds 20 --kills 4\n  tertulia-bench chaos --nodes 3 --seeds 13"
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
    let mut verdicts = seeds(options)
        .map(|seed| trial(Plan::of(seed, kills), &binary, options))
        .buffer_unordered(usize::try_from(options.together.unwrap_or(4))?);
    let mut all = Vec::new();
    while let Some(verdict) = verdicts.next().await {
        let verdict = verdict?;
        if options.json {
            println!("{}", serde_json::to_string(&verdict)?);
        } else {
            print(&verdict, options);
        }
        all.push(verdict);
    }
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

/// The seeds of the trials, each when its trial may begin.
fn seeds(options: &ChaosOptions) -> impl Stream<Item = u64> {
    let until = options.minutes.map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let goes_on = move |number: &u64| match until {
        Some(until) => Instant::now() < until,
        None => *number < options.seeds,
    };
    streams::iter((0..).take_while(goes_on)).map(|number| options.seed + number)
}

/// One trial in its own directory, which is kept if the trial fails.
async fn trial(plan: Plan, binary: &Path, options: &ChaosOptions) -> anyhow::Result<Verdict> {
    let backup_every = Duration::from_millis(options.backup_every);
    let seed = plan.seed;
    let directory = tempfile::Builder::new().prefix("tertulia-chaos-").tempdir()?;
    let verdict =
        trial::run(plan, binary, directory.path(), backup_every).await.with_context(|| format!("seed {seed}"))?;
    if !verdict.violations.is_empty() {
        keep_evidence(directory.path(), options, seed)?;
    }
    Ok(verdict)
}

fn keep_evidence(directory: &Path, options: &ChaosOptions, seed: u64) -> anyhow::Result<()> {
    let kept = options.evidence.join(format!("seed-{seed}"));
    let _ = fs::remove_dir_all(&kept);
    copy(directory, &kept).with_context(|| format!("cannot keep the evidence in {}", kept.display()))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
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
    let Verdict { plan, lives, faults, messages, replies, events, breaks, backups, again, seconds, violations } =
        verdict;
    let outcome = if violations.is_empty() { "ok" } else { "FAILED" };
    let again: u32 = again.iter().map(|(_, times)| times).sum();
    println!(
        "seed {:>4} {:<7} {outcome}: {messages} messages, {replies} replies, {events} events, {faults} faults, {lives} \
         lives, {breaks} breaks, {backups} backups, asked again {again} times, {seconds:.1} s",
        plan.seed,
        mode(plan.faults),
    );
    let replay = format!("chaos --seeds 1 --seed {} --kills {}", plan.seed, plan.ends.len());
    print_violations(violations, options, plan.seed, &replay);
}

fn print_violations(violations: &[String], options: &ChaosOptions, seed: u64, replay: &str) {
    const SHOWN: usize = 10;
    for violation in violations.iter().take(SHOWN) {
        println!("    {violation}");
    }
    if violations.len() > SHOWN {
        println!("    and {} more", violations.len() - SHOWN);
    }
    if !violations.is_empty() {
        let kept = options.evidence.join(format!("seed-{seed}"));
        println!("    evidence in {}; replay with: {replay}", kept.display());
    }
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
