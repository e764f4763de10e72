//! Notifications on which a conversation panics, and notifications that cannot be parsed.

use tertulia_actors::{
    core::{command::MessageRange, ums::TtrType},
    dead_letters::{DeadLetterId, DeadLetterKind, ReplayError},
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use super::{Trouble, conversations_restart, letters, set, until_member};
use crate::stage::Stage;

/// The conversation loses the state on which it panicked, so it requests a fresh one.
#[actix_rt::test]
async fn after_a_state_that_panics_the_members_are_right_all_the_same() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(5), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;

    trouble.once(conversation.id(), DeadLetterKind::State);
    conversation.set_ttr(TtrType::Custom, 77).await.unwrap();
    stage.event("conversation-restarted").await;
    until_member(&conversation, "ttrValue", 77).await;

    let letters = letters(&stage).await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((&letter.connection, letter.conversation.as_ref()), (&bot, Some(conversation.id())));
    assert_eq!((letter.kind, letter.reason.as_str()), (DeadLetterKind::State, "told to panic on State"));
    let body: serde_json::Value = serde_json::from_slice(&letter.body).unwrap();
    assert_eq!(body["convId"].as_str(), Some(conversation.id().as_str()), "the bytes are those that came");

    let metrics = stage.tertulia.metrics();
    let taken = metrics.state_notifications_ignored.get() + metrics.state_notifications_out_of_order.get();
    stage.tertulia.replay_dead_letter(&letter.id).await.unwrap();
    until_member(&conversation, "ttrValue", 77).await;
    let metrics = stage.tertulia.metrics();
    let taken_since =
        metrics.state_notifications_ignored.get() + metrics.state_notifications_out_of_order.get() - taken;
    assert_eq!(taken_since, 1, "it is taken this time, and is nothing new");
    assert!(super::letters(&stage).await.is_empty());
    let again = stage.tertulia.replay_dead_letter(&letter.id).await;
    assert_eq!(again, Err(ReplayError::Unknown(letter.id.clone())));
}

/// Records on which it panicked are in the history, from which they are delivered in order.
#[actix_rt::test]
async fn messages_that_panic_are_reported_once_and_in_order() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(100), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;
    trouble.every(2, conversation.id(), &[DeadLetterKind::Records]);
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for text in &expected {
        stage.emulator.say(conversation.id().as_str(), text).unwrap();
    }
    assert_eq!(stage.texts(&bot, 20).await, expected);
    assert!(!letters(&stage).await.is_empty());
    assert!(letters(&stage).await.iter().all(|letter| letter.kind == DeadLetterKind::Records));
    assert_eq!(stage.tertulia.metrics().message_gaps.get(), 0);

    trouble.end();
    for letter in letters(&stage).await {
        stage.tertulia.replay_dead_letter(&letter.id).await.unwrap();
    }
    stage.emulator.say(conversation.id().as_str(), "last").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["last"], "what is replayed is known already");
}

/// The conversation panics on a response with history too, and requests it again.
#[actix_rt::test]
async fn a_history_that_panics_is_asked_for_again() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(5), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;
    // The conversation has read its first history; the next request is for what it missed.
    conversation.query_messages(MessageRange::default()).await.unwrap();
    trouble.once(conversation.id(), DeadLetterKind::Answer);
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.event("connection.disconnected").await;
    stage.emulator.say(conversation.id().as_str(), "missed").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["missed"]);
    let letters = letters(&stage).await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.kind, DeadLetterKind::Answer);
    let refused = stage.tertulia.replay_dead_letter(&letter.id).await;
    assert_eq!(refused, Err(ReplayError::NotReplayable(letter.id.clone())));
    assert_eq!(super::letters(&stage).await.len(), 1, "it stays to be read");
}

/// Promise 7: a frame that cannot be parsed is kept, with the reason.
#[actix_rt::test]
async fn a_frame_that_cannot_be_read_is_a_dead_letter_again_when_it_is_replayed() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Malformed).user("bot1"));
    stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["hello"]);
    let first = letters(&stage).await.remove(0);
    assert_eq!((first.kind, &first.conversation, &first.connection), (DeadLetterKind::Frame, &None, &bot));
    assert!(!first.body.is_empty() && !first.reason.is_empty());

    let before = letters(&stage).await.len();
    stage.tertulia.replay_dead_letter(&first.id).await.unwrap();
    let after = letters(&stage).await;
    assert_eq!(after.len(), before);
    assert_eq!(after.last().unwrap().body, first.body);
    assert!(after.iter().all(|letter| letter.id != first.id));
    let nobodys = DeadLetterId::from("nobody's");
    assert_eq!(stage.tertulia.replay_dead_letter(&nobodys).await, Err(ReplayError::Unknown(nobodys)));
}
