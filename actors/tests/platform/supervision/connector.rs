//! Conversations of a connection without a socket.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tertulia_actors::{
    connection::ConnectionError,
    core::{
        id::{ConnectionId, ConversationId},
        session::{FailureReason, Phase},
    },
    dead_letters::DeadLetterKind,
    intake::IntakeSettings,
    platform::AppCredentials,
    supervision::SupervisionSettings,
};
use tertulia_emulator::EmulatorConfig;

use super::{NOTIFICATIONS, Trouble, conversations_restart, letters, restarts, set};
use crate::stage::{PATIENCE, Stage};

/// A notification with one message.
fn message(conversation: &ConversationId, sequence: u64) -> Bytes {
    let event = json!({ "type": "ContentEvent", "message": format!("text {sequence}"), "contentType": "text/plain" });
    let change = json!({
        "sequence": sequence, "originatorId": "c", "originatorMetadata": { "id": "c", "role": "CONSUMER" },
        "serverTimestamp": 1_700_000_000_000_u64 + sequence, "event": event,
        "conversationId": conversation.as_str(), "dialogId": conversation.as_str(),
    });
    let body = json!({ "sentTs": 1_700_000_000_000_u64, "changes": [change] });
    json!({ "kind": "notification", "type": "ms.MessagingEventNotification", "body": body }).to_string().into()
}

async fn intake(stage: &Stage, trouble: &Trouble) -> ConnectionId {
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let hold = Duration::from_secs(60);
    let settings = IntakeSettings { drill: trouble.drill(), hold, ..IntakeSettings::intake("hook", "12345678", app) };
    let id = settings.id.clone();
    stage.tertulia.connect_intake(settings).unwrap();
    stage.tertulia.connection(&id).ready(PATIENCE).await.unwrap();
    id
}

#[actix_rt::test]
async fn a_conversation_without_a_socket_is_quarantined_and_released_as_any_other() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(1), 1);
    let hook = intake(&stage, &trouble).await;
    let (failing, sibling) = (ConversationId::from("failing"), ConversationId::from("sibling"));
    trouble.every(1, &failing, &NOTIFICATIONS);
    for sequence in 0..3 {
        stage.tertulia.connection(&hook).receive_notification(message(&failing, sequence)).await.unwrap();
        stage.tertulia.connection(&hook).receive_notification(message(&sibling, sequence)).await.unwrap();
    }
    assert_eq!(stage.texts(&hook, 3).await, ["text 0", "text 1", "text 2"]);
    // The sibling may be done before the other conversation is given up.
    let quarantined = async {
        while stage.tertulia.connection(&hook).quarantined().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, quarantined).await.unwrap();
    let handle = stage.tertulia.connection(&hook).conversation(&failing).unwrap();
    assert_eq!(handle.send_text("no").await.unwrap_err().code(), "conversation-quarantined");

    trouble.end();
    stage.tertulia.connection(&hook).release(&failing).await.unwrap();
    for letter in letters(&stage).await {
        assert_eq!((letter.kind, letter.conversation.as_ref()), (DeadLetterKind::Records, Some(&failing)));
        stage.tertulia.replay_dead_letter(&letter.id).await.unwrap();
    }
    assert_eq!(stage.texts(&hook, 2).await, ["text 0", "text 1"], "nothing but the dead letters had them");
    assert!(letters(&stage).await.is_empty());
}

#[actix_rt::test]
async fn a_webhook_that_cannot_be_read_is_a_dead_letter() {
    let stage = Stage::set(EmulatorConfig::default());
    let hook = intake(&stage, &Trouble::default()).await;
    let refused = stage.tertulia.connection(&hook).receive_notification(Bytes::from_static(b"{ not JSON")).await;
    assert!(matches!(refused, Err(ConnectionError::MalformedNotification(_))));
    let letter = letters(&stage).await.remove(0);
    assert_eq!((letter.kind, &letter.body[..]), (DeadLetterKind::Frame, &b"{ not JSON"[..]));
    stage.tertulia.replay_dead_letter(&letter.id).await.unwrap();
    assert_eq!(letters(&stage).await.len(), 1, "it comes back as another one");
}

/// The platform keeps a refused webhook and sends it again.
#[actix_rt::test]
async fn webhooks_are_refused_for_a_while_when_conversations_fail_together_and_for_good_when_that_does_not_help() {
    let trouble = Trouble::default();
    let mut supervision = SupervisionSettings { conversation: restarts(1_000), ..SupervisionSettings::default() };
    supervision.systemic.failures = 3;
    supervision.systemic.children = 3;
    supervision.systemic.max_resets = 0;
    let mut stage = set(EmulatorConfig::default(), supervision, 1);
    let hook = intake(&stage, &trouble).await;
    for number in 0..4 {
        let id = ConversationId::from(format!("c{number}").as_str());
        trouble.every(1, &id, &NOTIFICATIONS);
        stage.tertulia.connection(&hook).receive_notification(message(&id, 0)).await.unwrap();
    }
    stage.event("connection.failed").await;
    assert!(matches!(stage.tertulia.connection(&hook).ready(PATIENCE).await, Err(ConnectionError::Failed { .. })));
    let status = stage.tertulia.connection(&hook).status().unwrap();
    assert_eq!(status.state, Phase::Failed(FailureReason::ConversationsKeepFailing));
    let refused = stage.tertulia.connection(&hook).receive_notification(message(&"c0".into(), 1)).await;
    assert_eq!(refused, Err(ConnectionError::Overloaded(hook)));
}
