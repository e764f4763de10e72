//! This library beside other clients: each client is a process that speaks with the same stand-in and does the same work.

mod client;
mod ours;

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    load::{CONVERSATIONS_PER_BOT, WAVE},
    machine::Machine,
    platform::{Order, Platform},
    process::{processor_time_of, resident_bytes_of},
};

use client::{Ask, Client};
pub(crate) use ours::serve;

/// Conversations opened per second.
const OPENINGS: u32 = 200;
/// The notifications of a message to each client: the record, and the state. The command `floor` counts them.
const NOTIFICATIONS: u32 = 2;
/// The idle time before memory is measured.
const REST: Duration = Duration::from_secs(2);

/// Clients to compare, and the work.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PeersOptions {
    /// Another client: its name and the command that starts it
    #[arg(long = "peer", value_name = "NAME=COMMAND", value_parser = named)]
    peers: Vec<(String, String)>,
    /// Conversations to hold at once; one run for each number
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 1_000, 10_000], value_parser = clap::value_parser!(u32).range(1..))]
    conversations: Vec<u32>,
    /// Messages at full speed, in waves of 1,000
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    messages: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

fn named(peer: &str) -> Result<(String, String), String> {
    let (name, command) = peer.split_once('=').ok_or_else(|| format!("{peer} is not NAME=COMMAND"))?;
    Ok((name.to_owned(), command.to_owned()))
}

#[derive(Debug, Serialize)]
struct Comparison {
    machine: Machine,
    rows: Vec<Row>,
}

/// One client with one number of conversations.
#[derive(Debug, Serialize)]
struct Row {
    conversations: u32,
    client: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Measured(Figures),
    /// Why the client has not done its work.
    Failed(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    /// The memory of the process before it has any conversation.
    bytes_before: u64,
    /// Its memory with all conversations.
    bytes: u64,
    /// Notifications per second when the stand-in sends as fast as possible on the same cores.
    notifications_per_second: f64,
    /// The client's processor time for each.
    processor_micros_per_notification: f64,
    /// From the loss of all sockets until the client has a message of each conversation, which was said meanwhile.
    caught_up_seconds: f64,
}

/// Measures each client with each number of conversations, and prints the results.
pub(crate) async fn run(options: &PeersOptions) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let own = own.to_str().context("the program's path is not Unicode")?;
    let mut clients = vec![("Tertulia".to_owned(), vec![own.to_owned(), "peer".to_owned()])];
    for (name, command) in &options.peers {
        let words = shlex::split(command).with_context(|| format!("the command of {name} has an open quotation"))?;
        clients.push((name.clone(), words));
    }
    let mut comparison = Comparison { machine: Machine::here(), rows: Vec::new() };
    for &conversations in &options.conversations {
        for (name, command) in &clients {
            eprintln!("{name}, {conversations} conversations ...");
            let outcome = match measure(command, conversations, options.messages).await {
                Ok(figures) => Outcome::Measured(figures),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            };
            comparison.rows.push(Row { conversations, client: name.clone(), outcome });
        }
    }
    comparison.print(options.json)?;
    let is_failed = |row: &&Row| matches!(row.outcome, Outcome::Failed(_));
    let failed = comparison.rows.iter().filter(is_failed).count();
    anyhow::ensure!(failed == 0, "{failed} measurements failed");
    Ok(())
}

async fn measure(command: &[String], conversations: u32, messages: u32) -> anyhow::Result<Figures> {
    let bots = conversations.div_ceil(CONVERSATIONS_PER_BOT);
    let mut platform = Platform::start(bots).await?;
    let mut client = Client::start(command, &platform.ready, bots).await?;
    let bytes_before = resting(&mut client).await?;

    platform.carry_out(Order::Hold { conversations, rate: OPENINGS }).await?;
    client.ask(Ask::Hold { conversations }).await?;
    let bytes = resting(&mut client).await?;

    let waves = messages / WAVE;
    let (used, begun) = (processor_time_of(client.process)?, Instant::now());
    for wave in 1..=waves {
        platform.carry_out(Order::Say { messages: WAVE, rate: 0 }).await?;
        client.ask(Ask::Hear { messages: wave * WAVE }).await?;
    }
    let (took, messages) = (begun.elapsed(), waves * WAVE);
    let notifications = f64::from(messages) * f64::from(NOTIFICATIONS);
    let used = processor_time_of(client.process)?.saturating_sub(used);

    let lost = Instant::now();
    platform.carry_out(Order::Lose).await?;
    platform.carry_out(Order::Say { messages: conversations, rate: 0 }).await?;
    client.ask(Ask::Hear { messages: messages + conversations }).await?;
    Ok(Figures {
        bytes_before,
        bytes,
        notifications_per_second: notifications / took.as_secs_f64(),
        processor_micros_per_notification: used.as_secs_f64() * 1e6 / notifications,
        caught_up_seconds: lost.elapsed().as_secs_f64(),
    })
}

/// The client's memory after a rest, without garbage as far as the client can tell.
async fn resting(client: &mut Client) -> anyhow::Result<u64> {
    sleep(REST).await;
    client.ask(Ask::Rest).await?;
    resident_bytes_of(client.process)
}

impl Comparison {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        println!("{}\n", self.machine);
        println!(
            "| conversations | client | memory before | memory with them | notifications/s | own processor time for one | caught up |"
        );
        println!("|---:|---|---:|---:|---:|---:|---:|");
        for Row { conversations, client, outcome } in &self.rows {
            match outcome {
                Outcome::Measured(figures) => println!("| {conversations} | {client} | {figures} |"),
                Outcome::Failed(why) => println!("| {conversations} | {client} | failed: {why} |"),
            }
        }
        Ok(())
    }
}

impl fmt::Display for Figures {
    /// The cells of a row.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { notifications_per_second: speed, processor_micros_per_notification: micros, .. } = self;
        let [before, with] = [self.bytes_before, self.bytes].map(|bytes| bytes as f64 / f64::from(1 << 20));
        write!(f, "{before:.0} MiB | {with:.0} MiB | {speed:.0} | {micros:.1} µs | {:.1} s", self.caught_up_seconds)
    }
}
