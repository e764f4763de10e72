//! Each event of the class page (CV-E1 to CV-E12), as a subscriber hears it, with its payload.

use serde_json::json;
use tertulia_actors::core::{
    time::Timestamp,
    ums::{ParticipantRole, TtrType},
};
use tertulia_emulator::EmulatorConfig;

use super::{
    side::{Side, Transfers, taken, transfers},
    step_up::{StepUp, step_up},
};
use crate::stage::{Stage, bot};

/// CV-E1: with all participants; here while a survey keeps the conversation open.
#[actix_rt::test]
async fn cv_e1_dialog_close_tells_the_last_state_of_the_dialog() {
    let (_stage, mut agent, conversation) = taken(EmulatorConfig { survey: true, ..EmulatorConfig::default() }).await;
    let members = conversation.members().await.unwrap();
    conversation.close().await.unwrap();
    let closed = agent.hears("dialog.close").await;
    assert_eq!(closed["dialogId"], json!(conversation.id()));
    assert_eq!(closed["state"], "CLOSE");
    assert_eq!(closed["closedBy"], "AGENT");
    assert_eq!(closed["participantsDetails"], members["participants"]);
    let told = conversation.members().await.unwrap();
    let main = told["dialogs"].as_array().unwrap().iter().find(|dialog| dialog["dialogType"] == "MAIN").unwrap();
    assert_eq!(closed["metaDataLastUpdateTs"], main["updateTime"]);
    assert_eq!(told["stage"], "OPEN");
}

/// CV-E2: the agent leaves, and no other agent is assigned.
#[actix_rt::test]
async fn cv_e2_back_to_queue_is_reported_when_the_agent_leaves_and_the_skill_stays() {
    let Transfers { stage: _stage, conversation, mut manager, .. } = transfers().await;
    conversation.leave().await.unwrap();
    assert_eq!(manager.hears("participant-removed").await["participant"]["role"], "ASSIGNED_AGENT");
    assert_eq!(manager.hears("back-to-queue").await, json!({"dialogId": conversation.id()}));
}

/// CV-E3: who the consumer was and who they are now.
#[actix_rt::test]
async fn cv_e3_consumer_step_up_tells_both_identities() {
    let StepUp { mut agent, anonymous, after, known, stage: _stage, .. } = step_up().await;
    after.consumer_takeover(known.clone()).await.unwrap();
    let told = agent.hears("consumer-step-up").await;
    assert_eq!(told["dialogId"], json!(after.id()));
    assert_eq!((&told["previous"]["userId"], &told["previous"]["state"]), (&json!(anonymous), &json!("REMOVED")));
    assert_eq!((&told["participant"]["userId"], &told["participant"]["state"]), (&json!(known), &json!("ACTIVE")));
}

