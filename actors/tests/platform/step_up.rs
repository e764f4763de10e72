//! CA-4, CN-F17, CV-F1: a consumer gets an identity that the brand vouches for, and keeps their conversations.

use std::{
    collections::HashMap,
    collections::HashSet,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use futures_util::future::{join_all, try_join_all};
use tertulia_actors::{
    Tertulia,
    connection::{ConnectionError, Takeover},
    core::id::{ConnectionId, UserId},
    platform::{Pace, PlatformSettings, StepUp},
};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultMode};

use crate::stage::{PATIENCE, Stage, bot, consumer, platform};

const CONSUMERS: usize = 200;

/// A stage without a wait for logins.
fn hurried(config: EmulatorConfig) -> Stage {
    let emulator = Emulator::start(config).unwrap();
    let fast = NonZeroU32::new(10_000).unwrap();
    let pace = Pace { logins_per_account: fast, logins: fast, connects: fast, ..Pace::default() };
    let settings = PlatformSettings { pace, request_timeout: PATIENCE, ..platform(&emulator) };
    let tertulia = Tertulia::builder().platform(settings).arbiters(NonZeroUsize::MIN).start().unwrap();
    Stage::of(emulator, tertulia)
}

fn known_as(name: &str) -> StepUp {
    StepUp { connector: "101".to_owned(), code: name.into() }
}

#[actix_rt::test]
async fn two_hundred_consumers_step_up_at_once_and_keep_their_conversations() {
    let mut stage = hurried(EmulatorConfig { init_grace: PATIENCE, ..EmulatorConfig::default() });
    let bots = [stage.connect(bot(1)).await, stage.connect(bot(2)).await];
    let names: Vec<ConnectionId> = (0..CONSUMERS).map(|number| format!("c{number}").into()).collect();
    for name in &names {
        stage.tertulia.connect(consumer(name.as_str())).unwrap();
    }
    let tertulia = &stage.tertulia;
    let opened = names.iter().map(|name| async move {
        tertulia.connection(name).ready(PATIENCE).await.unwrap();
        let conversation = tertulia.connection(name).create_conversation(Default::default()).await.unwrap();
        conversation.send_text("hello").await.unwrap();
        conversation
    });
    let conversations = join_all(opened).await;
    // Bots that join a conversation later receive no step-up.
    while bots.iter().map(|bot| tertulia.connection(bot).conversations().len()).sum::<usize>() < CONSUMERS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let steps = names.iter().map(async |name| tertulia.connection(name).step_up(known_as(name.as_str())).await);
    let stepped_up = try_join_all(steps).await.unwrap();
    let identities: HashSet<UserId> = stepped_up.iter().map(|one| one.user_id.clone()).collect();
    assert_eq!(identities.len(), CONSUMERS);
    for (stepped_up, mine) in stepped_up.iter().zip(&conversations) {
        assert_eq!(stepped_up.conversations, HashMap::from([(mine.id().clone(), Takeover::Done)]));
    }
    try_join_all(conversations.iter().map(|mine| mine.send_text("still me"))).await.unwrap();

    let mut told = HashSet::new();
    while told.len() < CONSUMERS {
        let event = stage.event("consumer-step-up").await;
        if bots.contains(&event.origin.connection) {
            assert!(told.insert(event.conversation.clone()), "told twice");
        }
    }
}

#[actix_rt::test]
async fn an_open_conversation_is_taken_over_and_a_closed_one_is_left() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let open = stage.consumer("ann").await;
    let closed = stage.tertulia.connection(open.connection()).create_conversation(Default::default()).await.unwrap();
    closed.close().await.unwrap();
    stage.until(|event| event.data.name() == "close" && event.origin.connection == *open.connection()).await;

    let stepped_up = stage.tertulia.connection(open.connection()).step_up(known_as("ann@example.com")).await.unwrap();
    assert_eq!(stepped_up.conversations.get(open.id()), Some(&Takeover::Done));
    assert_eq!(stepped_up.conversations.get(closed.id()), Some(&Takeover::Closed));

    let theirs = stage.tertulia.connection(&bot).conversation(open.id()).unwrap();
    theirs.send_text("welcome back").await.unwrap();
    assert_eq!(stage.texts(open.connection(), 1).await, ["welcome back"]);
}

#[actix_rt::test]
async fn a_step_up_is_finished_however_often_the_connection_drops() {
    let mut stage = hurried(EmulatorConfig { faults: FaultMode::Flaky, seed: 5, ..EmulatorConfig::default() });
    stage.bot().await;
    for number in 0..20 {
        let mine = stage.consumer(&format!("c{number}")).await;
        let stepped_up =
            stage.tertulia.connection(mine.connection()).step_up(known_as(&number.to_string())).await.unwrap();
        assert!(stepped_up.conversations.values().all(|outcome| *outcome == Takeover::Done), "{stepped_up:?}");
        mine.send_text("still me").await.unwrap();
    }
}

/// A later login, such as after an expired token, does not restore the previous identity (CA-3).
#[actix_rt::test]
async fn who_stepped_up_once_stays_so_over_a_reconnect() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let mine = stage.consumer("ann").await;
    let first = stage.tertulia.connection(mine.connection()).step_up(known_as("ann")).await.unwrap();
    let again = stage.tertulia.connection(mine.connection()).step_up(known_as("ann")).await.unwrap();
    assert_eq!(first.user_id, again.user_id);
    assert_eq!(again.conversations[mine.id()], Takeover::Done);
}

#[actix_rt::test]
async fn an_agent_does_not_step_up() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let refused = stage.tertulia.connection(&bot).step_up(known_as("bot")).await;
    assert!(matches!(refused, Err(ConnectionError::NotSupported { .. })));
}
