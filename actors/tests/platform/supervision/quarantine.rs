//! A conversation that panicked too often: isolated, visible, and releasable.

use tertulia_actors::{
    connection::ConnectionError,
    conversation::ConversationError,
    core::{id::ConnectionId, ums::TtrType},
    dead_letters::{DeadLetterKind, ReplayError},
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use super::{NOTIFICATIONS, Trouble, conversations_restart, letters, set, until_member};
use crate::stage;

#[actix_rt::test]
async fn a_quarantined_conversation_is_listed_refuses_commands_and_goes_on_when_it_is_released() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(1), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;
    let id = conversation.id().clone();
    assert!(stage.tertulia.connection(&bot).quarantined().await.is_empty());
    let refused = stage.tertulia.connection(&bot).release(&id).await;
    assert_eq!(refused, Err(ConnectionError::NotQuarantined(id.clone())));

    trouble.every(1, &id, &NOTIFICATIONS);
    stage.emulator.say(id.as_str(), "0").unwrap();
    stage.event("conversation-quarantined").await;

    let listed = stage.tertulia.connection(&bot).quarantined().await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].conversation, listed[0].restarts), (&id, 1));
    assert!(listed[0].reason.starts_with("told to panic on"));
    // With the caller's present handle, and with a new one.
    let again = stage.tertulia.connection(&bot).conversation(&id).unwrap();
    for handle in [&conversation, &again] {
        let failure = handle.send_text("nobody takes it").await.unwrap_err();
        assert_eq!((failure.code(), failure), ("conversation-quarantined", ConversationError::Quarantined));
    }
    let letter = letters(&stage).await.remove(0);
    let refused = stage.tertulia.replay_dead_letter(&letter.id).await;
    assert_eq!(refused, Err(ReplayError::NobodyThere(letter.id.clone())));
    assert_eq!(stage.tertulia.metrics().conversations_in_quarantine.get(), 1);

    // Another message shows that the earlier one was handled.
    stage.emulator.say(id.as_str(), "1").unwrap();
    let other = stage.conversation(&bot).await;
    stage.emulator.say(other.id().as_str(), "other").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["other"]);
    assert!(stage.tertulia.connection(&bot).quarantined().await[0].notifications_dropped > 0);

    trouble.end();
    stage.tertulia.connection(&bot).release(&id).await.unwrap();
    assert_eq!(stage.texts(&bot, 2).await, ["0", "1"]);
    assert!(stage.tertulia.connection(&bot).quarantined().await.is_empty());
    assert_eq!(stage.tertulia.metrics().conversations_in_quarantine.get(), 0);
    let released = stage.tertulia.connection(&bot).conversation(&id).unwrap();
    released.set_ttr(TtrType::Custom, 77).await.unwrap();
    until_member(&released, "ttrValue", 77).await;
    released.send_text("2").await.unwrap();
    assert_eq!(stage.said().last().map(String::as_str), Some("2"));
}

/// Promise 4: callers of waiting commands learn that nothing was sent; the caller of the sent command, that its outcome
/// is unknown.
#[actix_rt::test]
async fn everybody_who_waits_in_a_conversation_is_answered_when_it_is_quarantined() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(0), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;
    // The first is in flight, because no response comes; the last one panics.
    stage.emulator.inject(Fault::new(FaultKind::HalfOpen).user("bot1"));
    trouble.every(4, conversation.id(), &[DeadLetterKind::Command]);
    let sends = (0..4).map(|number| conversation.send_text(number.to_string()));
    let codes: Vec<&str> =
        futures_util::future::join_all(sends).await.into_iter().map(|outcome| outcome.unwrap_err().code()).collect();
    assert_eq!(codes, ["outcome-unknown", "conversation-quarantined", "conversation-quarantined", "dead-lettered"]);
}

/// A conversation that ended leaves the quarantine with the subscription.
#[actix_rt::test]
async fn a_closed_conversation_does_not_stay_in_quarantine() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(0), 1);
    let linger = std::time::Duration::from_millis(10);
    let settings = tertulia_actors::connection::ConnectionSettings { linger, ..trouble.bot(1) };
    let bot = stage.connect(settings).await;
    let id = stage.conversation(&bot).await.id().clone();
    trouble.every(1, &id, &NOTIFICATIONS);
    stage.emulator.say(id.as_str(), "0").unwrap();
    stage.event("conversation-quarantined").await;
    stage.emulator.close_conversation(id.as_str()).unwrap();
    let gone = async {
        while !stage.tertulia.connection(&bot).quarantined().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(stage::PATIENCE, gone).await.unwrap();
    assert!(stage.tertulia.connection(&bot).conversation(&id).is_none());
    let metrics = stage.tertulia.metrics();
    assert_eq!((metrics.conversations_in_quarantine.get(), metrics.conversations.get()), (0, 0));
    let nowhere = ConnectionId::from("nowhere");
    assert!(stage.tertulia.connection(&nowhere).quarantined().await.is_empty());
    assert_eq!(
        stage.tertulia.connection(&nowhere).release(&id).await,
        Err(ConnectionError::UnknownConnection(nowhere))
    );
}
