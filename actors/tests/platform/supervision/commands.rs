//! Commands of a conversation that panics: each has its effect at most once, and each caller gets an outcome.

use futures_util::future::join_all;
use tertulia_actors::dead_letters::DeadLetterKind;
use tertulia_emulator::EmulatorConfig;

use super::{Trouble, conversations_restart, letters, set};

#[actix_rt::test]
async fn a_command_that_panics_is_answered_and_kept_and_the_others_go_on() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(5), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;
    trouble.once(conversation.id(), DeadLetterKind::Command);
    let outcomes = join_all(["0", "1", "2"].map(|text| conversation.send_text(text))).await;
    let codes: Vec<Option<&str>> =
        outcomes.iter().map(|outcome| outcome.as_ref().err().map(|failure| failure.code())).collect();
    assert_eq!(codes, [Some("dead-lettered"), None, None]);
    assert_eq!(stage.said(), ["1", "2"]);
    stage.event("conversation-restarted").await;
    let failed = stage.event("command-failed").await;
    assert_eq!(failed.conversation.as_ref(), Some(conversation.id()));

    let letters = letters(&stage).await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.kind, DeadLetterKind::Command);
    stage.tertulia.replay_dead_letter(&letter.id).await.unwrap();
    stage.until(|event| event.data.name() == "command-sent").await;
    assert_eq!(conversation.send_text("3").await.unwrap().sequence, Some(3));
    assert_eq!(stage.said(), ["1", "2", "0", "3"]);
    assert!(super::letters(&stage).await.is_empty());
}

/// Promise 4: a send whose response is lost with the panic is looked up, and not repeated.
#[actix_rt::test]
async fn sends_act_once_however_often_the_conversation_panics() {
    const SENDS: usize = 60;
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(1_000), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;
    trouble.every(3, conversation.id(), &super::NOTIFICATIONS);
    let expected: Vec<String> = (0..SENDS).map(|number| number.to_string()).collect();
    for some in expected.chunks(10) {
        for outcome in join_all(some.iter().map(|text| conversation.send_text(text))).await {
            outcome.unwrap();
        }
    }
    assert_eq!(stage.said(), expected);
    assert!(stage.tertulia.metrics().conversation_restarts.get() > 0);
}
