//! A process that may not act sends nothing, whatever is queued.

use std::{num::NonZeroUsize, pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tertulia_actors::{
    Tertulia,
    core::{id::ConversationId, placement::DutyName},
    engine::{Cluster, ClusterError, LocalCluster},
};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage, bot, message, platform};

/// A stage whose process is one node of the returned cluster.
fn stage() -> (Stage, LocalCluster) {
    let cluster = LocalCluster::default();
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN);
    let tertulia = builder.cluster(Arc::new(cluster.clone())).start().unwrap();
    (Stage::of(emulator, tertulia), cluster)
}

fn said(stage: &Stage) -> Vec<String> {
    stage.emulator.ledger().iter().filter_map(|entry| entry.text).collect()
}

/// What is queued waits while the process is suspended. Notifications are received meanwhile.
#[actix_rt::test]
async fn commands_wait_while_the_process_is_suspended() {
    let (mut stage, cluster) = stage();
    let connection = stage.bot().await;
    let conversation = stage.conversation(&connection).await;
    cluster.suspend(true);
    let sending = tokio::spawn({
        let conversation = conversation.clone();
        async move { conversation.send_text("late").await }
    });
    // A message that comes afterwards is received, so the sent one had the time to go out.
    for text in ["one", "two"] {
        stage.emulator.say(conversation.id().as_str(), text).unwrap();
        stage.until(|event| message(event).is_some_and(|message| message.text().as_deref() == Some(text))).await;
    }
    assert!(!said(&stage).contains(&"late".to_owned()));
    cluster.suspend(false);
    timeout(PATIENCE, sending).await.unwrap().unwrap().unwrap();
    assert_eq!(said(&stage).iter().filter(|text| *text == "late").count(), 1);
}

/// A fenced process drops what is queued and closes its sockets.
#[actix_rt::test]
async fn nothing_is_sent_after_the_process_was_fenced() {
    let (mut stage, cluster) = stage();
    let connection = stage.bot().await;
    let conversation = stage.conversation(&connection).await;
    cluster.fence(&cluster);
    let sending = tokio::spawn({
        let conversation = conversation.clone();
        async move { conversation.send_text("never").await }
    });
    stage.event("connection.disconnected").await;
    assert!(!said(&stage).contains(&"never".to_owned()));
    sending.abort();
}

/// A connection runs, and reads what is stored of it, only once its process has its duty.
#[actix_rt::test]
async fn a_connection_waits_until_its_process_has_the_duty() {
    let (mut stage, cluster) = stage();
    let other = cluster.join();
    let acting = other.take(DutyName::Connection("bot-1".into())).await.unwrap();
    stage.tertulia.connect(bot(1)).unwrap();
    // Another connection of the same process is not held up.
    stage.connect(bot(2)).await;
    assert!(stage.tertulia.connection(&"bot-1".into()).ready(Duration::ZERO).await.is_err());
    other.hand_back(&acting).await;
    stage.tertulia.connection(&"bot-1".into()).ready(PATIENCE).await.unwrap();
    let id = ConversationId::from(stage.emulator.create_conversation(None, None));
    stage.until(|event| event.data.name() == "conversation" && event.conversation.as_ref() == Some(&id)).await;
}

/// The end of a connection that was added again at once does not take the duty from the new connection.
#[actix_rt::test]
async fn a_connection_that_is_added_again_at_once_keeps_the_duty() {
    let (stage, cluster) = stage();
    let bot_1 = stage.tertulia.connect(bot(1)).unwrap();
    bot_1.ready(PATIENCE).await.unwrap();
    let mut ending = pin!(bot_1.disconnect());
    assert!((&mut ending).now_or_never().is_none(), "the id is free, and the connection ends");
    stage.tertulia.connect(bot(1)).unwrap().ready(PATIENCE).await.unwrap();
    ending.await;
    let duty = DutyName::Connection("bot-1".into());
    let taken = cluster.join().take(duty.clone()).await;
    assert_eq!(taken, Err(ClusterError::Held(duty)));
}

/// Others need not wait for the end of the process.
#[actix_rt::test]
async fn the_duties_of_a_stopped_system_are_free() {
    let (mut stage, cluster) = stage();
    stage.bot().await;
    let duty = DutyName::Connection("bot-1".into());
    let other = cluster.join();
    assert_eq!(other.take(duty.clone()).await, Err(ClusterError::Held(duty.clone())));
    let Stage { tertulia, .. } = stage;
    tertulia.stop(PATIENCE).await;
    other.take(duty).await.unwrap();
}
