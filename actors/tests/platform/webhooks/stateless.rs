//! Stateless workers: load, feed, act, save, unload (WH-2, CN-F13, CN-F14, CV-F15).

use std::time::Duration;

use serde_json::{Value, json};
use tertulia_actors::{
    connection::ConnectionError,
    core::{
        conversation::ConversationEvent,
        id::{ConnectionId, ConversationId},
    },
    intake::IntakeSettings,
    subscriber::EventData,
};
use tokio::time::timeout;

use super::{connect, connector, intake, open, stage};
use crate::stage::{PATIENCE, Stage};

const ID: &str = "3f6c1a52-8e0d-4b7e-9a41-5c2d7e8f9010";

fn message(sequence: u64) -> Value {
    json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {
        "dialogId": ID, "conversationId": ID, "sentTs": 1_000 + sequence, "changes": [{
            "sequence": sequence, "originatorId": "ann", "originatorMetadata": {"id": "ann", "role": "CONSUMER"},
            "serverTimestamp": 1_000 + sequence, "dialogId": ID, "conversationId": ID,
            "event": {"type": "ContentEvent", "contentType": "text/plain", "message": format!("text {sequence}")}}]}})
}

fn chat_state(state: &str, sent: u64) -> Value {
    json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {
        "dialogId": ID, "conversationId": ID, "sentTs": sent, "changes": [{
            "originatorId": "ann", "originatorMetadata": {"id": "ann", "role": "CONSUMER"},
            "event": {"type": "ChatStateEvent", "chatState": state}}]}})
}

async fn feed(stage: &Stage, hook: &ConnectionId, notification: Value) {
    stage.tertulia.connection(hook).receive_notification(notification.to_string().into()).await.unwrap();
}

/// Returns the next messages, gaps and chat states in short form.
async fn heard(stage: &mut Stage, count: usize) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let event = timeout(PATIENCE, stage.events.next()).await.unwrap().unwrap().unwrap();
        match &event.data {
            EventData::Conversation(ConversationEvent::Message(message)) => heard.push(message.text().unwrap()),
            EventData::Conversation(ConversationEvent::Gap { from, to, .. }) => {
                heard.push(format!("gap {from}..={to}"))
            }
            EventData::Conversation(ConversationEvent::ChatState { chat_state, .. }) => {
                heard.push(chat_state.to_string());
            }
            _ => {}
        }
    }
    heard
}

/// SR-3, SR-5.
#[actix_rt::test]
async fn a_conversation_goes_from_worker_to_worker_with_what_waits_and_numbers_its_events_on() {
    let (mut stage, _posts) = stage(|app| app);
    let hook = connect(&stage, intake()).await;
    let id = ConversationId::from(ID);
    let mut snapshot: Option<String> = None;
    // 1 and 3 wait for the records before them, across workers.
    for sequence in [1, 0, 3, 2] {
        if let Some(snapshot) = snapshot.take() {
            let loaded = stage.tertulia.connection(&hook).load(&snapshot).await.unwrap();
            assert_eq!(loaded.id(), &id);
        }
        feed(&stage, &hook, message(sequence)).await;
        feed(&stage, &hook, message(sequence)).await;
        snapshot = Some(stage.tertulia.connection(&hook).conversation(&id).unwrap().snapshot().await.unwrap());
        stage.tertulia.connection(&hook).unload(&id).await.unwrap();
        assert!(stage.tertulia.connection(&hook).conversation(&id).is_none());
    }
    let mut heard = Vec::new();
    while heard.len() < 4 {
        let event = stage.event("message").await;
        let Some(message) = event.message() else { panic!() };
        heard.push((event.sequence.unwrap(), message.text().unwrap()));
    }
    let expected: Vec<(u64, String)> = (0..4).map(|place| (place + 1, format!("text {place}"))).collect();
    assert_eq!(heard, expected, "in order, once, numbered without a hole");
    stage.tertulia.stop(PATIENCE).await;
}

