//! The stores alone: commits of typical steps, opening an embedded store with many of them, and nodes on one database.
//!
//! Each part runs in its own process, so that its memory does not include that of the previous part. Every commit is
//! durable.

mod journal;
mod nodes;
mod steps;

use std::{
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{Journal, RecordKey, Retention, Store, Table};

use crate::{machine::Machine, process::processor_time, process::resident_bytes, report::Latency};

use journal::drive;
use nodes::Shared;
use steps::Steps;

/// Records per read.
const PAGE: usize = 1_000;

/// What to measure.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Plan {
    /// Where the stores are created, on the disk to measure
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
    /// Conversations used in turn; one run of commits for each number
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10_000, 100_000], value_parser = clap::value_parser!(u64).range(1..))]
    conversations: Vec<u64>,
    /// Steps per commit; one run for each number
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 10, 100, 1_000], value_parser = clap::value_parser!(u64).range(1..))]
    together: Vec<u64>,
    /// Seconds of each run of commits
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    duration: u64,
    /// Events in the store that is opened; the last number of conversations is used for it
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Nodes on a temporary Postgres in that directory, beside the embedded store; one run for each number, and nothing else is measured
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    nodes: Vec<u32>,
}

/// One part, in its own process.
#[derive(clap::Subcommand, Clone, Debug)]
pub(crate) enum Part {
    /// Commits of this many steps
    Commit { directory: PathBuf, conversations: u64, together: u64, duration: u64 },
    /// Steps through the journal, which groups them
    Journal { directory: PathBuf, conversations: u64, duration: u64 },
    /// Steps of several nodes on one database, each through its journal
    Nodes { directory: PathBuf, conversations: u64, duration: u64, nodes: u32 },
    /// Fills a store and ends as if killed
    Fill { directory: PathBuf, conversations: u64, events: u64 },
    /// Opens the store and reads every conversation
    Open { directory: PathBuf },
}

#[derive(Deserialize, Serialize)]
struct Commits {
    steps_per_second: f64,
    processor_micros_per_step: f64,
    commit: Latency,
    resident_bytes: u64,
}

#[derive(Deserialize, Serialize)]
struct Opened {
    open_millis: u64,
    read_millis: u64,
    conversations: usize,
    events: u64,
    resident_bytes: u64,
}

/// Measures and prints all parts.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    println!("{}\n", Machine::here());
    if !plan.nodes.is_empty() {
        return run_nodes(plan);
    }
    println!(
        "| conversations | steps of a commit | steps/s | own processor time per step | commit p50 / p99 / max | memory |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for &conversations in &plan.conversations {
        for &together in &plan.together {
            let store = tempfile::tempdir_in(&plan.directory)?;
            let arguments = [conversations, together, plan.duration].map(|number| number.to_string());
            print_commits(conversations, &together.to_string(), &part("commit", store.path(), &arguments)?);
        }
        let store = tempfile::tempdir_in(&plan.directory)?;
        let arguments = [conversations, plan.duration].map(|number| number.to_string());
        print_commits(conversations, "as the journal has them", &part("journal", store.path(), &arguments)?);
    }
    println!("\n| opened | conversations | events | open | read all conversations | memory |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let store = tempfile::tempdir_in(&plan.directory)?;
    let conversations = plan.conversations.last().context("--conversations is empty")?;
    let filled = started("fill", store.path(), &[conversations.to_string(), plan.events.to_string()])?;
    anyhow::ensure!(!filled.status.success(), "who fills the store should not end well");
    for name in ["after kill -9", "after a good end"] {
        let Opened { open_millis, read_millis, conversations, events, resident_bytes } =
            part("open", store.path(), &[])?;
        let memory = mebibytes(resident_bytes);
        println!("| {name} | {conversations} | {events} | {open_millis} ms | {read_millis} ms | {memory} |");
    }
    Ok(())
}

/// Measures nodes on one database beside the embedded store.
fn run_nodes(plan: &Plan) -> anyhow::Result<()> {
    println!("| conversations | engine | steps/s | step until durable p50 / p99 / max | until another node sees it |");
    println!("| ---: | --- | ---: | ---: | ---: |");
    for &conversations in &plan.conversations {
        let store = tempfile::tempdir_in(&plan.directory)?;
        let [conversations, duration] = [conversations, plan.duration].map(|number| number.to_string());
        let Commits { steps_per_second, commit, .. } =
            part("journal", store.path(), &[conversations.clone(), duration.clone()])?;
        println!("| {conversations} | embedded | {steps_per_second:.0} | {} | |", commit.in_milliseconds());
        for nodes in &plan.nodes {
            let directory = tempfile::tempdir_in(&plan.directory)?;
            let arguments = [conversations.clone(), duration.clone(), nodes.to_string()];
            let Shared { steps_per_second, commit, seen } = part("nodes", directory.path(), &arguments)?;
            let seen = seen.map(|seen| seen.in_milliseconds()).unwrap_or_default();
            let commit = commit.in_milliseconds();
            println!("| {conversations} | Postgres, nodes: {nodes} | {steps_per_second:.0} | {commit} | {seen} |");
        }
    }
    Ok(())
}

