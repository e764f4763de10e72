//! One trial: a platform, the service with its stops, the bot, and the final comparison.

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
    answering::Answering,
    backup::{self, Backups},
    bot::Notes,
    oracle::{Answers, Evidence, violations},
    outside::{Course, Outside, OutsideBot},
    plan::{Plan, Signal},
    service::Service,
    stream::{Cursor, EventStream},
};

/// How long all answers may take once the platform behaves and the service keeps running.
const ANSWERED_WITHIN: Duration = Duration::from_secs(180);
/// How long reading the whole log may take.
const READ_WITHIN: Duration = Duration::from_secs(60);
/// The interval between checks whether everything is answered.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The outcome of a trial.
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
    /// The number of completed backups.
    pub(crate) backups: usize,
    /// How often requests were repeated, by the response that made it necessary.
    pub(crate) again: Vec<(String, u32)>,
    /// How often the bot outside was started, if one answers.
    pub(crate) bot_runs: Option<u32>,
    pub(crate) seconds: f64,
    /// The violations.
    pub(crate) violations: Vec<String>,
}

/// What all trials have in common.
pub(super) struct Setup<'s> {
    pub(super) binary: &'s Path,
    pub(super) backup_every: Duration,
    /// The bot outside of this program, if it answers.
    pub(super) outside: Option<Outside<'s>>,
}

/// Runs a plan in `directory`, which keeps all evidence.
pub(super) async fn run(plan: Plan, setup: &Setup<'_>, directory: &Path) -> anyhow::Result<Verdict> {
    let Setup { binary, backup_every, outside } = *setup;
    let begun = Instant::now();
    let agents = usize::try_from(plan.bots)?;
    let emulator = Emulator::start(EmulatorConfig { agents, seed: plan.seed, ..EmulatorConfig::default() })?;
    let mut service = Service::new(binary, directory, &emulator, plan.bots)?;
    let notes = Rc::new(Notes::default());
    let mut seen = Seen::default();
    let backups = Backups::default();
    let (binary, target) = (binary.to_owned(), directory.to_owned());
    let taking = backup::take(backup_every, binary, target, service.address(), Rc::clone(&notes), Rc::clone(&backups));
    let taking = actix_rt::spawn(taking);
    let bot = match outside {
        None => None,
        Some(outside) => {
            let gateways = vec![service.address()];
            Some(OutsideBot::start(outside, plan.seed, plan.speaking(), gateways, directory).await?)
        }
    };
    let outcome = carry_out(&plan, &emulator, &mut service, &notes, bot, &mut seen).await;
    let Seen { start, log, course } = seen;
    taking.abort();
    service.end(Signal::Kill).await?;
    let ledger: Vec<LedgerEntry> = emulator.ledger().iter().collect();
    let mut found;
    {
        let (heard, answers) = (notes.heard.borrow(), notes.answers.borrow());
        found = match outcome {
            Ok(()) => {
                let answers = if outside.is_some() { Answers::Outside } else { Answers::Noted(&answers) };
                violations(&Evidence { ledger: &ledger, log: &log, heard: &heard, answers })
            }
            // The trial did not complete, so missing messages would prove nothing.
            Err(failure) => vec![format!("{failure:#}")],
        };
        // Without the whole log nothing can be compared.
        if found.is_empty()
            && let Some(start) = &start
        {
            backup::check(&backups.borrow(), plan.seed, plan.bots, start, &log, &mut found);
        }
        keep(directory, "ledger", &ledger)?;
        keep(directory, "log", log.iter().map(|(_, event)| event))?;
        keep(directory, "heard", heard.iter().map(|(_, event)| event))?;
    }
    let bot_runs = course.as_ref().map(|course| course.runs);
    found.extend(course.into_iter().flat_map(|course| course.violations));
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
        bot_runs,
        seconds: begun.elapsed().as_secs_f64(),
        violations: found,
    };
    fs::write(directory.join("verdict.json"), serde_json::to_string_pretty(&verdict)?)?;
    Ok(verdict)
}

/// What is known of a trial even if it fails.
#[derive(Default)]
struct Seen {
    /// The beginning of the log.
    start: Option<Cursor>,
    log: Vec<(Option<Cursor>, Value)>,
    /// What the bot outside did.
    course: Option<Course>,
}

async fn carry_out(
    plan: &Plan,
    emulator: &Emulator,
    service: &mut Service,
    notes: &Rc<Notes>,
    bot: Option<OutsideBot>,
    seen: &mut Seen,
) -> anyhow::Result<()> {
    service.start()?;
    let start = newest(&service.listening().await?).await?;
    seen.start = Some(start.clone());
    let answering = Answering::start(service.address(), start.clone(), notes, bot);
    let spoken = speak(plan, emulator, service).await;
    let answered = match spoken {
        Ok(()) => {
            emulator.set_faults(FaultMode::None, 0);
            answered(emulator, service, &answering).await
        }
        spoken => spoken,
    };
    seen.course = answering.stop();
    answered?;
    // After a restart the log is read from the store and not from memory.
    service.end(Signal::Kill).await?;
    service.start()?;
    timeout(READ_WITHIN, read(&service.listening().await?, start, None, &mut seen.log))
        .await
        .context("the log cannot be read")?
}

/// Lets consumers send, and stops the service at the planned times.
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
            status = service.fell() => anyhow::bail!("the service ended unexpectedly with {}", status?),
        }
        service.end(end.by).await?;
        sleep(end.away).await;
        service.start()?;
    }
    while emulator.traffic_progress(&traffic).is_some_and(|progress| !progress.done) {
        stay(service).await?;
    }
    Ok(())
}

/// A period in which the service must not end.
async fn stay(service: &mut Service) -> anyhow::Result<()> {
    tokio::select! {
        () = sleep(LOOK_EVERY) => Ok(()),
        status = service.fell() => anyhow::bail!("the service ended unexpectedly with {}", status?),
    }
}

/// Waits until every message, including the bot's own, was received, and every answer's outcome is known.
async fn answered(emulator: &Emulator, service: &mut Service, answering: &Answering) -> anyhow::Result<()> {
    let deadline = Instant::now() + ANSWERED_WITHIN;
    while let Some(lacks) = answering.lacks(emulator) {
        anyhow::ensure!(Instant::now() < deadline, "{lacks} after {ANSWERED_WITHIN:?}");
        stay(service).await?;
    }
    Ok(())
}

/// The newest position of the log.
pub(crate) async fn newest(address: &str) -> anyhow::Result<Cursor> {
    let mut stream = EventStream::open(address, "/v1/events", None).await?;
    loop {
        if let Some(id) = stream.next().await?.id {
            return Ok(id);
        }
    }
}

/// Reads the log from a position to `end`, or to the end that the service knows of.
pub(crate) async fn read(
    address: &str,
    from: Cursor,
    end: Option<Cursor>,
    log: &mut Vec<(Option<Cursor>, Value)>,
) -> anyhow::Result<()> {
    let end = match end {
        Some(end) => end,
        None => newest(address).await?,
    };
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

/// Writes evidence to a file, one line per item.
pub(crate) fn keep<T: Serialize>(
    directory: &Path,
    name: &str,
    lines: impl IntoIterator<Item = T>,
) -> anyhow::Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    fs::write(directory.join(format!("{name}.ndjson")), text)?;
    Ok(())
}
