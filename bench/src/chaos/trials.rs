//! Runs trials, several at the same time. Each trial has a directory of its own, which is kept if the trial fails.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _, stream as streams};
use serde::Serialize;

use super::ChaosOptions;

/// The outcome of one trial.
pub(super) trait Outcome: Serialize {
    /// What must not happen and did.
    fn violations(&self) -> &[String];
}

/// Runs a trial for each seed and prints each outcome. An interrupt ends the trials.
pub(super) async fn run<O: Outcome>(
    options: &ChaosOptions,
    together: u64,
    trial: impl AsyncFn(u64, &Path) -> anyhow::Result<O>,
    print: impl Fn(&O),
) -> anyhow::Result<Vec<O>> {
    let together = usize::try_from(options.together.unwrap_or(together))?;
    let mut outcomes = Box::pin(seeds(options).map(|seed| one(seed, options, &trial)).buffer_unordered(together));
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut all = Vec::new();
    loop {
        let outcome = tokio::select! {
            outcome = outcomes.next() => outcome,
            interrupted = &mut interrupted => {
                interrupted?;
                anyhow::bail!("interrupted");
            }
        };
        let Some(outcome) = outcome.transpose()? else { return Ok(all) };
        if options.json {
            println!("{}", serde_json::to_string(&outcome)?);
        } else {
            print(&outcome);
        }
        all.push(outcome);
    }
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
async fn one<O: Outcome>(
    seed: u64,
    options: &ChaosOptions,
    trial: &impl AsyncFn(u64, &Path) -> anyhow::Result<O>,
) -> anyhow::Result<O> {
    let directory = tempfile::Builder::new().prefix("tertulia-chaos-").tempdir()?;
    let outcome = trial(seed, directory.path()).await.with_context(|| format!("seed {seed}"))?;
    if !outcome.violations().is_empty() {
        let kept = options.evidence.join(format!("seed-{seed}"));
        let _ = fs::remove_dir_all(&kept);
        copy(directory.path(), &kept).with_context(|| format!("cannot keep the evidence in {}", kept.display()))?;
    }
    Ok(outcome)
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

/// Prints the first violations, where the evidence is, and how to replay the trial.
pub(super) fn print_violations(violations: &[String], options: &ChaosOptions, seed: u64, replay: &str) {
    const SHOWN: usize = 10;
    for violation in violations.iter().take(SHOWN) {
        println!("    {violation}");
    }
    if violations.len() > SHOWN {
        println!("    and {} more", violations.len() - SHOWN);
    }
    if !violations.is_empty() {
        let kept = options.evidence.join(format!("seed-{seed}"));
        let bot = options.bot.as_ref().map(|bot| format!(" --bot {bot} --bot-kills {}", options.bot_kills));
        println!("    evidence in {}; replay with: {replay}{}", kept.display(), bot.unwrap_or_default());
    }
}
