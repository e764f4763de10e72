//! Conversations with a store: after a panic they continue from their stored state.

use std::{num::NonZeroUsize, sync::Arc};

use tertulia_actors::{
    Tertulia,
    core::{
        command::{Command, SendText},
        conversation::Message,
        id::CommandKey,
    },
    dead_letters::DeadLetterKind,
    engine::{Journal, MemoryStore, Retention},
    subscriber::Filter,
};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::time::timeout;

use super::{NOTIFICATIONS, Trouble, conversations_restart, letters};
use crate::stage::{PATIENCE, Stage, message, platform};

fn set(restarts: u32) -> Stage {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let store = Arc::new(MemoryStore::new(NonZeroUsize::new(1 << 16).unwrap()));
    let builder = Tertulia::builder().platform(platform(&emulator)).supervision(conversations_restart(restarts));
    let journal = Journal::start(store, Retention::default()).unwrap();
    let tertulia = builder.arbiters(NonZeroUsize::MIN).journal(journal).start().unwrap();
    Stage::of(emulator, tertulia)
}

#[actix_rt::test]
async fn a_conversation_that_is_kept_goes_on_from_the_store_after_a_panic_and_after_its_quarantine() {
    let trouble = Trouble::default();
    let mut stage = set(3);
    let mut all = stage.tertulia.events(Filter::everything());
    let bot = stage.connect(trouble.bot(1)).await;
    let conversation = stage.conversation(&bot).await;
    let id = conversation.id().clone();

    trouble.once(&id, DeadLetterKind::Records);
    stage.emulator.say(id.as_str(), "0").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["0"]);

    trouble.once(&id, DeadLetterKind::Command);
    let command = Command::SendText(SendText { text: "poison".to_owned(), ..SendText::default() });
    let key = CommandKey::from("k1");
    let refused = conversation.perform_durably(key, "digest", command, PATIENCE, PATIENCE).await;
    assert_eq!(refused.unwrap_err().code(), "dead-lettered");
    conversation.send_text("1").await.unwrap();
    assert_eq!(stage.said(), ["0", "1"], "what broke it is not taken up again from the outbox");
    assert_eq!(stage.texts(&bot, 1).await, ["1"]);

    trouble.every(1, &id, &NOTIFICATIONS);
    stage.emulator.say(id.as_str(), "2").unwrap();
    stage.event("conversation-quarantined").await;
    assert_eq!(conversation.send_text("no").await.unwrap_err().code(), "conversation-quarantined");
    trouble.end();
    stage.tertulia.connection(&bot).release(&id).await.unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["2"]);
    conversation.send_text("3").await.unwrap();
    assert_eq!(stage.said(), ["0", "1", "2", "3"], "by the handle from before");

    let (mut texts, mut sequences) = (Vec::new(), Vec::new());
    while texts.len() < 4 {
        let event = timeout(PATIENCE, all.next()).await.unwrap().unwrap().unwrap();
        if event.conversation.as_ref() == Some(&id) {
            sequences.extend(event.sequence);
            texts.extend(message(&event).and_then(Message::text));
        }
    }
    assert_eq!(texts, ["0", "1", "2", "3"]);
    let expected: Vec<u64> = (1..).take(sequences.len()).collect();
    assert_eq!(sequences, expected, "numbered without a hole");
    assert_eq!(letters(&stage).await.len(), 4);
    stage.tertulia.stop(PATIENCE).await;
}
