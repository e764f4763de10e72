//! CN-F7: a connection sees what its subscriptions match, until they are ended, over reconnects too.

use std::{slice, time::Duration};

use tertulia_actors::{
    connection::{Agents, ConnectionSettings, Rings},
    core::{
        id::{ConnectionId, ConversationId},
        ums::{ConversationQuery, Stage as ConversationStage},
    },
    subscriber::Event,
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};
use tokio::{task::yield_now, time::timeout};

use crate::stage::{self, PATIENCE, Stage, bot};

/// An agent who takes nothing and at first sees nothing.
async fn monitor(stage: &mut Stage) -> ConnectionId {
    let linger = Duration::ZERO;
    stage.connect(ConnectionSettings { rings: Rings::Off, agent_state: None, linger, ..bot(2) }).await
}

fn everything_open() -> ConversationQuery {
    ConversationQuery { stage: vec![ConversationStage::Open], ..ConversationQuery::default() }
}

async fn opened(stage: &mut Stage, seen_by: &ConnectionId) -> ConversationId {
    let id = ConversationId::from(stage.emulator.create_conversation(None, None));
    let (conversation, seen_by) = (Some(&id), seen_by.clone());
    let is_it = |event: &Event| event.conversation.as_ref() == conversation && event.origin.connection == seen_by;
    stage.until(|event| event.data.name() == "conversation" && is_it(event)).await;
    id
}

async fn until_forgotten(stage: &Stage, connection: &ConnectionId, id: &ConversationId) {
    let gone = async {
        while stage.tertulia.connection(connection).conversation(id).is_some() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the conversation did not leave memory in time");
}

/// CN-F15.
/// SB-5, SB-6.
#[actix_rt::test]
async fn a_subscription_shows_what_matches_until_it_is_dropped() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let monitor = monitor(&mut stage).await;
    let first = opened(&mut stage, &bot).await;
    assert!(stage.tertulia.connection(&monitor).conversations().is_empty());

    let all = stage.tertulia.connection(&monitor).subscribe_conversations(everything_open()).await.unwrap();
    assert_eq!(all.conversations(), slice::from_ref(&first));
    let second = opened(&mut stage, &monitor).await;
    all.unsubscribe();
    until_forgotten(&stage, &monitor, &first).await;
    until_forgotten(&stage, &monitor, &second).await;
}

/// SB-13.
#[actix_rt::test]
async fn a_subscription_is_restored_after_a_reconnect() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let monitor = monitor(&mut stage).await;
    let known = opened(&mut stage, &bot).await;
    let _all = stage.tertulia.connection(&monitor).subscribe_conversations(everything_open()).await.unwrap();
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot2"));
    stage.until(|event| event.data.name() == "connection.resumed" && event.origin.connection == monitor).await;
    assert!(stage.tertulia.connection(&monitor).conversation(&known).is_some());
    opened(&mut stage, &monitor).await;
}

/// SB-4, SB-7.
#[actix_rt::test]
async fn a_conversation_stays_as_long_as_one_of_two_subscriptions_has_it() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let monitor = monitor(&mut stage).await;
    let id = opened(&mut stage, &bot).await;
    let one = ConversationQuery { conversation_id: Some(id.clone()), ..ConversationQuery::default() };
    let one = stage.tertulia.connection(&monitor).subscribe_conversations(one).await.unwrap();
    let all = stage.tertulia.connection(&monitor).subscribe_conversations(everything_open()).await.unwrap();
    assert_eq!((one.conversations(), all.conversations()), (slice::from_ref(&id), slice::from_ref(&id)));

    // By its close the conversation leaves the second subscription; the first one still reports it.
    stage.emulator.close_conversation(id.as_str()).unwrap();
    stage.until(|event| event.data.name() == "close" && event.origin.connection == monitor).await;
    drop(all);
    let newer = opened(&mut stage, &bot).await;
    stage.tertulia.connection(&monitor).subscribe_conversations(everything_open()).await.unwrap().unsubscribe();
    until_forgotten(&stage, &monitor, &newer).await;
    assert!(stage.tertulia.connection(&monitor).conversation(&id).is_some());
    drop(one);
    until_forgotten(&stage, &monitor, &id).await;
}

/// CN-F7, `createDefaultSubscription` off: a connection without a subscription of its own is ready, and sees what
/// callers subscribe to, over a reconnect too.
#[actix_rt::test]
async fn a_connection_may_have_no_subscription_of_its_own() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let first = opened(&mut stage, &bot).await;
    let settings = ConnectionSettings { rings: Rings::Off, agent_state: None, agents: Agents::Nobody, ..stage::bot(2) };
    let monitor = stage.connect(settings).await;
    assert!(stage.tertulia.connection(&monitor).conversations().is_empty());

    let all = stage.tertulia.connection(&monitor).subscribe_conversations(everything_open()).await.unwrap();
    assert_eq!(all.conversations(), slice::from_ref(&first));
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot2"));
    stage.until(|event| event.data.name() == "connection.resumed" && event.origin.connection == monitor).await;
    opened(&mut stage, &monitor).await;
    assert_eq!(stage.tertulia.connection(&monitor).conversations().len(), 2);
}
