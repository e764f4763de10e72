//! The soak: a fleet of bots under the traffic of a working day (W1, and conversations that begin and end), held for
//! minutes, to check that memory does not grow and answers stay quick.

mod parts;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::Serialize;
use tertulia_emulator::{Emulator, EmulatorConfig, LedgerEntry};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    chaos::{
        self,
        bot::{self, Notes},
        oracle,
        plan::Signal,
        service::Service,
        trial::newest,
    },
    machine::Machine,
    process::resident_bytes_of,
    report::Latency,
};
use parts::Parts;

/// The interval between memory samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// The interval at which consumers send.
const TURN: Duration = Duration::from_millis(20);
/// Messages of one consumer; then the conversation ends and another begins.
const MESSAGES: u32 = 12;
/// Samples between two reports.
const REPORT_EVERY: usize = 12;
/// How long a service may take until its caches and buffers reach their final size.
const WARM_UP: Duration = Duration::from_secs(20 * 60);
/// The fraction of a shorter soak that counts as its warm-up.
const SHORT_WARM_UP: f64 = 0.25;
/// The largest allowed growth of the memory of a warm service, in KiB per minute.
const STEEPEST: f64 = 100.0;
/// The growth over a shorter period than this means nothing.
const SLOPE_OVER: Duration = Duration::from_secs(10 * 60);
/// How long the last answers may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// The duration and the load.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia-bench soak --minutes 10")]
pub(crate) struct SoakOptions {
    /// Minutes of traffic
    #[arg(long, value_name = "M", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Bot connections
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    bots: u32,
    /// Conversations at the same time
    #[arg(long, value_name = "N", default_value_t = 2_500, value_parser = clap::value_parser!(u32).range(1..))]
    conversations: u32,
    /// Consumers' messages per minute in each conversation
    #[arg(long, value_name = "R", default_value_t = 1.5)]
    rate: f64,
    /// The service to test; without it the service is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// The results of a soak.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Soak {
    machine: Machine,
    minutes: u64,
    bots: u32,
    conversations: u32,
    messages: u64,
    /// Conversations that ended and were replaced.
    ended: u64,
    /// The service's memory at the end.
    resident_bytes: u64,
    /// The memory's growth after the warm-up, fitted over all samples since.
    kibibytes_per_minute: f64,
    /// The minute from which the growth is measured.
    warm_from_minute: f64,
    /// The contents of the service's parts at the end.
    parts: Parts,
    /// From a consumer's message in the platform to the bot's answer there, in microseconds, including the service, its
    /// log, the event stream, the bot and its command. The platform's clock has steps of a millisecond.
    message_to_answer: Latency,
    /// Messages that were not answered exactly once.
    violations: Vec<String>,
}

