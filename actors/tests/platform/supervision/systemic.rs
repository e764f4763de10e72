//! Conversations that fail together: the connection restarts, and is given up if that does not help.

use std::time::Duration;

use tertulia_actors::{
    connection::ConnectionError,
    conversation::ConversationHandle,
    core::session::{DisconnectReason, FailureReason, Phase},
    subscriber::EventData,
    supervision::SupervisionSettings,
};
use tertulia_emulator::EmulatorConfig;

use super::{NOTIFICATIONS, Trouble, restarts, set};
use crate::stage::{PATIENCE, Stage};

const TOGETHER: usize = 4;

/// More than three failures of at least three conversations are systemic, `max_resets` times.
fn supervision(max_resets: u32) -> SupervisionSettings {
    let mut settings = SupervisionSettings { conversation: restarts(1_000), ..SupervisionSettings::default() };
    settings.systemic.failures = 3;
    settings.systemic.children = 3;
    settings.systemic.within = Duration::from_secs(3_600);
    settings.systemic.max_resets = max_resets;
    settings
}

async fn conversations(stage: &mut Stage, bot: &tertulia_actors::core::id::ConnectionId) -> Vec<ConversationHandle> {
    let mut conversations = Vec::new();
    for _ in 0..TOGETHER {
        conversations.push(stage.conversation(bot).await);
    }
    conversations
}

#[actix_rt::test]
async fn a_connection_whose_conversations_fail_together_restarts_and_loses_nothing() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), supervision(1_000), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversations = conversations(&mut stage, &bot).await;
    for conversation in &conversations {
        trouble.every(1, conversation.id(), &NOTIFICATIONS);
        stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    }
    let lost = stage.event("connection.disconnected").await;
    let EventData::Disconnected { reason, .. } = &lost.data else { panic!() };
    assert_eq!(*reason, DisconnectReason::Distrusted);
    trouble.end();
    // Each event may have been emitted before the restart of its connection, or after.
    stage.tertulia.connection(&bot).ready(PATIENCE).await.unwrap();
    for conversation in &conversations {
        conversation.send_text("and on").await.unwrap();
    }
    assert_eq!(stage.said().len(), 2 * TOGETHER);
    let metrics = stage.tertulia.metrics();
    assert!(metrics.escalations.get() >= 1);
    assert_eq!(metrics.conversations_quarantined.get(), 0);
    assert_eq!(metrics.message_gaps.get(), 0);
}

#[actix_rt::test]
async fn a_connection_whose_conversations_keep_failing_together_fails_and_the_rest_of_the_fleet_goes_on() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), supervision(1), 1);
    let bot = stage.connect(trouble.bot(1)).await;
    let conversations = conversations(&mut stage, &bot).await;
    let other = stage.connect(trouble.bot(2)).await;
    for conversation in &conversations {
        trouble.every(1, conversation.id(), &NOTIFICATIONS);
        stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    }
    let failed = stage.event("connection.failed").await;
    assert_eq!(failed.origin.connection, bot);
    assert!(matches!(stage.tertulia.connection(&bot).ready(PATIENCE).await, Err(ConnectionError::Failed { .. })));
    let status = stage.tertulia.connection(&bot).status().unwrap();
    assert_eq!(status.state, Phase::Failed(FailureReason::ConversationsKeepFailing));
    assert_eq!(stage.tertulia.metrics().escalations_given_up.get(), 1);

    assert!(stage.tertulia.connection(&other).status().unwrap().is_ready());
    let conversation = stage.conversation(&other).await;
    conversation.send_text("undisturbed").await.unwrap();
    stage.emulator.say(conversation.id().as_str(), "and heard").unwrap();
    assert_eq!(stage.texts(&other, 1).await.len(), 1);
}
