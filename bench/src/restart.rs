//! A restart: a process that held conversations is killed, and another process restores them from the store.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    Tertulia,
    conversation::ConversationHandle,
    core::id::ConnectionId,
    subscriber::{EventData, EventKind, Filter},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    load::{CONVERSATIONS_PER_BOT, bots_of, connect, journal, system},
    platform::{Order, Platform, Ready},
    process::resident_bytes,
};

/// Conversations opened per second: as fast as the stand-in's agents accept them.
const OPENINGS: u32 = 2_000;
/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// The most events that the subscriber may lag.
const STREAM: usize = 1 << 20;

/// The first line on a process's standard input.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    platform: Ready,
    directory: PathBuf,
    bots: u32,
    /// Messages to receive before the process reports that all are stored.
    messages: u32,
}

/// The report of a process about its start.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beginning {
    /// Until the store was open and its log checked.
    opened: Duration,
    /// Until every connection knew its conversations and could log in.
    taken_up: Duration,
    /// The memory at that moment, in bytes.
    resident: u64,
    /// The time to list the first hundred conversations at that moment, when all are unloaded.
    listed: Duration,
    /// The time to list with a filter that no conversation passes.
    looked_through: Duration,
    /// Until every connection had resumed on the platform.
    resumed: Duration,
    /// The memory at that moment, in bytes.
    resident_resumed: u64,
    conversations: usize,
}

/// Holds conversations in a process, kills it, and measures how the next process restores them.
pub(crate) async fn run(conversations: u32) -> anyhow::Result<()> {
    let bots = conversations.div_ceil(CONVERSATIONS_PER_BOT);
    let directory = tempfile::tempdir()?;
    let mut platform = Platform::start(bots).await?;
    let task =
        |messages| Task { platform: platform.ready.clone(), directory: directory.path().join("data"), bots, messages };
    let (first, again) = (task(conversations), task(0));
    let (mut process, mut lines) = begin(&first).await?;
    beginning(&mut lines).await?;
    platform.carry_out(Order::Open { conversations, rate: OPENINGS }).await?;
    timeout(PATIENCE, lines.next_line()).await??.context("the first process ended")?;
    // SIGKILL, so that the process finishes nothing.
    process.kill().await?;

    let (mut process, mut lines) = begin(&again).await?;
    let measured = beginning(&mut lines).await?;
    process.kill().await?;
    let mebibytes = |bytes: u64| bytes / (1 << 20);
    println!(
        "| conversations kept | store open | ready to resume | memory | a page of 100 | a filter that none passes | \
         resumed on the platform | memory |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    println!(
        "| {} | {:.2} s | {:.2} s | {} MiB | {:.2} ms | {:.2} ms | {:.1} s | {} MiB |",
        measured.conversations,
        measured.opened.as_secs_f64(),
        measured.taken_up.as_secs_f64(),
        mebibytes(measured.resident),
        measured.listed.as_secs_f64() * 1e3,
        measured.looked_through.as_secs_f64() * 1e3,
        measured.resumed.as_secs_f64(),
        mebibytes(measured.resident_resumed),
    );
    Ok(())
}

async fn begin(task: &Task) -> anyhow::Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let mut process = Command::new(std::env::current_exe()?)
        .arg("life")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a process")?;
    let (Some(mut orders), Some(lines)) = (process.stdin.take(), process.stdout.take()) else {
        anyhow::bail!("the process has no pipes");
    };
    orders.write_all(format!("{}\n", serde_json::to_string(task)?).as_bytes()).await?;
    Ok((process, BufReader::new(lines).lines()))
}

async fn beginning(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<Beginning> {
    let line = timeout(PATIENCE, lines.next_line()).await??.context("the process ended")?;
    Ok(serde_json::from_str(&line)?)
}

/// One process: starts on the store, reports that, receives the ordered messages, and waits to be killed.
pub(crate) async fn live() -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let Task { platform, directory, bots, messages } = serde_json::from_str(&line)?;
    let journal = journal(&directory)?;
    let opened = begun.elapsed();
    let tertulia = system(&platform)?.journal(Arc::clone(&journal)).start()?;
    let mut heard = tertulia.events_within(Filter::everything().kind(EventKind::Message), STREAM);
    connect(&tertulia, &platform, bots)?;
    for bot in bots_of(bots) {
        tertulia.connection(&bot).begun().await.context("a connection has ended")?;
    }
    let (taken_up, resident) = (begun.elapsed(), resident_bytes()?);
    let all: Vec<_> = bots_of(bots).collect();
    let listed = listing(&tertulia, &all, |_| true);
    let looked_through = listing(&tertulia, &all, |one| one.outline().skill_id() == Some(&"none".into()));
    for bot in bots_of(bots) {
        tertulia.connection(&bot).ready(PATIENCE).await?;
    }
    let (resumed, resident_resumed) = (begun.elapsed(), resident_bytes()?);
    let conversations = conversations(&tertulia, bots);
    let beginning =
        Beginning { opened, taken_up, resident, listed, looked_through, resumed, resident_resumed, conversations };
    println!("{}", serde_json::to_string(&beginning)?);
    let mut left = messages;
    while left > 0 {
        let event = timeout(PATIENCE, heard.next()).await?.context("the connections stopped")??;
        left -= u32::from(matches!(event.data, EventData::Conversation(_)));
    }
    anyhow::ensure!(journal.settled().await, "the journal was closed");
    println!();
    std::future::pending().await
}

/// The time to find the first hundred conversations that `is_meant` accepts.
fn listing(tertulia: &Tertulia, bots: &[ConnectionId], is_meant: impl Fn(&ConversationHandle) -> bool) -> Duration {
    let begun = Instant::now();
    let page = tertulia.conversations_page(bots, None, 100, is_meant);
    let took = begun.elapsed();
    drop(page);
    took
}

fn conversations(tertulia: &Tertulia, bots: u32) -> usize {
    bots_of(bots).map(|bot| tertulia.connection(&bot).conversations().len()).sum()
}
