//! `tertulia emulate`: the platform stand-in alone.

mod switches;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use jiff::SignedDuration;
use serde::Serialize;
use tertulia_emulator::{Emulator, EmulatorConfig, FaultMode, NetworkSettings};

use self::switches::SwitchOptions;

use super::{Faults, interrupt::Interrupt, loopback_address, open_files};

/// What the emulator offers, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia emulate --agents 4 --ca-out emulator-ca.pem --control 127.0.0.1:0")]
pub struct EmulateOptions {
    /// Address of the platform, with TLS; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Address at which discovery also listens without TLS, also as a proxy for clients that use http_proxy [default:
    /// none]
    #[arg(long, value_name = "ADDR")]
    pub discovery_listen: Option<SocketAddr>,
    /// A host name of the platform: its certificate has the name, and discovery answers with it to clients that use it;
    /// repeatable [default: the listening address]
    #[arg(long = "host", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub hosts: Vec<String>,
    /// The id of the platform's only account
    #[arg(long, value_name = "ID", default_value = "12345678", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub account: String,
    /// Write the CA certificate that clients must trust to this file
    #[arg(long, value_name = "FILE")]
    pub ca_out: Option<PathBuf>,
    /// Number of agents in the account: logins bot1, bot2 and so on, password `secret`
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub agents: usize,
    /// How many of the agents are also administrators, from bot1 on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub admins: usize,
    /// Open a survey when a conversation's main dialog closes
    #[arg(long)]
    pub survey: bool,
    /// How badly the platform behaves
    #[arg(long, value_name = "MODE", default_value = "none")]
    pub faults: Faults,
    /// The seed of ids and of all random choices [default: a new seed each time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Delay of every answer and every notification, such as 80ms
    #[arg(long, value_name = "D", default_value = "0s", value_parser = travel_time)]
    pub latency: Duration,
    /// Random delay of up to this much in addition to the latency
    #[arg(long, value_name = "D", default_value = "0s", value_parser = travel_time)]
    pub jitter: Duration,
    /// Split the frames of sockets into fragments, and split and merge their bytes, at random
    #[arg(long)]
    pub split_frames: bool,
    /// Write early hints (103) before every answer
    #[arg(long)]
    pub early_hints: bool,
    /// Address of the HTTP control interface for tests, on loopback [default: none]
    #[arg(long, value_name = "ADDR", value_parser = loopback_address)]
    pub control: Option<SocketAddr>,
    /// Choices where the platform's documents leave its behaviour open.
    #[command(flatten)]
    pub switches: SwitchOptions,
}

/// The longest latency or jitter.
const LONGEST_TRAVEL: Duration = Duration::from_secs(60);

fn travel_time(text: &str) -> Result<Duration, String> {
    let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| *time <= LONGEST_TRAVEL)
        .ok_or_else(|| "expected a duration from 0s to 1m, such as \"80ms\"".to_owned())
}

/// The line that tells scripts that the emulator is ready, and at which addresses.
#[derive(Serialize)]
struct ReadyLine<'a> {
    listen: SocketAddr,
    discovery: Option<SocketAddr>,
    control: Option<SocketAddr>,
    account: &'a str,
    ca: Option<&'a PathBuf>,
}

/// Runs until SIGINT or SIGTERM.
pub(super) fn execute(options: &EmulateOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before the ready line, because its reader may send a signal at once.
    let mut interrupt = runtime.block_on(async { Interrupt::listen() }).context("cannot listen for signals")?;

    open_files::raise_limit();
    let emulator = Emulator::start(options.into()).context("cannot start the emulator")?;
    let ready = ReadyLine {
        listen: emulator.listen(),
        discovery: emulator.discovery(),
        control: emulator.control(),
        account: emulator.account(),
        ca: options.ca_out.as_ref(),
    };
    writeln!(io::stdout(), "{}", serde_json::to_string(&ready)?)?;

    runtime.block_on(interrupt.received());
    emulator.stop();
    Ok(ExitCode::SUCCESS)
}

impl From<&EmulateOptions> for EmulatorConfig {
    fn from(options: &EmulateOptions) -> Self {
        Self {
            listen: options.listen,
            hosts: options.hosts.clone(),
            discovery_listen: options.discovery_listen,
            control: options.control,
            ca_out: options.ca_out.clone(),
            account: options.account.clone(),
            agents: options.agents,
            admins: options.admins,
            survey: options.survey,
            faults: match options.faults {
                Faults::None => FaultMode::None,
                Faults::Flaky => FaultMode::Flaky,
                Faults::Hostile => FaultMode::Hostile,
            },
            // A fixed default seed would repeat ids, and clients that keep state between runs would mistake new
            // conversations for known ones.
            seed: options.seed.unwrap_or_else(rand::random),
            network: NetworkSettings {
                latency: options.latency,
                jitter: options.jitter,
                split_frames: options.split_frames,
                early_hints: options.early_hints,
            },
            switches: (&options.switches).into(),
            ..Self::default()
        }
    }
}
