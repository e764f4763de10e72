//! One run: hold conversations, receive messages at a fixed rate and at full speed, send commands, and measure each.

use std::{
    borrow::Cow,
    future::Future,
    num::NonZeroU32,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::Deserialize;
use tempfile::TempDir;
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::{
    Builder, Tertulia,
    connection::ConnectionSettings,
    conversation::ConversationHandle,
    core::{id::ConnectionId, ums::ParticipantRole},
    engine::{Journal, LogBatch, LogReader, Retention},
    platform::{AgentLogin, Pace, PlatformSettings},
    subscriber::{EventKind, EventStream, Filter},
};
use tokio::time::{sleep, timeout};

use crate::{
    Pressure,
    platform::{Order, Platform, Ready, said_at},
    process::{processor_time, resident_bytes},
    report::{Burst, Latency, Run},
};

/// The platform's limit of conversations per bot.
pub(crate) const CONVERSATIONS_PER_BOT: u32 = 1_000;
/// Conversations opened per second.
pub(crate) const OPENINGS: u32 = 2_000;
/// Messages at full speed: enough that the resolution of the processor clock does not matter, and that every
/// conversation is used, so that no conversation is always in the processor's caches.
pub(crate) const FLOOD: u32 = 200_000;
/// Messages at full speed that are sent before any is received. The platform drops a socket with 4096 unread frames.
pub(crate) const WAVE: u32 = 1_000;
/// How long one step may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// The idle time before memory is measured.
const REST: Duration = Duration::from_secs(2);
/// The most events that the subscriber may lag.
pub(crate) const STREAM: usize = 1 << 20;

/// The size of a run, and its load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) conversations: u32,
    pub(crate) pressure: Pressure,
}

/// Performs one run. The time of every step is limited.
pub(crate) async fn run(scale: Scale) -> anyhow::Result<Run> {
    let Scale { conversations, pressure: Pressure { duration, rate, in_flight, burst, durable } } = scale;
    let bots = conversations.div_ceil(CONVERSATIONS_PER_BOT);
    let mut platform = Platform::start(bots).await?;
    let directory = durable.then(tempfile::tempdir).transpose()?;
    let tertulia = start(&platform.ready, bots, directory.as_ref().map(TempDir::path))?;
    for bot in bots_of(bots) {
        tertulia.connection(&bot).ready(PATIENCE).await?;
    }
    let mut stream = tertulia.events_within(Filter::everything().kind(EventKind::Message), STREAM);

    sleep(REST).await;
    let before = resident_bytes()?;
    let opened = Instant::now();
    hear(&mut stream, conversations, platform.carry_out(Order::Open { conversations, rate: OPENINGS })).await?;
    let opening = opened.elapsed();
    sleep(REST).await;
    let grown = resident_bytes()?.saturating_sub(before);

    let messages = rate.saturating_mul(duration);
    let saying = platform.carry_out(Order::Say { messages, rate });
    let log = durable.then(|| tertulia.journal().reader(tertulia.journal().newest()));
    let kept = async {
        match log {
            Some(log) => read(log, messages).await.map(Some),
            None => Ok(None),
        }
    };
    let (paced, kept) = tokio::try_join!(hear(&mut stream, messages, saying), kept)?;

    let used = processor_time()?;
    let frames = tertulia.metrics().frames.get();
    let begun = Instant::now();
    for _ in 0..FLOOD / WAVE {
        hear(&mut stream, WAVE, platform.carry_out(Order::Say { messages: WAVE, rate: 0 })).await?;
    }
    let flooded = begun.elapsed();
    let frames = tertulia.metrics().frames.get() - frames;
    let used = processor_time()?.saturating_sub(used);
    drop(stream);

    let commands = command(&tertulia, bots, in_flight, Duration::from_secs(u64::from(duration))).await?;
    let reconnects = tertulia.metrics().reconnects.get();
    let burst = match burst {
        Some(messages) => Some(measure_burst(&tertulia, &mut platform, messages).await?),
        None => None,
    };
    let run = Run {
        bots,
        opening_seconds: opening.as_secs_f64(),
        bytes_per_conversation: grown / u64::from(conversations),
        paced_rate: rate,
        platform_to_subscriber: Latency::of(&paced),
        platform_to_log: kept.as_ref().map(Latency::of),
        notifications_per_second: frames as f64 / flooded.as_secs_f64(),
        processor_micros_per_notification: used.as_secs_f64() * 1e6 / frames.max(1) as f64,
        notifications_per_message: frames as f64 / f64::from(FLOOD),
        commands_in_flight: in_flight,
        commands_per_second: commands.done as f64 / commands.took.as_secs_f64(),
        commands_failed: commands.failed,
        processor_micros_per_command: commands.used.as_secs_f64() * 1e6 / commands.done.max(1) as f64,
        command_to_answer: Latency::of(&commands.latency),
        reconnects,
        burst,
    };
    tertulia.stop(Duration::from_secs(10)).await;
    Ok(run)
}

