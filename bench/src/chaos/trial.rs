//! One trial: a platform, the service with its ends, the bot, and the comparison in the end.

use std::{
    fs,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_rt::time::{sleep, sleep_until, timeout};
use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use tertulia_emulator::{Emulator, EmulatorConfig, FaultMode, LedgerEntry, TrafficSpec};

use super::{
    backup::{self, Backups},
    bot::{self, Notes},
    oracle::{Evidence, violations},
    plan::{Plan, Signal},
    service::Service,
    stream::{Cursor, EventStream},
};

/// How long everything may take to be answered once the platform behaves and the service stays.
const ANSWERED_WITHIN: Duration = Duration::from_secs(180);
/// How long the whole log may take to be read.
const READ_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether all is answered.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What became of a trial.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) plan: Plan,
    pub(crate) lives: u32,
    pub(crate) faults: u64,
    pub(crate) messages: u64,
    pub(crate) replies: u64,
    pub(crate) events: usize,
    /// How often the bot's stream broke.
    pub(crate) breaks: u32,
    /// Backups that were taken.
    pub(crate) backups: usize,
    /// How often an answer was asked for again, and what was said instead of it.
    pub(crate) again: Vec<(String, u32)>,
    pub(crate) seconds: f64,
    /// What does not hold.
    pub(crate) violations: Vec<String>,
}

/// Carries a plan out in `directory`, which keeps everything that was seen.
pub(crate) async fn run(
    plan: Plan,
    binary: &Path,
    directory: &Path,
    backup_every: Duration,
) -> anyhow::Result<Verdict> {
    let begun = Instant::now();
    let agents = usize::try_from(plan.bots)?;
    let emulator = Emulator::start(EmulatorConfig { agents, seed: plan.seed, ..EmulatorConfig::default() })?;
    let mut service = Service::new(binary, directory, &emulator, plan.bots)?;
    let notes = Rc::new(Notes::default());
    let mut log = Vec::new();
    let backups = Backups::default();
    let (binary, target) = (binary.to_owned(), directory.to_owned());
    let taking = backup::take(backup_every, binary, target, service.address(), Rc::clone(&notes), Rc::clone(&backups));
    let taking = actix_rt::spawn(taking);
    let mut start = None;
    let outcome = carry_out(&plan, &emulator, &mut service, &notes, &mut start, &mut log).await;
    taking.abort();
    service.end(Signal::Kill).await?;
    let ledger: Vec<LedgerEntry> = emulator.ledger().iter().collect();
    let mut found;
    {
        let (heard, answers) = (notes.heard.borrow(), notes.answers.borrow());
        found = match outcome {
            Ok(()) => violations(&Evidence { ledger: &ledger, log: &log, heard: &heard, answers: &answers }),
            // It was not carried through, so that much is missing for no other reason.
            Err(failure) => vec![format!("{failure:#}")],
        };
        // Without the whole log there is nothing to compare with.
        if found.is_empty()
            && let Some(start) = &start
        {
            backup::check(&backups.borrow(), plan.seed, plan.bots, start, &log, &mut found);
        }
        keep(directory, "ledger", &ledger)?;
        keep(directory, "log", log.iter().map(|(_, event)| event))?;
        keep(directory, "heard", heard.iter().map(|(_, event)| event))?;
    }
    let summary = emulator.summary();
    let mut again: Vec<(String, u32)> = notes.again.take().into_iter().collect();
    again.sort();
    let verdict = Verdict {
        plan,
        lives: service.lives,
        faults: summary.faults,
        messages: summary.consumer_messages,
        replies: summary.agent_messages,
        events: log.len(),
        breaks: notes.breaks.get(),
        backups: backups.borrow().len(),
        again,
        seconds: begun.elapsed().as_secs_f64(),
        violations: found,
    };
    fs::write(directory.join("verdict.json"), serde_json::to_string_pretty(&verdict)?)?;
    Ok(verdict)
}

