//! Snapshots larger than a page (SB-8 to SB-12), at first and after a reconnect.

use std::collections::HashSet;

use tertulia_actors::{
    connection::{Agents, ConnectionSettings, Rings},
    core::{
        conversation::HistoryStart,
        id::{ConnectionId, ConversationId},
        ums::TtrType,
    },
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use crate::stage::{Stage, bot};

/// A manager who looks on at the whole account.
fn manager() -> ConnectionSettings {
    ConnectionSettings { rings: Rings::Off, agents: Agents::All, history: HistoryStart::FirstSeen, ..bot(1) }
}

impl Stage {
    fn known(&self, connection: &ConnectionId) -> HashSet<ConversationId> {
        self.tertulia.connection(connection).conversations().iter().map(|handle| handle.id().clone()).collect()
    }
}

/// Q9, Q17.
/// SB-9, SB-11: three pages of conversations are all seen, and after a reconnect none is lost or reported as closed.
#[actix_rt::test]
async fn three_thousand_conversations_survive_a_reconnect() {
    const CONVERSATIONS: usize = 3_000;
    let mut stage = Stage::set(EmulatorConfig::default());
    let opened: HashSet<ConversationId> =
        (0..CONVERSATIONS).map(|_| stage.emulator.create_conversation(None, None).into()).collect();
    let manager = stage.connect(manager()).await;
    assert_eq!(stage.known(&manager), opened);

    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.event("connection.disconnected").await;
    loop {
        let event = stage.until(|event| ["close", "connection.resumed"].contains(&event.data.name())).await;
        assert_ne!(event.data.name(), "close", "a conversation was told closed that is open");
        if event.data.name() == "connection.resumed" {
            break;
        }
    }
    assert_eq!(stage.known(&manager), opened);
    let closed = ConversationId::from(stage.emulator.create_conversation(None, None));
    stage.until(|event| event.conversation.as_ref() == Some(&closed)).await;
    stage.emulator.close_conversation(closed.as_str()).unwrap();
    let event = stage.event("close").await;
    assert_eq!(event.conversation.as_ref(), Some(&closed));
}

/// SB-1.
/// SB-12: a snapshot that comes with the subscription's answer is not missed, also an empty one.
#[actix_rt::test]
async fn a_snapshot_right_after_its_response_is_taken() {
    let config = EmulatorConfig { snapshot_pause: std::time::Duration::ZERO, ..EmulatorConfig::default() };
    let mut stage = Stage::set(config);
    let id = ConversationId::from(stage.emulator.create_conversation(None, None));
    let manager = stage.connect(manager()).await;
    assert_eq!(stage.known(&manager), HashSet::from([id]));
}

/// CV-N2, CV-M8: repeated notifications are counted at their conversation, however they are recognised.
#[actix_rt::test]
async fn repetitions_are_counted_and_change_nothing() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Duplicate).user("bot1").count(3));
    for text in ["1", "2", "3"] {
        conversation.send_text(text).await.unwrap();
    }
    assert_eq!(stage.texts(&bot, 3).await, ["1", "2", "3"]);
    // Comes after the last repetition.
    conversation.set_ttr(TtrType::Urgent, 0).await.unwrap();
    stage.event("ttr-change").await;
    let members = conversation.members().await.unwrap();
    let count = |name: &str| members[name].as_u64().unwrap();
    let metrics = stage.tertulia.metrics();
    assert_eq!(count("notificationCount"), metrics.state_notifications_processed.get());
    assert_eq!(count("notificationIgnoredCount"), metrics.state_notifications_ignored.get());
}
