//! RG-4: accepting an offer returns its conversation, which has the consumer's last message.

use tertulia_actors::{
    connection::{ConnectionError, ConnectionSettings, Rings},
    core::{conversation::Message, id::RingId},
    subscriber::EventData,
};
use tertulia_emulator::EmulatorConfig;

use crate::stage::{PATIENCE, Stage, bot};

async fn offered(stage: &mut Stage) -> RingId {
    let event = stage.event("ring").await;
    let EventData::Ring(offer) = &event.data else { panic!() };
    offer.ring_id.clone()
}

/// RG-2.
#[actix_rt::test]
async fn a_taken_ring_gives_its_conversation_at_once() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.connect(ConnectionSettings { rings: Rings::Manual, ..bot(1) }).await;
    let id = stage.emulator.create_conversation(None, None);
    let ring = offered(&mut stage).await;
    let conversation = stage.tertulia.connection(&bot).accept_ring(ring, PATIENCE).await.unwrap();
    assert_eq!(conversation.id().as_str(), id);
    conversation.send_text("at your service").await.unwrap();
}

#[actix_rt::test]
async fn a_ring_that_never_was_is_not_taken() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.connect(ConnectionSettings { rings: Rings::Manual, ..bot(1) }).await;
    let refused = stage.tertulia.connection(&bot).accept_ring("nothing".into(), PATIENCE).await;
    assert!(matches!(refused, Err(ConnectionError::UnknownRing)));
}

#[actix_rt::test]
async fn the_latest_message_of_the_consumer_is_theirs_alone() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    assert!(conversation.latest_consumer_message().await.unwrap().is_none());
    for text in ["one", "two"] {
        stage.emulator.say(conversation.id().as_str(), text).unwrap();
    }
    stage.texts(&bot, 2).await;
    conversation.send_text("three").await.unwrap();
    let latest = conversation.latest_consumer_message().await.unwrap();
    assert_eq!(latest.as_deref().and_then(Message::text).as_deref(), Some("two"));
}
