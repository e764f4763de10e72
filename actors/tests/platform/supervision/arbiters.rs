//! Arbiters that end while connections run on them, and the distribution of subscribers over arbiters.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use actix::Arbiter;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use tertulia_actors::{
    connection::ConnectionSettings,
    conversation::Drill,
    core::session::{FailureReason, Phase},
    dead_letters::DeadLetterKind,
    subscriber::{Event, Filter, Sink, SinkError},
    supervision::SupervisionSettings,
};
use tertulia_emulator::EmulatorConfig;
use tokio::{sync::mpsc, time::timeout};

use super::{restarts, set};
use crate::stage::{PATIENCE, bot, message};

/// Reports the thread on which its first event was delivered.
struct FirstThread(Option<mpsc::UnboundedSender<ThreadId>>);

impl Sink for FirstThread {
    fn deliver(&mut self, _: Arc<Event>) -> LocalBoxFuture<'static, Result<(), SinkError>> {
        if let Some(threads) = self.0.take() {
            threads.send(thread::current().id()).unwrap();
        }
        async { Ok(()) }.boxed_local()
    }
}

#[actix_rt::test]
async fn subscribers_are_spread_over_the_arbiters() {
    let mut stage = set(EmulatorConfig::default(), supervision(5), 3);
    let (sender, mut threads) = mpsc::unbounded_channel();
    let _subscriptions = ["a", "b", "c", "d", "e", "f"].map(|name| {
        let sink = Box::new(FirstThread(Some(sender.clone())));
        stage.tertulia.subscribe(name, Filter::everything(), 64, sink)
    });
    stage.connect(bot(1)).await;
    let mut counts: HashMap<ThreadId, usize> = HashMap::new();
    for _ in 0..6 {
        *counts.entry(timeout(PATIENCE, threads.recv()).await.unwrap().unwrap()).or_default() += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [2, 2, 2]);
}

/// A bot that ends its arbiter with each message while `is_deadly` is set.
fn deadly(number: usize, is_deadly: &Arc<AtomicBool>) -> ConnectionSettings {
    let is_deadly = Arc::clone(is_deadly);
    let drill = Drill::new(move |_, kind, _| {
        if kind == DeadLetterKind::Records && is_deadly.load(Ordering::SeqCst) {
            Arbiter::current().stop();
        }
    });
    ConnectionSettings { drill: Some(drill), ..bot(number) }
}

fn supervision(max_restarts: u32) -> SupervisionSettings {
    SupervisionSettings { connection: restarts(max_restarts), ..SupervisionSettings::default() }
}

#[actix_rt::test]
async fn a_connection_whose_arbiter_ended_goes_on_elsewhere_and_no_other_notices() {
    let is_deadly = Arc::new(AtomicBool::new(false));
    let mut stage = set(EmulatorConfig::default(), supervision(5), 2);
    // Placed on one arbiter each.
    let victim = stage.connect(deadly(1, &is_deadly)).await;
    let conversation = stage.conversation(&victim).await;
    let other = stage.connect(bot(2)).await;

    is_deadly.store(true, Ordering::SeqCst);
    stage.emulator.say(conversation.id().as_str(), "0").unwrap();
    stage.until(|event| event.data.name() == "connection.connected").await;
    is_deadly.store(false, Ordering::SeqCst);
    stage.tertulia.connection(&victim).ready(PATIENCE).await.unwrap();
    stage.emulator.say(conversation.id().as_str(), "last").unwrap();
    stage.until(|event| message(event).and_then(|message| message.text()).as_deref() == Some("last")).await;
    let moved = stage.tertulia.connection(&victim).conversation(conversation.id()).unwrap();
    moved.send_text("here").await.unwrap();
    assert_eq!(stage.said().last().map(String::as_str), Some("here"));

    let status = stage.tertulia.connection(&other).status().unwrap();
    assert_eq!((status.state, status.reconnects), (Phase::Ready, 0));
    let metrics = stage.tertulia.metrics();
    assert!(metrics.arbiters_replaced.get() >= 1 && metrics.connections_moved.get() >= 1);
    assert_eq!(metrics.connections_ready.get(), 2);
    stage.tertulia.connection(&other).disconnect().await;
    assert_eq!(stage.tertulia.metrics().connections_ready.get(), 1);
}

#[actix_rt::test]
async fn a_connection_that_ends_every_arbiter_it_is_put_on_fails() {
    let is_deadly = Arc::new(AtomicBool::new(false));
    let mut stage = set(EmulatorConfig::default(), supervision(2), 1);
    let victim = stage.connect(deadly(1, &is_deadly)).await;
    let conversation = stage.conversation(&victim).await;
    is_deadly.store(true, Ordering::SeqCst);
    // When the bot is ready, it requests the history; only live messages are deadly.
    for number in 0.. {
        stage.emulator.say(conversation.id().as_str(), &number.to_string()).unwrap();
        let event = stage.until(|event| ["connection.resumed", "connection.failed"].contains(&event.data.name())).await;
        if event.data.name() == "connection.failed" {
            break;
        }
    }
    let status = stage.tertulia.connection(&victim).status().unwrap();
    assert_eq!(status.state, Phase::Failed(FailureReason::ArbitersKeepEnding));
    assert_eq!(stage.tertulia.metrics().connections_moved.get(), 2);

    let other = stage.connect(bot(2)).await;
    stage.conversation(&other).await;
}
