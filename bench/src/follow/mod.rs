//! Following: readers of the event stream disconnect and resume by cursor while the service is stopped repeatedly, and
//! the proof that each reader got every event exactly once, in order.

mod oracle;
mod reader;

use std::{
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_rt::time::{sleep, timeout};
use anyhow::Context as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use tertulia_emulator::{Emulator, EmulatorConfig};

use crate::{
    chaos::{
        self,
        plan::Signal,
        service::Service,
        stream::{Cursor, EventStream},
        trial::newest,
    },
    machine::Machine,
};
use reader::{Reader, Road};

/// The number of conversations.
const CONVERSATIONS: usize = 200;
/// The interval at which consumers send.
const TURN: Duration = Duration::from_millis(10);
/// The longest time that the service runs.
const STAYS: Duration = Duration::from_secs(8);
/// The longest time that the service is stopped.
const AWAY: Duration = Duration::from_millis(1_500);
/// How long readers may take for the rest once the service keeps running.
const READ_WITHIN: Duration = Duration::from_secs(120);

/// The size of the test.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia-bench follow --events 20000 --seed 7")]
pub(crate) struct FollowOptions {
    /// Events to follow
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Seed of the readers' disconnects and of the service's stops
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Readers: every second uses Server-Sent Events, the others WebSockets; every fourth reads messages only
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    readers: u32,
    /// Consumers' messages per second
    #[arg(long, value_name = "R", default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// The service to test; without it the service is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// The results.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Followed {
    machine: Machine,
    seed: u64,
    events: u64,
    readers: u32,
    kills: u32,
    drains: u32,
    /// How often readers disconnected by themselves.
    left: u64,
    /// How often the service broke their streams.
    broken: u64,
    seconds: f64,
    violations: Vec<String>,
}

/// Runs the test. Fails if a reader missed an event, or got an event twice or out of order.
pub(crate) async fn run(options: &FollowOptions) -> anyhow::Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => chaos::build()?,
    };
    let begun = Instant::now();
    let directory = tempfile::Builder::new().prefix("tertulia-follow-").tempdir()?;
    let emulator = Emulator::start(EmulatorConfig { agents: 1, seed: options.seed, ..EmulatorConfig::default() })?;
    let mut service = Service::new(&binary, directory.path(), &emulator, 1)?;
    service.start()?;
    let start = newest(&service.listening().await?).await?;
    let mut random = StdRng::seed_from_u64(options.seed);
    let readers: Vec<Rc<Reader>> = (0..options.readers)
        .map(|number| {
            let road = if number % 2 == 0 { Road::ServerSent } else { Road::WebSocket };
            Rc::new(Reader::new(road, number % 4 > 1, start.clone(), random.random()))
        })
        .collect();
    let reading: Vec<_> =
        readers.iter().map(|reader| actix_rt::spawn(Rc::clone(reader).read(service.address()))).collect();
    let (kills, drains) = speak(options, &emulator, &mut service, &readers[0], &mut random).await?;

    // After a restart the log is read from the store and not from memory.
    service.end(Signal::Kill).await?;
    service.start()?;
    let address = service.listening().await?;
    let whole = timeout(READ_WITHIN, read_whole(&address, &start)).await.context("the log cannot be read")??;
    let end = whole.last().map_or(start.offset, |event| event.offset);
    let deadline = Instant::now() + READ_WITHIN;
    while readers.iter().any(|reader| reader.offset() < end) && Instant::now() < deadline {
        sleep(TURN).await;
    }
    reading.iter().for_each(actix_rt::task::JoinHandle::abort);
    service.end(Signal::Terminate).await?;

    let followed = Followed {
        machine: Machine::here(),
        seed: options.seed,
        events: whole.len() as u64,
        readers: options.readers,
        kills,
        drains,
        left: readers.iter().map(|reader| reader.left()).sum(),
        broken: readers.iter().map(|reader| reader.broken()).sum(),
        seconds: begun.elapsed().as_secs_f64(),
        violations: oracle::violations(&start, &whole, &readers),
    };
    if options.json {
        println!("{}", serde_json::to_string(&followed)?);
    } else {
        followed.print();
    }
    Ok(if followed.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lets consumers send until there are enough events, and stops the service from time to time.
async fn speak(
    options: &FollowOptions,
    emulator: &Emulator,
    service: &mut Service,
    reader: &Reader,
    random: &mut StdRng,
) -> anyhow::Result<(u32, u32)> {
    let conversations: Vec<String> = (0..CONVERSATIONS).map(|_| emulator.create_conversation(None, None)).collect();
    let (begun, first) = (Instant::now(), reader.offset());
    let (mut said, mut kills, mut drains) = (0_usize, 0, 0);
    let mut next_end = begun + STAYS.mul_f64(random.random_range(0.2..1.0));
    while reader.offset() < first + options.events {
        // At most the wanted number, because a consumer's message is at least one event.
        let due = (begun.elapsed().as_secs_f64() * f64::from(options.rate)) as usize;
        while said < due && (said as u64) < options.events {
            emulator
                .say(&conversations[said % CONVERSATIONS], "Good morning, I have a question about my last order.")?;
            said += 1;
        }
        if Instant::now() >= next_end {
            let signal = if random.random_bool(0.5) { Signal::Kill } else { Signal::Terminate };
            *(if signal == Signal::Kill { &mut kills } else { &mut drains }) += 1;
            service.end(signal).await?;
            sleep(AWAY.mul_f64(random.random_range(0.0..1.0))).await;
            service.start()?;
            service.listening().await?;
            next_end = Instant::now() + STAYS.mul_f64(random.random_range(0.2..1.0));
        }
        tokio::select! {
            () = sleep(TURN) => {}
            status = service.fell() => anyhow::bail!("the service ended unexpectedly with {}", status?),
        }
    }
    Ok((kills, drains))
}

/// One event in the form that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    offset: u64,
    /// The digest of the whole event.
    digest: u64,
    is_message: bool,
}

/// Reads the log from a position to its end, on a stream that is not interrupted.
async fn read_whole(address: &str, from: &Cursor) -> anyhow::Result<Vec<Seen>> {
    let end = newest(address).await?;
    let mut stream = EventStream::open(address, "/v1/events", Some(from)).await?;
    let mut whole = Vec::new();
    loop {
        let block = stream.next().await?;
        let id = block.id.context("a block without a cursor")?;
        if let Some(event) = block.event {
            whole.push(reader::seen(&event).context("an event without a cursor")?);
        }
        if id.offset >= end.offset {
            return Ok(whole);
        }
    }
}

impl Followed {
    fn print(&self) {
        let Self { machine, seed, events, readers, kills, drains, left, broken, seconds, violations } = self;
        println!("\n{machine}\n");
        println!(
            "seed {seed}: {events} events to {readers} readers, who left {left} times and were broken off {broken} times; \
             the service was killed {kills} times and drained {drains} times; {seconds:.0} s"
        );
        match violations.len() {
            0 => println!("each got every event exactly once, in order"),
            count => println!("{count} violations"),
        }
        for violation in violations.iter().take(10) {
            println!("    {violation}");
        }
    }
}