async fn carry_out(
    plan: &Plan,
    emulator: &Emulator,
    service: &mut Service,
    notes: &Rc<Notes>,
    begun: &mut Option<Cursor>,
    log: &mut Vec<(Option<Cursor>, Value)>,
) -> anyhow::Result<()> {
    service.start().await?;
    let start = newest(&service.listening().await?).await?;
    *begun = Some(start.clone());
    let bot = actix_rt::spawn(bot::run(service.address(), start.clone(), Rc::clone(notes)));
    let spoken = speak(plan, emulator, service).await;
    let answered = match spoken {
        Ok(()) => {
            emulator.set_faults(FaultMode::None, 0);
            answered(emulator, service, notes).await
        }
        spoken => spoken,
    };
    bot.abort();
    answered?;
    // What is read in the end comes from the store, not from memory.
    service.end(Signal::Kill).await?;
    service.start().await?;
    timeout(READ_WITHIN, read(&service.listening().await?, start, log)).await.context("the log cannot be read")?
}

/// Lets consumers speak, and ends the service at its times.
async fn speak(plan: &Plan, emulator: &Emulator, service: &mut Service) -> anyhow::Result<()> {
    emulator.set_faults(plan.faults, plan.seed);
    let begun = Instant::now();
    let traffic = emulator.traffic(TrafficSpec {
        conversations: plan.conversations.into(),
        messages: plan.messages.into(),
        rate: plan.rate.into(),
        ..TrafficSpec::default()
    });
    for end in &plan.ends {
        tokio::select! {
            () = sleep_until((begun + end.at).into()) => {}
            status = service.fell() => anyhow::bail!("the service ended by itself with {}", status?),
        }
        service.end(end.by).await?;
        sleep(end.away).await;
        service.start().await?;
    }
    while emulator.traffic_progress(&traffic).is_some_and(|progress| !progress.done) {
        stay(service).await?;
    }
    Ok(())
}

/// A moment in which the service must not end.
async fn stay(service: &mut Service) -> anyhow::Result<()> {
    tokio::select! {
        () = sleep(LOOK_EVERY) => Ok(()),
        status = service.fell() => anyhow::bail!("the service ended by itself with {}", status?),
    }
}

/// Waits until every message was heard, the bot's own too, and the answer to each of a consumer is known.
async fn answered(emulator: &Emulator, service: &mut Service, notes: &Notes) -> anyhow::Result<()> {
    let deadline = Instant::now() + ANSWERED_WITHIN;
    loop {
        let summary = emulator.summary();
        let (said, done) = (summary.consumer_messages, notes.done() as u64);
        let (all, heard) = (said + summary.agent_messages, notes.heard.borrow().len() as u64);
        if done == said && heard >= all {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{done} of {said} messages are answered and {heard} of {all} heard after {ANSWERED_WITHIN:?}"
        );
        stay(service).await?;
    }
}

/// The newest place of the log.
pub(crate) async fn newest(address: &str) -> anyhow::Result<Cursor> {
    let mut stream = EventStream::open(address, "/v1/events", None).await?;
    loop {
        if let Some(id) = stream.next().await?.id {
            return Ok(id);
        }
    }
}

/// Reads the log from a place to its end.
async fn read(address: &str, from: Cursor, log: &mut Vec<(Option<Cursor>, Value)>) -> anyhow::Result<()> {
    let end = newest(address).await?;
    let mut stream = EventStream::open(address, "/v1/events", Some(&from)).await?;
    loop {
        let block = stream.next().await?;
        let is_last = block.id.as_ref().is_some_and(|id| id.offset >= end.offset);
        if let Some(event) = block.event {
            log.push((block.id, event));
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Keeps what was seen, one line each.
fn keep<T: Serialize>(directory: &Path, name: &str, lines: impl IntoIterator<Item = T>) -> anyhow::Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    fs::write(directory.join(format!("{name}.ndjson")), text)?;
    Ok(())
}