/// Sends all messages before any is received.
async fn measure_burst(tertulia: &Tertulia, platform: &mut Platform, messages: u32) -> anyhow::Result<Burst> {
    let mut stream = tertulia.events_within(Filter::everything().kind(EventKind::Message), STREAM);
    sleep(REST).await;
    let (before, reconnects) = (resident_bytes()?, tertulia.metrics().reconnects.get());
    let begun = Instant::now();
    hear(&mut stream, messages, platform.carry_out(Order::Say { messages, rate: 0 })).await?;
    let took = begun.elapsed();
    Ok(Burst {
        messages,
        messages_per_second: f64::from(messages) / took.as_secs_f64(),
        grown_bytes: resident_bytes()?.saturating_sub(before),
        reconnects: tertulia.metrics().reconnects.get() - reconnects,
    })
}

pub(crate) fn bots_of(count: u32) -> impl Iterator<Item = ConnectionId> {
    (1..=count).map(|number| ConnectionId::from(format!("bot{number}")))
}

fn start(ready: &Ready, bots: u32, directory: Option<&Path>) -> anyhow::Result<Tertulia> {
    let system = system(ready)?;
    let tertulia = match directory {
        Some(directory) => system.journal(journal(directory)?).start()?,
        None => system.start()?,
    };
    connect(&tertulia, ready, bots)?;
    Ok(tertulia)
}

/// The journal of an embedded store.
pub(crate) fn journal(directory: &Path) -> anyhow::Result<Arc<Journal>> {
    Ok(Journal::start(Arc::new(EmbeddedStore::open(directory)?), Retention::default())?)
}

/// A system that connects to the stand-in, without connections yet.
pub(crate) fn system(ready: &Ready) -> anyhow::Result<Builder> {
    let pace = NonZeroU32::new(200).unwrap_or(NonZeroU32::MIN);
    let settings = PlatformSettings {
        discovery: ready.discovery.clone(),
        authorities: vec![ready.authority.clone()],
        pace: Pace { logins_per_account: pace, logins: pace, connects: pace, ..Pace::default() },
        ..PlatformSettings::default()
    };
    Ok(Tertulia::builder().platform(settings))
}

/// Connects `bots` bots.
pub(crate) fn connect(tertulia: &Tertulia, ready: &Ready, bots: u32) -> anyhow::Result<()> {
    for bot in bots_of(bots) {
        let login = AgentLogin::Password { username: bot.to_string(), password: "secret".into() };
        tertulia.connect(ConnectionSettings::bot(bot, ready.account.as_str(), login))?;
    }
    Ok(())
}