/// CV-E4.
#[actix_rt::test]
async fn cv_e4_group_change_tells_the_old_and_the_new_group() {
    let (stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    for (group, previous) in [("7", json!(null)), ("8", json!("7"))] {
        stage.emulator.change_group(conversation.id().as_str(), group).unwrap();
        assert_eq!(agent.hears("group-change").await, json!({"prevGroupId": previous, "newGroupId": group}));
    }
}

/// CV-E5.
#[actix_rt::test]
async fn cv_e5_manual_ettr_change_tells_the_deadline_set_and_the_one_in_force() {
    let (_stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    let time = 4_000_000_000_000_i64;
    conversation.set_manual_ettr(Timestamp(time)).await.unwrap();
    let told = agent.hears("manual-ettr-change").await;
    assert_eq!(told, json!({"ttrEffectiveManual": time, "ttrEffective": time}));
}

/// CV-E6, both ways of coming in: by oneself, and by accepting a transfer.
#[actix_rt::test]
async fn cv_e6_participant_added_tells_whether_the_participant_had_been_suggested() {
    let Transfers { stage, conversation, mut second, second_agent, mut manager } = transfers().await;
    let looked_at = stage.tertulia.connection(&manager.id).conversation(conversation.id()).unwrap();
    looked_at.join(ParticipantRole::Reader).await.unwrap();
    let told = manager.hears("participant-added").await;
    assert_eq!(told["participant"]["role"], "READER");
    assert_eq!(told["context"], json!({"previouslySuggested": false}));
    conversation.transfer(Some(second_agent.clone()), None).await.unwrap();
    second.answers_ring(&stage, true).await;
    let told = manager.hears("participant-added").await;
    assert_eq!(told["dialogId"], json!(conversation.id()));
    assert_eq!(told["participant"]["agentId"], json!(second_agent));
    assert_eq!(told["context"], json!({"previouslySuggested": true}));
}

/// CV-E7.
#[actix_rt::test]
async fn cv_e7_participant_removed_tells_who_left() {
    let (stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    let mut manager = Side::manager(&stage).await;
    let looked_at = manager.meets(&stage, conversation.id().as_str()).await;
    looked_at.join(ParticipantRole::Manager).await.unwrap();
    let came = agent.hears("participant-added").await["participant"].clone();
    manager.hears("participant-added").await;
    looked_at.leave().await.unwrap();
    let told = agent.hears("participant-removed").await;
    assert_eq!(told["dialogId"], json!(conversation.id()));
    assert_eq!(told["participant"]["userId"], came["userId"]);
    assert_eq!(told["participant"]["state"], "REMOVED");
}

/// CV-E8.
#[actix_rt::test]
async fn cv_e8_participant_suggested_tells_to_whom_the_conversation_is_offered() {
    let Transfers { stage: _stage, conversation, second_agent, mut manager, .. } = transfers().await;
    conversation.transfer(Some(second_agent.clone()), None).await.unwrap();
    let told = manager.hears("participant-suggested").await;
    assert_eq!(told["dialogId"], json!(conversation.id()));
    assert_eq!(told["participant"]["agentId"], json!(second_agent));
    assert_eq!(told["participant"]["state"], "SUGGESTED");
}

/// CV-E9: who was suggested declines, and the conversation goes back to the queue.
#[actix_rt::test]
async fn cv_e9_participant_suggested_removed_tells_who_declined() {
    let Transfers { stage, conversation, mut second, second_agent, mut manager } = transfers().await;
    conversation.transfer(Some(second_agent.clone()), None).await.unwrap();
    second.answers_ring(&stage, false).await;
    let told = manager.hears("participant-suggested-removed").await;
    assert_eq!(told["dialogId"], json!(conversation.id()));
    assert_eq!(told["participant"]["agentId"], json!(second_agent));
    assert_eq!(told["participant"]["state"], "REMOVED");
    manager.hears("back-to-queue").await;
}

/// DG-N6, beside the page: who looks on is asked to take over, which is one and the same participant in another role.
#[actix_rt::test]
async fn dg_n6_participant_role_change_tells_the_participant_and_the_role_before() {
    let (stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    let mut manager = Side::manager(&stage).await;
    let looked_at = manager.meets(&stage, conversation.id().as_str()).await;
    looked_at.join(ParticipantRole::Manager).await.unwrap();
    let came = agent.hears("participant-added").await["participant"].clone();
    let agent_id = came["agentId"].as_str().unwrap();
    conversation.transfer(Some(agent_id.into()), None).await.unwrap();
    let told = manager.hears("participant-role-change").await;
    assert_eq!(told["dialogId"], json!(conversation.id()));
    assert_eq!(told["previousRole"], "MANAGER");
    let mut now = came;
    (now["role"], now["state"]) = ("ASSIGNED_AGENT".into(), "SUGGESTED".into());
    assert_eq!(told["participant"], now);
}

/// CV-E10: right after `participant-suggested`, before the former agent goes.
#[actix_rt::test]
async fn cv_e10_transfer_agent_tells_the_agent_transferred_to() {
    let Transfers { stage: _stage, conversation, second_agent, mut manager, .. } = transfers().await;
    conversation.transfer(Some(second_agent.clone()), None).await.unwrap();
    let suggested = manager.hears("participant-suggested").await;
    let told = manager.hears("transfer-agent").await;
    assert_eq!(told, suggested);
    assert_eq!(told["participant"]["agentId"], json!(second_agent));
    assert_eq!(manager.hears("participant-removed").await["participant"]["role"], "ASSIGNED_AGENT");
}

/// CV-E11; TR-4: the transfer is done when the platform reports it.
#[actix_rt::test]
async fn cv_e11_transfer_skill_tells_the_skill_transferred_to() {
    let Transfers { stage: _stage, conversation, mut manager, .. } = transfers().await;
    conversation.transfer(None, Some("502".into())).await.unwrap();
    let told = manager.hears("transfer-skill").await;
    assert_eq!(told, json!({"dialogId": conversation.id(), "skillId": "502"}));
}

/// CV-E12: here the consumer is in a hurry.
#[actix_rt::test]
async fn cv_e12_ttr_change_tells_type_seconds_and_the_deadline_that_follows() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut agent = Side::connect(&stage, bot(1)).await;
    let (_ann, hers) = Side::consumer(&stage, "ann").await;
    let conversation = agent.meets(&stage, hers.id().as_str()).await;
    hers.set_ttr(TtrType::Urgent, 0).await.unwrap();
    let told = agent.hears("ttr-change").await;
    let start = conversation.members().await.unwrap()["startTime"].as_i64().unwrap();
    assert_eq!(told, json!({"ttrValue": 300, "ttrType": "URGENT", "ttrEffective": start + 300_000}));
}