/// Measures one part and prints it as JSON.
pub(crate) fn measure(part: Part) -> anyhow::Result<()> {
    let json = match part {
        Part::Commit { directory, conversations, together, duration } => {
            serde_json::to_string(&commit(&directory, conversations, together, Duration::from_secs(duration))?)?
        }
        Part::Journal { directory, conversations, duration } => {
            serde_json::to_string(&journal(&directory, conversations, Duration::from_secs(duration))?)?
        }
        Part::Nodes { directory, conversations, duration, nodes } => {
            serde_json::to_string(&nodes::measure(&directory, conversations, Duration::from_secs(duration), nodes)?)?
        }
        Part::Fill { directory, conversations, events } => return fill(&directory, conversations, events),
        Part::Open { directory } => serde_json::to_string(&open(&directory)?)?,
    };
    println!("{json}");
    Ok(())
}

fn print_commits(conversations: u64, together: &str, commits: &Commits) {
    let Commits { steps_per_second, processor_micros_per_step, commit, resident_bytes } = commits;
    let memory = mebibytes(*resident_bytes);
    println!(
        "| {conversations} | {together} | {steps_per_second:.0} | {processor_micros_per_step:.1} µs | {} | {memory} |",
        commit.in_milliseconds()
    );
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn part<T: DeserializeOwned>(name: &str, store: &Path, arguments: &[String]) -> anyhow::Result<T> {
    let output = started(name, store, arguments)?;
    anyhow::ensure!(output.status.success(), "the part {name} ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("the part printed no result")
}

fn started(name: &str, store: &Path, arguments: &[String]) -> anyhow::Result<process::Output> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["store-part", name]).arg(store).args(arguments).stderr(Stdio::inherit());
    command.output().context("cannot start a part")
}

/// A store that contains every conversation, and the steps that follow.
fn prepared(directory: &Path, conversations: u64) -> anyhow::Result<(EmbeddedStore, Steps)> {
    let (store, mut steps) = (EmbeddedStore::open(directory)?, Steps::of("bots-1", conversations));
    let mut left = conversations;
    while left > 0 {
        let count = left.min(1_000);
        store.commit(&steps.together(count))?;
        left -= count;
    }
    Ok((store, steps))
}

fn commit(directory: &Path, conversations: u64, together: u64, duration: Duration) -> anyhow::Result<Commits> {
    let (store, mut steps) = prepared(directory, conversations)?;
    let mut micros = Histogram::<u64>::new(3)?;
    let (mut made, mut committing, processor) = (0, Duration::ZERO, processor_time()?);
    let started = Instant::now();
    while started.elapsed() < duration {
        let next = steps.together(together);
        let begun = Instant::now();
        store.commit(&next)?;
        let took = begun.elapsed();
        committing += took;
        micros.record(u64::try_from(took.as_micros())?)?;
        made += together;
    }
    Ok(Commits {
        steps_per_second: made as f64 / committing.as_secs_f64(),
        processor_micros_per_step: (processor_time()? - processor).as_micros() as f64 / made as f64,
        commit: Latency::of(&micros),
        resident_bytes: resident_bytes()?,
    })
}

/// The latency is the time from a step until it is durable.
fn journal(directory: &Path, conversations: u64, duration: Duration) -> anyhow::Result<Commits> {
    // Few enough to stay below the journal's limits.
    const IN_FLIGHT: usize = 2_000;
    let (store, mut steps) = prepared(directory, conversations)?;
    let journal = Journal::start(Arc::new(store), Retention::default())?;
    let (processor, started) = (processor_time()?, Instant::now());
    let (made, micros) = drive(&journal, &mut steps, IN_FLIGHT, duration, None)?;
    Ok(Commits {
        steps_per_second: made as f64 / started.elapsed().as_secs_f64(),
        processor_micros_per_step: (processor_time()? - processor).as_micros() as f64 / made as f64,
        commit: Latency::of(&micros),
        resident_bytes: resident_bytes()?,
    })
}

fn fill(directory: &Path, conversations: u64, events: u64) -> anyhow::Result<()> {
    let (store, mut steps) = prepared(directory, conversations)?;
    while store.history().newest < events {
        let left = events - store.history().newest;
        store.commit(&steps.together(left.min(100)))?;
    }
    process::abort();
}

fn open(directory: &Path) -> anyhow::Result<Opened> {
    let started = Instant::now();
    let store = EmbeddedStore::open(directory)?;
    let opened = started.elapsed();
    let (mut conversations, mut after) = (0, None);
    loop {
        let page = store.scan(Table::Snapshots, &RecordKey::of(&[]), after.as_ref(), PAGE)?;
        let Some(last) = page.last() else { break };
        conversations += page.len();
        after = Some(last.key.clone());
    }
    let history = store.history();
    Ok(Opened {
        open_millis: u64::try_from(opened.as_millis())?,
        read_millis: u64::try_from((started.elapsed() - opened).as_millis())?,
        conversations,
        events: history.newest + 1 - history.oldest,
        resident_bytes: resident_bytes()?,
    })
}