/// Waits until the given number of consumers' messages was received while `saying` runs. Returns the time of each from
/// sending to receiving, in microseconds.
async fn hear(
    stream: &mut EventStream,
    messages: u32,
    saying: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Histogram<u64>> {
    let mut latency = Histogram::new(3)?;
    let hearing = async {
        while latency.len() < u64::from(messages) {
            let event = timeout(PATIENCE, stream.next()).await.context("no message arrived in time")?;
            let event = event.context("the connections stopped")??;
            let Some(message) = event.message() else { continue };
            if message.role != Some(ParticipantRole::Consumer) {
                continue;
            }
            let said = message.text().as_deref().and_then(said_at).context("a message has no sending time")?;
            let took = SystemTime::now().duration_since(said).unwrap_or_default();
            latency.record(u64::try_from(took.as_micros())?)?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(hearing, saying)?;
    Ok(latency)
}

/// Reads the given number of consumers' messages from the log, as soon as each is durable. Returns the time of each from
/// sending to reading, in microseconds.
async fn read(mut log: LogReader, messages: u32) -> anyhow::Result<Histogram<u64>> {
    #[derive(Deserialize)]
    struct Kept<'e> {
        #[serde(borrow)]
        data: KeptMessage<'e>,
    }

    #[derive(Deserialize)]
    struct KeptMessage<'e> {
        #[serde(borrow)]
        body: Option<Cow<'e, str>>,
        role: Option<ParticipantRole>,
    }

    let mut latency = Histogram::new(3)?;
    while latency.len() < u64::from(messages) {
        let batch = timeout(PATIENCE, log.next()).await.context("no message was kept in time")??;
        let Some(LogBatch::Events(events)) = batch else { anyhow::bail!("the log has a gap or has ended") };
        let now = SystemTime::now();
        for event in events.iter().filter(|event| event.name == "message") {
            let Kept { data } = serde_json::from_slice(&event.json)?;
            if data.role == Some(ParticipantRole::Consumer) {
                let said = data.body.as_deref().and_then(said_at).context("a message has no sending time")?;
                latency.record(u64::try_from(now.duration_since(said).unwrap_or_default().as_micros())?)?;
            }
        }
    }
    Ok(latency)
}

struct Commands {
    done: u64,
    failed: u64,
    took: Duration,
    used: Duration,
    latency: Histogram<u64>,
}

/// Sends texts in all conversations, `in_flight` at a time, and waits for each answer.
async fn command(tertulia: &Tertulia, bots: u32, in_flight: u32, duration: Duration) -> anyhow::Result<Commands> {
    let handles: Vec<ConversationHandle> =
        bots_of(bots).flat_map(|bot| tertulia.connection(&bot).conversations()).collect();
    let handles: Arc<[ConversationHandle]> = handles.into();
    anyhow::ensure!(!handles.is_empty(), "no conversation is in memory");
    let stride = usize::try_from(in_flight)?.min(handles.len());
    let (begun, used) = (Instant::now(), processor_time()?);
    let workers: Vec<_> = (0..stride)
        .map(|first| {
            let handles = Arc::clone(&handles);
            actix_rt::spawn(async move {
                let mut answers = Histogram::<u64>::new(3)?;
                let mut failed = 0;
                for handle in handles.iter().skip(first).step_by(stride).cycle() {
                    if begun.elapsed() >= duration {
                        break;
                    }
                    let asked = Instant::now();
                    match handle.send_text("Thank you, I am looking into it and shall be back in a moment.").await {
                        Ok(_) => answers.record(u64::try_from(asked.elapsed().as_micros())?)?,
                        Err(_) => failed += 1,
                    }
                }
                anyhow::Ok((answers, failed))
            })
        })
        .collect();
    let mut latency = Histogram::new(3)?;
    let mut failed = 0;
    for worker in workers {
        let (answers, failures) = worker.await??;
        latency.add(answers)?;
        failed += failures;
    }
    let (took, used) = (begun.elapsed(), processor_time()?.saturating_sub(used));
    Ok(Commands { done: latency.len(), failed, took, used, latency })
}
