//! Which messages are new to a bot, and which were published before their conversation came to it.

use tertulia_actors::{
    connection::ConnectionSettings,
    core::{
        conversation::{HistoryStart, Message},
        id::{ConnectionId, ConversationId},
    },
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use crate::stage::{self, PATIENCE, Stage, bot, message};

/// Returns whether the next message with this text on a connection is marked as not new, and the texts before it.
async fn heard(stage: &mut Stage, connection: &ConnectionId, text: &str) -> (bool, Vec<String>) {
    let mut before = Vec::new();
    loop {
        let event = stage.until(|event| event.origin.connection == *connection && message(event).is_some()).await;
        let message = message(&event).unwrap();
        match message.text() {
            Some(told) if told == text => return (message.back_filled, before),
            told => before.extend(told),
        }
    }
}

/// A consumer writes first and gets an agent then.
#[actix_rt::test]
async fn what_a_consumer_said_while_waiting_for_a_bot_is_news() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let id = stage.emulator.create_conversation(None, None);
    for text in ["hello", "is anybody there"] {
        stage.emulator.say(&id, text).unwrap();
    }
    // Connects here, so that events before the connection is ready are not missed.
    stage.tertulia.connect(bot(1)).unwrap();
    let bot = ConnectionId::from("bot-1");
    for text in ["hello", "is anybody there"] {
        assert!(!heard(&mut stage, &bot, text).await.0, "{text}");
    }
}

/// A process without a store starts again: it does not know what the previous process had answered.
#[actix_rt::test]
async fn what_was_said_to_an_earlier_process_that_kept_nothing_is_not_news() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let first = stage.bot().await;
    let conversation = stage.conversation(&first).await;
    let id = conversation.id().to_string();
    stage.emulator.say(&id, "old").unwrap();
    heard(&mut stage, &first, "old").await;
    conversation.send_text("answered").await.unwrap();
    stage.emulator.say(&id, "unanswered").unwrap();
    heard(&mut stage, &first, "unanswered").await;
    stage.tertulia.stop(PATIENCE).await;
    let mut emulator = stage.emulator;

    for (history, told_before) in
        [(HistoryStart::Beginning, vec!["old", "answered", "unanswered"]), (HistoryStart::FirstSeen, vec![])]
    {
        let tertulia = tertulia_actors::Tertulia::builder()
            .platform(stage::platform(&emulator))
            .arbiters(std::num::NonZeroUsize::MIN)
            .start()
            .unwrap();
        let mut again = Stage::of(emulator, tertulia);
        again.tertulia.connect(ConnectionSettings { history, ..bot(1) }).unwrap();
        let bot = ConnectionId::from("bot-1");
        let text = format!("new {history:?}");
        for old in &told_before {
            assert!(heard(&mut again, &bot, old).await.0, "{old}");
        }
        again.tertulia.connection(&bot).ready(PATIENCE).await.unwrap();
        again.emulator.say(&id, &text).unwrap();
        assert_eq!(heard(&mut again, &bot, &text).await, (false, vec![]));
        again.tertulia.stop(PATIENCE).await;
        emulator = again.emulator;
    }
}

/// Messages published while the conversation belonged to another agent were for that agent.
#[actix_rt::test]
async fn what_was_said_before_a_conversation_was_handed_back_is_not_news() {
    let skills = [("bot1", "501"), ("bot2", "502")];
    let agent_skills = skills.map(|(login, skill)| (login.to_owned(), vec![skill.to_owned()])).to_vec();
    let mut stage = Stage::set(EmulatorConfig { agents: 2, agent_skills, ..EmulatorConfig::default() });
    let one = stage.bot().await;
    let two = stage.connect(bot(2)).await;
    let id = ConversationId::from(stage.emulator.create_conversation(None, Some("501")));
    let conversation_at = async |stage: &mut Stage, connection: &ConnectionId| {
        stage
            .until(|event| {
                let name = event.data.name();
                event.origin.connection == *connection && matches!(name, "conversation" | "participant-added")
            })
            .await;
        stage.tertulia.connection(connection).conversation(&id).unwrap()
    };
    let at_one = conversation_at(&mut stage, &one).await;
    stage.emulator.say(id.as_str(), "to the bot").unwrap();
    assert!(!heard(&mut stage, &one, "to the bot").await.0);
    at_one.transfer(None, Some("502".into())).await.unwrap();
    let at_two = conversation_at(&mut stage, &two).await;
    stage.emulator.say(id.as_str(), "to the other").unwrap();
    heard(&mut stage, &two, "to the other").await;
    at_two.transfer(None, Some("501".into())).await.unwrap();
    assert_eq!(heard(&mut stage, &one, "to the other").await, (true, vec![]));
    stage.emulator.say(id.as_str(), "to the bot again").unwrap();
    assert_eq!(heard(&mut stage, &one, "to the bot again").await, (false, vec![]));
}

/// A lost socket only delays messages: missed messages must be answered.
#[actix_rt::test]
async fn what_was_missed_while_the_socket_was_lost_is_news() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.emulator.say(conversation.id().as_str(), "missed").unwrap();
    assert!(!heard(&mut stage, &bot, "missed").await.0);
}

/// The mark is serialized only if it is set.
#[test]
fn a_message_without_a_mark_is_written_as_before() {
    let text = r#"{"dialogId":"d","sequence":0,"originatorId":null,"role":null,"messageAudience":"ALL","contentType":null,
        "body":"x","metadata":null,"time":null}"#;
    let message: Message = serde_json::from_str(text).unwrap();
    assert!(!serde_json::to_string(&message).unwrap().contains("backFilled"));
}
