//! Viewers: thousands of viewers follow the events of a service over real sockets, some of them stop reading, and the
//! others must not notice.

mod crowd;
mod lines;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::Serialize;
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::time::sleep;

use crate::{
    chaos::{self, plan::Signal, service::Service},
    machine::Machine,
    process::{processor_time_of, resident_bytes_of},
    report::Latency,
};
use crowd::{Crowd, Heard};

/// The number of conversations.
const CONVERSATIONS: usize = 50;
/// The interval at which consumers send.
const TURN: Duration = Duration::from_millis(5);
/// The time at the beginning that is not measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long the last events may take to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(60);
/// How long after the second part the stalled viewers may take to be disconnected: until all buffers are full, and a
/// minute.
const DROPPED_WITHIN: Duration = Duration::from_secs(120);

/// The number of viewers, and the load.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia-bench viewers --viewers 500 --seconds 20")]
pub(crate) struct ViewersOptions {
    /// Number of viewers
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    viewers: u32,
    /// Events per second; each goes to every viewer
    #[arg(long, value_name = "R", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Seconds of each part: first without stalled viewers, then with them
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Percentage of viewers who stop reading in the second part
    #[arg(long, value_name = "P", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..100))]
    stalled: u32,
    /// Bytes of each message
    #[arg(long, value_name = "B", default_value_t = 200)]
    text_bytes: usize,
    /// The service to test; without it the service is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// One part, measured by the viewers who read all the time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    events: u64,
    /// From the event's own time to its arrival, in microseconds.
    event_to_viewer: Latency,
    /// The service's peak memory.
    resident_bytes: u64,
    /// The peak memory of all sockets of the machine, including the viewers' side.
    socket_bytes: u64,
    /// The service's processor time per event and viewer, including all its other work.
    processor_micros_per_delivery: f64,
}

/// The results.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Viewers {
    machine: Machine,
    viewers: u32,
    stalled: u64,
    events_per_second: u32,
    seconds: u64,
    /// The service's memory before any viewer connected.
    resident_bytes_before: u64,
    without_stalled: Part,
    with_stalled: Part,
    /// The 99th percentile with stalled viewers, divided by the one without.
    ratio: f64,
    /// How many stalled viewers the service had disconnected in the end.
    dropped: u64,
    /// Events that reading viewers missed, or got twice or out of order.
    violations: Vec<String>,
}

/// Runs the measurement. Fails if a reading viewer missed an event, or got an event twice or out of order.
pub(crate) async fn run(options: &ViewersOptions) -> anyhow::Result<ExitCode> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => chaos::build()?,
    };
    let directory = tempfile::Builder::new().prefix("tertulia-viewers-").tempdir()?;
    let emulator = Emulator::start(EmulatorConfig { agents: 1, ..EmulatorConfig::default() })?;
    let mut service = Service::new(&binary, directory.path(), &emulator, 1)?;
    service.start()?;
    let address = service.listening().await?;
    let mut load = Load::begin(options, &emulator)?;
    let process = service.id().context("the service is not running")?;
    load.hold(WARM_UP, process).await?;
    let resident_bytes_before = resident_bytes_of(process)?;

    let stalled = u64::from(options.viewers) * u64::from(options.stalled) / 100;
    let crowd = Crowd::start(&address, options.viewers as usize, stalled as usize).await?;
    load.hold(WARM_UP, process).await?;
    let seconds = Duration::from_secs(options.seconds);
    let without = load.part(&crowd, seconds, process).await?;
    crowd.stall();
    let with = load.part(&crowd, seconds, process).await?;
    let (heard, dropped) = load.end(crowd, process).await?;
    service.end(Signal::Terminate).await?;

    let found = Viewers {
        machine: Machine::here(),
        viewers: options.viewers,
        stalled,
        events_per_second: options.rate,
        seconds: options.seconds,
        resident_bytes_before,
        ratio: with.event_to_viewer.p99 as f64 / without.event_to_viewer.p99.max(1) as f64,
        without_stalled: without,
        with_stalled: with,
        dropped,
        violations: heard.violations,
    };
    if options.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        found.print();
    }
    Ok(if found.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Consumers who send steadily.
struct Load<'e> {
    emulator: &'e Emulator,
    conversations: Vec<String>,
    text: String,
    rate: f64,
    said: u64,
    begun: Instant,
}

/// The peak usage during the load.
#[derive(Default)]
struct Used {
    resident: u64,
    sockets: u64,
}