/// Runs a soak. Fails if a message was not answered exactly once, or if the memory of the warm service grows.
pub(crate) async fn run(options: &SoakOptions) -> anyhow::Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => chaos::build()?,
    };
    let directory = tempfile::Builder::new().prefix("tertulia-soak-").tempdir()?;
    let agents = usize::try_from(options.bots)?;
    let emulator = Emulator::start(EmulatorConfig { agents, ..EmulatorConfig::default() })?;
    let mut service = Service::new(&binary, directory.path(), &emulator, options.bots)?;
    service.start()?;
    let start = newest(&service.listening().await?).await?;
    let notes = Rc::new(Notes::default());
    let bot = actix_rt::spawn(bot::run(service.address(), start, Rc::clone(&notes)));
    let held = hold(options, &emulator, &mut service, &directory.path().join("data")).await?;
    let deadline = Instant::now() + ANSWERED_WITHIN;
    while (notes.done() as u64) < emulator.summary().consumer_messages && Instant::now() < deadline {
        sleep(TURN).await;
    }
    bot.abort();
    service.end(Signal::Terminate).await?;

    let ledger: Vec<LedgerEntry> = emulator.ledger().iter().collect();
    let mut violations = Vec::new();
    oracle::replies(&ledger, &notes.answers.borrow(), &mut violations);
    let duration = Duration::from_secs(options.minutes * 60);
    let warm_up = if duration > WARM_UP { WARM_UP } else { duration.mul_f64(SHORT_WARM_UP) };
    let kibibytes_per_minute = slope(&since(&held.samples, warm_up)) * 60.0 / 1_024.0;
    if duration >= WARM_UP + SLOPE_OVER && kibibytes_per_minute >= STEEPEST {
        violations.push(format!("memory grows by {kibibytes_per_minute:.0} KiB a minute, {STEEPEST} are allowed"));
    }
    let soak = Soak {
        machine: Machine::here(),
        minutes: options.minutes,
        bots: options.bots,
        conversations: options.conversations,
        messages: emulator.summary().consumer_messages,
        ended: held.ended,
        resident_bytes: held.samples.last().map_or(0, |(_, bytes)| *bytes),
        kibibytes_per_minute,
        warm_from_minute: warm_up.as_secs_f64() / 60.0,
        parts: held.parts,
        message_to_answer: Latency::of(&latencies(&ledger)?),
        violations,
    };
    if options.json {
        println!("{}", serde_json::to_string(&soak)?);
    } else {
        soak.print();
    }
    Ok(if soak.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Held {
    /// Seconds since the start, and bytes.
    samples: Vec<(f64, u64)>,
    parts: Parts,
    ended: u64,
}

impl Held {
    fn report(&self, elapsed: Duration, said: u64) {
        let resident = self.samples.last().map_or(0, |(_, bytes)| bytes / 1_024);
        print!("{:>4.0} min: {said} messages, {resident} KiB; {}", elapsed.as_secs_f64() / 60.0, self.parts);
        if elapsed > WARM_UP {
            print!("; slope {:.0} KiB/min", slope(&since(&self.samples, WARM_UP)) * 60.0 / 1_024.0);
        }
        println!();
    }
}

/// The samples after `begun`.
fn since(samples: &[(f64, u64)], begun: Duration) -> Vec<(f64, u64)> {
    samples.iter().filter(|(at, _)| *at >= begun.as_secs_f64()).copied().collect()
}

/// Lets consumers send for the duration of the soak, and samples the service's memory.
async fn hold(options: &SoakOptions, emulator: &Emulator, service: &mut Service, store: &Path) -> anyhow::Result<Held> {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(options.minutes * 60);
    let per_second = f64::from(options.conversations) * options.rate / 60.0;
    let mut open: Vec<(String, u32)> = Vec::new();
    let (mut said, mut place, mut held) = (0_u64, 0, Held::default());
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sampled = begun;
    while Instant::now() < until {
        tokio::select! {
            _ = turns.tick() => {}
            status = service.fell() => anyhow::bail!("the service ended unexpectedly with {}", status?),
        }
        let due = (begun.elapsed().as_secs_f64() * per_second) as u64;
        while said < due {
            if open.len() < usize::try_from(options.conversations)? {
                open.push((emulator.create_conversation(None, None), 0));
                place = open.len() - 1;
            } else {
                place = (place + 1) % open.len();
            }
            let (conversation, messages) = &mut open[place];
            if *messages == MESSAGES {
                emulator.close_conversation(conversation)?;
                (*conversation, *messages) = (emulator.create_conversation(None, None), 0);
                held.ended += 1;
            }
            emulator.say(conversation, "Good morning, I have a question about my last order.")?;
            *messages += 1;
            said += 1;
        }
        if sampled.elapsed() >= SAMPLE_EVERY {
            sampled = Instant::now();
            let id = service.id().context("the service is not running")?;
            held.samples.push((begun.elapsed().as_secs_f64(), resident_bytes_of(id)?));
            if held.samples.len().is_multiple_of(REPORT_EVERY) {
                held.parts = Parts::ask(&service.listening().await?, store).await?;
                if !options.json {
                    held.report(begun.elapsed(), said);
                }
            }
        }
    }
    Ok(held)
}

/// The time from each consumer's message to its answer, in microseconds.
fn latencies(ledger: &[LedgerEntry]) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    let said: HashMap<(&str, String), u64> = ledger
        .iter()
        .filter(|entry| entry.role == "CONSUMER")
        .map(|entry| ((entry.conversation.as_str(), bot::reply(entry.sequence)), entry.time))
        .collect();
    for answer in ledger.iter().filter(|entry| entry.role != "CONSUMER") {
        let text = answer.text.clone().unwrap_or_default();
        if let Some(said) = said.get(&(answer.conversation.as_str(), text)) {
            latencies.record(answer.time.saturating_sub(*said) * 1_000)?;
        }
    }
    Ok(latencies)
}

/// The slope of the line that fits the samples best (least squares).
fn slope(samples: &[(f64, u64)]) -> f64 {
    let count = samples.len().max(1) as f64;
    let mean_x = samples.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = samples.iter().map(|(_, y)| *y as f64).sum::<f64>() / count;
    let covariance: f64 = samples.iter().map(|(x, y)| (x - mean_x) * (*y as f64 - mean_y)).sum();
    let variance: f64 = samples.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if variance == 0.0 { 0.0 } else { covariance / variance }
}

impl Soak {
    fn print(&self) {
        println!("\n{}\n", self.machine);
        println!("| bots, conversations | {}, {} |\n| --- | ---: |", self.bots, self.conversations);
        println!("| messages, each answered | {} |", self.messages);
        println!("| conversations ended | {} |", self.ended);
        println!("| memory at the end | {} KiB |", self.resident_bytes / 1_024);
        println!(
            "| memory slope from minute {:.0} on | {:.0} KiB/min |",
            self.warm_from_minute, self.kibibytes_per_minute
        );
        println!("| parts at the end | {} |", self.parts);
        println!("| message to answer p50 / p99 / max | {} |", self.message_to_answer.in_milliseconds());
        for violation in &self.violations {
            println!("{violation}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line_through_the_samples() {
        assert_eq!(slope(&[]), 0.0);
        assert_eq!(slope(&[(1.0, 5)]), 0.0);
        let line: Vec<(f64, u64)> = (0..10_u32).map(|x| (f64::from(x), 100 + 7 * u64::from(x))).collect();
        assert!((slope(&line) - 7.0).abs() < 1e-9);
    }
}
