//! Nodes on one Postgres: durable steps of all of them together, and how long until another node sees an event.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Barrier, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tertulia::{
    cluster::{Members, NodeAbout},
    config::PostgresEngine,
    demo::TemporaryPostgres,
    engine::postgres::{self, PostgresParts},
};
use tertulia_actors::{
    core::{id::NodeId, tenure::LeaseDuration},
    engine::{Journal, Retention, Store},
};

use super::{
    journal::{Noted, drive},
    steps::Steps,
};
use crate::report::Latency;

/// Steps on their way, of all nodes together.
const IN_FLIGHT: usize = 1_000;
/// One of so many events is looked for at another node.
const SAMPLED: u64 = 100;
/// Steps of a commit before the measurement.
const TOGETHER: u64 = 1_000;
/// How long a look for newer events may take.
const LOOK_WITHIN: Duration = Duration::from_millis(200);

/// What nodes that share a database reached together.
#[derive(Deserialize, Serialize)]
pub(super) struct Shared {
    pub(super) steps_per_second: f64,
    /// From a step until it was durable.
    pub(super) commit: Latency,
    /// From then until another node saw its event.
    pub(super) seen: Option<Latency>,
}

/// When sampled events became durable, by their offsets.
type Sampled = Mutex<BTreeMap<u64, Instant>>;

/// Runs `count` nodes in this process on a temporary Postgres in `directory`. Each has a connection with its part of the
/// conversations.
pub(super) fn measure(directory: &Path, conversations: u64, duration: Duration, count: u32) -> anyhow::Result<Shared> {
    let database = TemporaryPostgres::start_in(directory)?;
    let engine =
        PostgresEngine { url: database.url().into(), schema: "bench".to_owned(), lease: LeaseDuration::default() };
    let mut nodes = Vec::new();
    for number in 0..count {
        let parts = postgres::open(&engine, &NodeId::from(format!("node-{number}").as_str()), &about())?;
        let mut steps = Steps::of(&format!("bots-{number}"), (conversations / u64::from(count)).max(1));
        let mut left = conversations / u64::from(count);
        while left > 0 {
            let together = left.min(TOGETHER);
            parts.store.commit(&steps.together(together))?;
            left -= together;
        }
        nodes.push((parts, steps));
    }
    let (together, ended) = (Barrier::new(nodes.len()), AtomicBool::new(false));
    let sampled: Vec<Arc<Sampled>> = nodes.iter().map(|_| Arc::default()).collect();
    let most = IN_FLIGHT / nodes.len();
    let watched: Vec<_> = nodes.iter().map(|(parts, _)| Arc::clone(&parts.store)).collect();
    thread::scope(|scope| {
        let watchers: Vec<_> = if count > 1 {
            // Each node looks for the events of the one before it.
            let pairs = watched.iter().skip(1).chain(watched.first()).zip(&sampled);
            pairs.map(|(store, sampled)| scope.spawn(|| watch(&**store, sampled, &ended))).collect()
        } else {
            Vec::new()
        };
        let writers = nodes.into_iter().zip(&sampled).map(|((parts, steps), sampled)| {
            let (together, sampled) = (&together, Arc::clone(sampled));
            scope.spawn(move || write(parts, steps, most, duration, together, sampled))
        });
        let writers: Vec<_> = writers.collect();
        let (mut rate, mut micros) = (0.0, Histogram::<u64>::new(3)?);
        for writer in writers {
            let (per_second, own) = joined(writer.join())?;
            rate += per_second;
            micros.add(own)?;
        }
        ended.store(true, Ordering::Release);
        let mut seen = Histogram::<u64>::new(3)?;
        for watcher in watchers {
            seen.add(joined(watcher.join())?)?;
        }
        let seen = (!seen.is_empty()).then(|| Latency::of(&seen));
        Ok(Shared { steps_per_second: rate, commit: Latency::of(&micros), seen })
    })
}

fn write(
    parts: PostgresParts,
    mut steps: Steps,
    most: usize,
    duration: Duration,
    together: &Barrier,
    sampled: Arc<Sampled>,
) -> anyhow::Result<(f64, Histogram<u64>)> {
    let PostgresParts { store, nodes, tenure, .. } = parts;
    // As in a service: the node beats while it writes.
    let members = Members::start(nodes, tenure, LeaseDuration::default(), about())?;
    let journal = Journal::start(store, Retention::default())?;
    let noted: Arc<Noted> = Arc::new(move |offset| {
        if offset.is_multiple_of(SAMPLED) {
            sampled.lock().unwrap_or_else(PoisonError::into_inner).insert(offset, Instant::now());
        }
    });
    together.wait();
    let started = Instant::now();
    let (made, micros) = drive(&journal, &mut steps, most, duration, Some(&noted))?;
    let rate = made as f64 / started.elapsed().as_secs_f64();
    journal.close();
    members.stop();
    Ok((rate, micros))
}

/// Looks for the events of another node, as its own readers do.
fn watch(store: &dyn Store, sampled: &Sampled, ended: &AtomicBool) -> anyhow::Result<Histogram<u64>> {
    let (mut micros, mut newest) = (Histogram::<u64>::new(3)?, 0);
    while !ended.load(Ordering::Acquire) {
        newest = store.newer(newest, LOOK_WITHIN)?;
        let now = Instant::now();
        let mut waiting = sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let later = waiting.split_off(&(newest + 1));
        let seen = std::mem::replace(&mut *waiting, later);
        drop(waiting);
        for since in seen.into_values() {
            // An event may be seen here before its own node is told that it is durable.
            micros.record(u64::try_from(now.saturating_duration_since(since).as_micros())?)?;
        }
    }
    Ok(micros)
}

fn joined<T>(result: thread::Result<anyhow::Result<T>>) -> anyhow::Result<T> {
    result.unwrap_or_else(|_| anyhow::bail!("a node's thread panicked"))
}

fn about() -> NodeAbout {
    NodeAbout {
        address: "127.0.0.1:1".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: 0,
        capacity: 1_000,
        labels: [].into(),
        is_draining: false,
        knows: 0,
        connections: 0,
        conversations: 0,
    }
}