impl<'e> Load<'e> {
    fn begin(options: &ViewersOptions, emulator: &'e Emulator) -> anyhow::Result<Self> {
        let conversations = (0..CONVERSATIONS).map(|_| emulator.create_conversation(None, None)).collect();
        let text = "x".repeat(options.text_bytes);
        Ok(Self { emulator, conversations, text, rate: options.rate.into(), said: 0, begun: Instant::now() })
    }

    async fn hold(&mut self, time: Duration, process: u32) -> anyhow::Result<Used> {
        let (until, mut used) = (Instant::now() + time, Used::default());
        while Instant::now() < until {
            let due = (self.begun.elapsed().as_secs_f64() * self.rate) as u64;
            while self.said < due {
                let place = usize::try_from(self.said)? % self.conversations.len();
                self.emulator.say(&self.conversations[place], &self.text)?;
                self.said += 1;
            }
            used.resident = used.resident.max(resident_bytes_of(process)?);
            used.sockets = used.sockets.max(socket_bytes()?);
            sleep(TURN).await;
        }
        Ok(used)
    }

    async fn part(&mut self, crowd: &Crowd, time: Duration, process: u32) -> anyhow::Result<Part> {
        crowd.restart_measuring();
        let before = processor_time_of(process)?;
        let used = self.hold(time, process).await?;
        let spent = processor_time_of(process)?.saturating_sub(before);
        let Heard { events, deliveries, micros, .. } = crowd.heard();
        Ok(Part {
            events,
            event_to_viewer: Latency::of(&micros),
            resident_bytes: used.resident,
            socket_bytes: used.sockets,
            processor_micros_per_delivery: spent.as_secs_f64() * 1e6 / deliveries.max(1) as f64,
        })
    }

    /// Continues until the stalled viewers are disconnected and every reading viewer has every event.
    async fn end(&mut self, crowd: Crowd, process: u32) -> anyhow::Result<(Heard, u64)> {
        let deadline = Instant::now() + DROPPED_WITHIN;
        while crowd.stalled_open() > 0 && Instant::now() < deadline {
            crowd.probe();
            self.hold(Duration::from_millis(500), process).await?;
        }
        let dropped = crowd.stalled() - crowd.stalled_open();
        let deadline = Instant::now() + ARRIVE_WITHIN;
        while !crowd.is_level() && Instant::now() < deadline {
            sleep(TURN).await;
        }
        Ok((crowd.end()?, dropped))
    }
}

/// The memory of all TCP sockets of this machine, in bytes, on Linux.
fn socket_bytes() -> anyhow::Result<u64> {
    const PAGE: u64 = 4_096;
    let text = fs::read_to_string("/proc/net/sockstat")?;
    let line = text.lines().find(|line| line.starts_with("TCP:")).context("no TCP in sockstat")?;
    let pages = line.rsplit(' ').next().context("no memory in sockstat")?;
    Ok(pages.parse::<u64>()? * PAGE)
}

impl Viewers {
    fn print(&self) {
        let Self { machine, viewers, stalled, events_per_second, seconds, .. } = self;
        println!("\n{machine}\n");
        println!(
            "{viewers} viewers, {events_per_second} events a second to each, {seconds} s each; then {stalled} stall\n"
        );
        println!("| | nobody stalls | {stalled} stalled |\n| --- | ---: | ---: |");
        let parts = [&self.without_stalled, &self.with_stalled];
        let row = |name: &str, cell: &dyn Fn(&Part) -> String| {
            println!("| {name} | {} | {} |", cell(parts[0]), cell(parts[1]));
        };
        let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
        row("event to viewer p50 / p99 / max", &|part| part.event_to_viewer.in_milliseconds());
        row("memory of the service", &|part| mebibytes(part.resident_bytes));
        row("memory of all sockets, both ends", &|part| mebibytes(part.socket_bytes));
        row("processor time for each delivery", &|part| format!("{:.1} µs", part.processor_micros_per_delivery));
        row("events", &|part| part.events.to_string());
        println!("\np99 with stalled over p99 without: {:.2}", self.ratio);
        println!("memory before anybody viewed: {}", mebibytes(self.resident_bytes_before));
        println!("stalled viewers that were disconnected: {} of {stalled}", self.dropped);
        for violation in self.violations.iter().take(10) {
            println!("VIOLATION: {violation}");
        }
    }
}
