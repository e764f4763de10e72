//! The first event of a conversation has all its members. An update has the changes that no other event reports.

use serde_json::{Value, json};
use tertulia_actors::core::{
    command::{Command, SetAgentNote},
    time::Timestamp,
    ums::TtrType,
};
use tertulia_emulator::EmulatorConfig;

use crate::{
    class_page::side::{Side, taken},
    stage::Stage,
};

#[actix_rt::test]
async fn the_first_event_has_the_members_that_a_handle_returns() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut manager = Side::manager(&stage).await;
    let id = stage.emulator.create_conversation(Some("ann"), Some("501"));
    let first = manager.hears("conversation").await;
    assert_eq!((&first["conversationId"], &first["skillId"]), (&json!(id), &json!("501")));
    assert_eq!(first["consumer"]["userId"], "ann");
    assert_eq!(first["dialogs"][0]["dialogId"], json!(id));
    let conversation = stage.tertulia.connection(&manager.id).conversation(&id.as_str().into()).unwrap();
    let names = |members: &Value| members.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first), names(&conversation.members().await.unwrap()));
}

/// A manager who is not a participant receives the note of an agent.
#[actix_rt::test]
async fn the_note_of_another_agent_is_reported() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut manager = Side::manager(&stage).await;
    let mut agent = Side::connect(&stage, crate::stage::bot(1)).await;
    let conversation = agent.meets(&stage, &stage.emulator.create_conversation(None, None)).await;
    conversation.set_agent_note(SetAgentNote::new("wants a refund".to_owned(), Timestamp(1))).await.unwrap();
    let noted = manager.hears_update("note").await;
    assert!(noted.as_str().unwrap().contains("wants a refund"), "{noted}");
    conversation.perform(Command::SetNote { note: String::new() }).await.unwrap();
    assert_eq!(manager.hears_update("note").await, json!(null));
}

#[actix_rt::test]
async fn the_consumers_satisfaction_and_unread_messages_are_reported() {
    let (stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    assert!(agent.hears_update("numberOfunreadMessages").await.is_object());
    let (ann, opened) = Side::consumer(&stage, "ann").await;
    let seen = agent.meets(&stage, opened.id().as_str()).await;
    opened.set_csat(4, None).await.unwrap();
    assert_eq!(agent.hears_update("csat").await["csatRate"], 4);
    assert_eq!(seen.members().await.unwrap()["csat"]["csatRate"], 4);
    drop(ann);
}

/// The update does not repeat a change that has an event of its own.
#[actix_rt::test]
async fn a_change_with_an_event_of_its_own_is_not_in_the_update() {
    let (_stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    conversation.set_ttr(TtrType::Urgent, 0).await.unwrap();
    agent.hears("ttr-change").await;
    conversation.perform(Command::SetNote { note: "n".to_owned() }).await.unwrap();
    let (mut changed, noted) = agent.hears_change("note").await;
    assert_eq!(noted, "n");
    for member in ["note", "updateTime", "notificationCount"] {
        assert!(changed.as_object_mut().unwrap().remove(member).is_some(), "{member}");
    }
    assert_eq!(changed, json!({}));
}
