//! `tertulia-bench`: the load run with its platform stand-in in a separate process, the store, chaos, and the soak.

mod chaos;
mod floor;
mod follow;
mod load;
mod machine;
mod peers;
mod platform;
mod process;
mod report;
mod restart;
mod soak;
mod store;
mod viewers;

use std::process::{self as system, ExitCode, Stdio};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::de::DeserializeOwned;

use load::Scale;
use machine::Machine;
use report::{Measured, Report};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Load generator of Tertulia
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Hold conversations against the stand-in; report memory, notifications, commands and latencies, and the floor of
    /// the notifications
    Load {
        #[command(flatten)]
        sizes: Sizes,
        #[command(flatten)]
        pressure: Pressure,
    },
    /// Read the notifications of a load run with bare sockets that drop them; report the least that receiving costs
    Floor {
        #[command(flatten)]
        sizes: Sizes,
    },
    /// Kill the service repeatedly under a misbehaving platform; prove that nothing is lost or done twice
    Chaos(chaos::ChaosOptions),
    /// Follow the events by cursor while the service is stopped repeatedly; prove that each event arrives exactly once,
    /// in order
    Follow(follow::FollowOptions),
    /// Measure the embedded store alone; report durable steps per second, latencies, memory and the time to open a
    /// store
    Store {
        #[command(flatten)]
        plan: store::Plan,
    },
    /// Kill a process that holds conversations; report how long the next process takes to restore them
    Restart {
        /// Conversations to hold
        #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
        conversations: u32,
    },
    /// Hold a fleet of bots under steady traffic; report memory over time, and how quickly messages are answered
    Soak(soak::SoakOptions),
    /// Let thousands of viewers follow the events of a service while some stop reading; report how quickly the others
    /// get each event
    Viewers(viewers::ViewersOptions),
    /// Compare this library with other clients on the same stand-in; report memory, notifications, processor time
    /// and the time to catch up after lost sockets. `bench/peers/run` names the other clients
    Peers(peers::PeersOptions),
    /// Print the environment of the results: machine, compiler and commit
    Machine,
    /// One run, printed as JSON
    #[command(hide = true)]
    Run {
        #[arg(long)]
        conversations: u32,
        #[command(flatten)]
        pressure: Pressure,
    },
    /// One floor, printed as JSON
    #[command(hide = true)]
    FloorRun {
        #[arg(long)]
        conversations: u32,
    },
    /// This library as a client of the comparison
    #[command(hide = true)]
    Peer,
    /// One process of a restart
    #[command(hide = true)]
    Life,
    /// One part of the measurement of the store, printed as JSON
    #[command(hide = true)]
    StorePart {
        #[command(subcommand)]
        part: store::Part,
    },
    /// The stand-in alone, controlled by lines on standard input
    #[command(hide = true)]
    Platform {
        #[arg(long)]
        agents: u32,
    },
}

/// The runs, and the form of their results.
#[derive(Clone, Debug, clap::Args)]
struct Sizes {
    /// Conversations to hold at once; one run for each number
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000], value_parser = clap::value_parser!(u32).range(1..))]
    conversations: Vec<u32>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// The load, besides the number of conversations.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Pressure {
    /// Seconds of messages at a fixed rate, and seconds of commands
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    duration: u32,
    /// Consumers' messages per second while latency is measured
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Commands in flight at the same time
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// Consumers' messages that are all sent before any is received, at the end; none by default
    #[arg(long, value_name = "N")]
    burst: Option<u32>,
    /// Keep everything in an embedded store, and report also when messages are durable
    #[arg(long)]
    durable: bool,
}

impl Pressure {
    /// The options of a process that applies this load.
    fn options(self) -> Vec<String> {
        let Self { duration, rate, in_flight, burst, durable } = self;
        let mut options = vec![("--duration", duration), ("--rate", rate), ("--in-flight", in_flight)];
        options.extend(burst.map(|messages| ("--burst", messages)));
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]);
        options.chain(durable.then(|| "--durable".to_owned())).collect()
    }
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Load { sizes, pressure } => measure(&sizes, Some(pressure))?,
        Command::Floor { sizes } => measure(&sizes, None)?,
        Command::Chaos(options) => return actix_rt::System::new().block_on(chaos::run(&options)),
        Command::Follow(options) => return actix_rt::System::new().block_on(follow::run(&options)),
        Command::Store { plan } => store::run(&plan)?,
        Command::StorePart { part } => store::measure(part)?,
        Command::Soak(options) => return actix_rt::System::new().block_on(soak::run(&options)),
        Command::Viewers(options) => return actix_rt::System::new().block_on(viewers::run(&options)),
        Command::Restart { conversations } => actix_rt::System::new().block_on(restart::run(conversations))?,
        Command::Life => actix_rt::System::new().block_on(restart::live())?,
        Command::Peers(options) => actix_rt::System::new().block_on(peers::run(&options))?,
        Command::Peer => actix_rt::System::new().block_on(peers::serve())?,
        Command::Machine => println!("{}", Machine::here()),
        Command::Run { conversations, pressure } => {
            let run = actix_rt::System::new().block_on(load::run(Scale { conversations, pressure }))?;
            println!("{}", serde_json::to_string(&run)?);
        }
        Command::FloorRun { conversations } => {
            let floor = actix_rt::System::new().block_on(floor::run(conversations))?;
            println!("{}", serde_json::to_string(&floor)?);
        }
        Command::Platform { agents } => platform::serve(agents)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures the floor with each number of conversations, and the load if there is any. Prints the report.
fn measure(sizes: &Sizes, pressure: Option<Pressure>) -> anyhow::Result<()> {
    let mut report = Report { machine: Machine::here(), runs: Vec::new() };
    for &conversations in &sizes.conversations {
        eprintln!("{conversations} conversations ...");
        let floor = apart("floor-run", conversations, &[])?;
        let load = |pressure: Pressure| apart("run", conversations, &pressure.options());
        report.runs.push(Measured { conversations, floor, run: pressure.map(load).transpose()? });
    }
    report.print(sizes.json)
}

/// Performs a run in its own process, so that its memory does not include that of the previous run.
fn apart<T: DeserializeOwned>(command: &str, conversations: u32, options: &[String]) -> anyhow::Result<T> {
    let mut process = system::Command::new(std::env::current_exe()?);
    process.arg(command).arg("--conversations").arg(conversations.to_string()).args(options).stderr(Stdio::inherit());
    let output = process.output().context("cannot start a run")?;
    anyhow::ensure!(
        output.status.success(),
        "the run {command} of {conversations} {options:?} ended with {}",
        output.status
    );
    serde_json::from_slice(&output.stdout).context("the run printed no result")
}