/// Promise 2: a message that does not arrive within the hold is declared missing.
#[actix_rt::test]
async fn a_hole_is_held_open_for_a_while_and_then_becomes_a_gap() {
    let (mut stage, _posts) = stage(|app| app);
    let hook = connect(&stage, IntakeSettings { hold: Duration::from_millis(50), ..intake() }).await;
    // In one notification, so that no hold ends between them.
    let mut records = message(0);
    for sequence in [4, 2] {
        let one = message(sequence)["body"]["changes"][0].take();
        records["body"]["changes"].as_array_mut().unwrap().push(one);
    }
    feed(&stage, &hook, records).await;
    assert_eq!(heard(&mut stage, 5).await, ["text 0", "gap 1..=1", "text 2", "gap 3..=3", "text 4"]);
    feed(&stage, &hook, message(1)).await;
    feed(&stage, &hook, message(5)).await;
    assert_eq!(heard(&mut stage, 1).await, ["text 5"], "a record that was given up is not delivered late");
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn chat_states_that_were_overtaken_are_dropped_also_by_the_next_worker() {
    let (mut stage, _posts) = stage(|app| app);
    let hook = connect(&stage, intake()).await;
    let id = ConversationId::from(ID);
    for (state, sent) in [("COMPOSING", 10), ("ACTIVE", 30), ("ACTIVE", 30), ("PAUSE", 20)] {
        feed(&stage, &hook, chat_state(state, sent)).await;
    }
    let snapshot = stage.tertulia.connection(&hook).conversation(&id).unwrap().snapshot().await.unwrap();
    stage.tertulia.connection(&hook).unload(&id).await.unwrap();
    stage.tertulia.connection(&hook).load(&snapshot).await.unwrap();
    for (state, sent) in [("PAUSE", 20), ("GONE", 40)] {
        feed(&stage, &hook, chat_state(state, sent)).await;
    }
    assert_eq!(heard(&mut stage, 3).await, ["COMPOSING", "ACTIVE", "GONE"]);
    assert_eq!(stage.tertulia.metrics().chat_states_overtaken.get(), 3);
    stage.tertulia.stop(PATIENCE).await;
}

/// A worker may act on a loaded conversation: the snapshot names the consumer.
#[actix_rt::test]
async fn a_loaded_conversation_speaks_for_the_consumer_it_was_opened_for() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let snapshot = open(&stage, &hook).await.snapshot().await.unwrap();
    let worker = connect(&stage, IntakeSettings { id: "worker".into(), ..intake() }).await;
    let loaded = stage.tertulia.connection(&worker).load(&snapshot).await.unwrap();
    assert_eq!(loaded.send_text("from a worker").await.unwrap().sequence, Some(0));
    assert_eq!(stage.said(), ["from a worker"]);

    let stranger = serde_json::from_str::<Value>(&snapshot).unwrap();
    let mut stranger = stranger.as_object().unwrap().clone();
    stranger.remove("consumer");
    stage.tertulia.connection(&worker).unload(loaded.id()).await.unwrap();
    let loaded = stage.tertulia.connection(&worker).load(&Value::Object(stranger).to_string()).await.unwrap();
    assert_eq!(loaded.send_text("for whom?").await.unwrap_err().code(), "not-supported");
    stage.tertulia.stop(PATIENCE).await;
}

/// CV-F15, SR-4: an additional unload does no harm.
#[actix_rt::test]
async fn only_what_was_loaded_is_unloaded_and_as_often() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    let id = conversation.id().clone();
    let not_loaded = Err(ConnectionError::NotLoaded(id.clone()));
    assert_eq!(stage.tertulia.connection(&hook).unload(&id).await, not_loaded, "it lives here on its own account");
    let snapshot = conversation.snapshot().await.unwrap();
    for _ in 0..2 {
        stage.tertulia.connection(&hook).load(&snapshot).await.unwrap();
    }
    for _ in 0..2 {
        assert!(stage.tertulia.connection(&hook).conversation(&id).is_some());
        assert_eq!(stage.tertulia.connection(&hook).unload(&id).await, Ok(()));
    }
    assert!(stage.tertulia.connection(&hook).conversation(&id).is_none());
    assert_eq!(stage.tertulia.connection(&hook).unload(&id).await, not_loaded);
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn what_is_no_snapshot_is_not_loaded() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, intake()).await;
    for text in ["", "{}", r#"{"version":2,"sequence":0,"conversation":{}}"#] {
        let refused = stage.tertulia.connection(&hook).load(text).await.err();
        assert!(matches!(refused, Some(ConnectionError::MalformedSnapshot(_))), "{text}");
    }
    let unknown = ConnectionId::from("nobody");
    assert_eq!(
        stage.tertulia.connection(&unknown).load("").await.err(),
        Some(ConnectionError::UnknownConnection(unknown))
    );
    stage.tertulia.stop(PATIENCE).await;
}
