//! The main road: a bot takes what is offered, hears every message once and in order, and answers each once.

use std::time::Duration;

use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    core::{
        id::{ConnectionId, ConversationId},
        ums::ParticipantRole,
    },
    platform::AgentLogin,
    subscriber::{EventKind, Filter},
};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// RG-1, RG-4.
#[actix_rt::test]
async fn a_bot_takes_a_ring_hears_the_consumer_and_answers() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let login = AgentLogin::Password { username: "bot1".to_owned(), password: "secret".into() };
    let tertulia = Tertulia::builder()
        .discovery(format!("https://{}", emulator.listen()))
        .trust(emulator.ca_pem())
        .connection(ConnectionSettings::bot("echo", emulator.account(), login))
        .start()
        .unwrap();
    let bot = ConnectionId::from("echo");
    let mut messages = tertulia.events(Filter::everything().kind(EventKind::Message));
    tertulia.connection(&bot).ready(PATIENCE).await.unwrap();

    let conversation = ConversationId::from(emulator.create_conversation(None, None));
    emulator.say(conversation.as_str(), "one").unwrap();
    emulator.say(conversation.as_str(), "two").unwrap();

    let mut heard = Vec::new();
    while heard.len() < 2 {
        let event = timeout(PATIENCE, messages.next()).await.unwrap().unwrap().unwrap();
        let Some(message) = event.message() else { panic!() };
        if message.role == Some(ParticipantRole::Consumer) {
            heard.push(message.text().unwrap());
        }
    }
    assert_eq!(heard, ["one", "two"]);

    let handle = tertulia.connection(&bot).conversation(&conversation).unwrap();
    let done = handle.send_text("you said two").await.unwrap();
    assert_eq!(done.sequence, Some(2));
    let said: Vec<_> = emulator.ledger().iter().filter_map(|entry| entry.text).collect();
    assert_eq!(said, ["one", "two", "you said two"]);
    tertulia.stop(PATIENCE).await;
}
