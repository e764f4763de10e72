//! Each member of the class page (CV-M1 to CV-M11), as an agent or a consumer reads it.

use serde_json::json;
use tertulia_actors::{
    core::{
        command::Command,
        id::ExternalConsumerId,
        time::Timestamp,
        ums::{ConversationRequest, TtrType},
    },
    intake::IntakeSettings,
    platform::AppCredentials,
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use super::side::{Side, taken};
use crate::stage::{Stage, bot, consumer};

/// CV-M1: filled by the platform where a connector opened the conversation, absent elsewhere.
#[actix_rt::test]
async fn cv_m1_app_inst_id_is_the_installation_of_the_connector_that_opened_the_conversation() {
    let (stage, mut agent, direct) = taken(EmulatorConfig::default()).await;
    assert!(direct.members().await.unwrap()["appInstId"].is_null());
    let app = AppCredentials { client_id: "my-connector".to_owned(), secret: "s".into() };
    let hook = Side::intake(&stage, IntakeSettings::connector("hook", "12345678", app)).await;
    let ann = ExternalConsumerId::from("whatsapp:15550100");
    let connection = stage.tertulia.connection(&hook.id);
    let opened = connection.create_conversation_for(ann, Default::default(), Default::default());
    let conversation = agent.meets(&stage, opened.await.unwrap().id().as_str()).await;
    assert_eq!(conversation.members().await.unwrap()["appInstId"], "my-connector");
}

/// CV-M2: null before an agent accepts, and after the end.
#[actix_rt::test]
async fn cv_m2_assigned_agent_is_the_agent_who_took_it_and_nobody_before_and_after() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut manager = Side::manager(&stage).await;
    let seen = manager.meets(&stage, &stage.emulator.create_conversation(None, None)).await;
    assert!(seen.members().await.unwrap()["assignedAgent"].is_null());
    let mut agent = Side::connect(&stage, bot(1)).await;
    let conversation = agent.meets(&stage, seen.id().as_str()).await;
    let assigned = conversation.members().await.unwrap()["assignedAgent"].clone();
    assert_eq!((&assigned["role"], &assigned["state"]), (&json!("ASSIGNED_AGENT"), &json!("ACTIVE")));
    assert!(assigned["agentId"].as_str().unwrap().starts_with("12345678."));
    assert_ne!(assigned["userId"], assigned["agentId"]);
    assert_eq!(manager.hears("participant-added").await["participant"], assigned);
    assert_eq!(seen.members().await.unwrap()["assignedAgent"], assigned);
    conversation.close().await.unwrap();
    agent.hears("close").await;
    assert!(conversation.members().await.unwrap()["assignedAgent"].is_null());
}

/// CV-M3, with its companion `engagementId`.
#[actix_rt::test]
async fn cv_m3_campaign_id_is_the_campaign_through_which_the_consumer_came() {
    let (stage, mut agent, plain) = taken(EmulatorConfig::default()).await;
    assert!(plain.members().await.unwrap()["campaignId"].is_null());
    let ann = Side::connect(&stage, consumer("ann")).await;
    let campaign_info = Some(json!({"campaignId": 244_127_170, "engagementId": 244_127_270}));
    let request = ConversationRequest { campaign_info, ..ConversationRequest::default() };
    let opened = stage.tertulia.connection(&ann.id).create_conversation(request).await.unwrap();
    let conversation = agent.meets(&stage, opened.id().as_str()).await;
    let members = conversation.members().await.unwrap();
    assert_eq!(members["campaignId"], 244_127_170);
    assert_eq!(members["engagementId"], 244_127_270);
}

/// CV-M4: null after the end.
#[actix_rt::test]
async fn cv_m4_consumer_is_who_opened_it_and_nobody_after_the_end() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut agent = Side::connect(&stage, bot(1)).await;
    let conversation = agent.meets(&stage, &stage.emulator.create_conversation(Some("ann"), None)).await;
    let expected =
        json!({"userId": "ann", "agentId": null, "role": "CONSUMER", "state": "ACTIVE", "chatState": "ACTIVE"});
    assert_eq!(conversation.members().await.unwrap()["consumer"], expected);
    stage.emulator.close_conversation(conversation.id().as_str()).unwrap();
    agent.hears("close").await;
    assert!(conversation.members().await.unwrap()["consumer"].is_null());
}

/// CV-M5, with its companion `handlerSkillId`: the brand itself until another account takes over.
#[actix_rt::test]
async fn cv_m5_handler_account_id_is_the_account_that_handles_the_conversation_now() {
    let (_stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    assert_eq!(conversation.members().await.unwrap()["handlerAccountId"], "12345678");
    let body = json!({
        "conversationId": conversation.id(),
        "conversationField": [{"field": "ConversationHandler", "accountId": "87654321", "skillId": "9"}],
    });
    let kind = ".ams.cm.UpdateConversationField".to_owned();
    conversation.perform(Command::Raw { kind, body, metadata: Vec::new() }).await.unwrap();
    let members = agent.settled(&conversation).await;
    assert_eq!(members["handlerAccountId"], "87654321");
    assert_eq!(members["handlerSkillId"], "9");
}

/// CV-M6: also a note that was emptied, unlike in the SDK (CV-N7).
#[actix_rt::test]
async fn cv_m6_note_is_the_text_as_the_platform_keeps_it() {
    let (_stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    assert!(conversation.members().await.unwrap()["note"].is_null());
    for (text, kept) in [("wants a refund", json!("wants a refund")), ("", json!(null))] {
        conversation.perform(Command::SetNote { note: text.to_owned() }).await.unwrap();
        assert_eq!(agent.settled(&conversation).await["note"], kept);
    }
}

/// CV-M7: the first state counts too.
#[actix_rt::test]
async fn cv_m7_notification_count_grows_by_one_for_each_state_processed() {
    let (_stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    assert_eq!(conversation.members().await.unwrap()["notificationCount"], 1);
    conversation.set_ttr(TtrType::Urgent, 0).await.unwrap();
    agent.hears("ttr-change").await;
    assert_eq!(conversation.members().await.unwrap()["notificationCount"], 2);
}

/// CV-M8.
#[actix_rt::test]
async fn cv_m8_notification_ignored_count_grows_when_the_platform_repeats_itself() {
    let (stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    stage.emulator.inject(Fault::new(FaultKind::Duplicate).user("bot1"));
    stage.emulator.change_group(conversation.id().as_str(), "7").unwrap();
    agent.hears("notification-ignored").await;
    let members = conversation.members().await.unwrap();
    assert_eq!(members["notificationIgnoredCount"], 1);
    assert_eq!(members["notificationCount"], 2, "the first one and the change, which was told twice");
}

/// CV-M9.
#[actix_rt::test]
async fn cv_m9_notification_out_of_order_count_grows_when_a_state_was_overtaken() {
    let (stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    // Otherwise the response with the history might be the late frame.
    agent.settled(&conversation).await;
    stage.emulator.inject(Fault::new(FaultKind::Delay).user("bot1"));
    for group in ["7", "8"] {
        stage.emulator.change_group(conversation.id().as_str(), group).unwrap();
    }
    agent.hears("notification-out-of-order").await;
    let members = conversation.members().await.unwrap();
    assert_eq!(members["notificationOutOfOrderCount"], 1);
    assert_eq!(members["groupId"], "8", "the newer state stays");
}

/// CV-M10: the page's spelling; by user id, though the platform counts agents by agent id.
#[actix_rt::test]
async fn cv_m10_number_ofunread_messages_counts_for_each_participant() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut agent = Side::connect(&stage, bot(1)).await;
    let conversation = agent.meets(&stage, &stage.emulator.create_conversation(Some("ann"), None)).await;
    let own_id = conversation.members().await.unwrap()["assignedAgent"]["userId"].clone();
    let own_id = own_id.as_str().unwrap();
    for text in ["hello?", "anybody?"] {
        stage.emulator.say(conversation.id().as_str(), text).unwrap();
    }
    let unread = agent.settled(&conversation).await["numberOfunreadMessages"].clone();
    assert_eq!(unread, json!({own_id: 2, "ann": 0}));
    conversation.read(vec![0, 1]).await.unwrap();
    conversation.send_text("here I am").await.unwrap();
    let unread = agent.settled(&conversation).await["numberOfunreadMessages"].clone();
    assert_eq!(unread, json!({own_id: 0, "ann": 1}));
}

/// CV-M11: a deadline while the consumer waits, nothing once they were answered.
#[actix_rt::test]
async fn cv_m11_ttr_effective_is_the_deadline_while_somebody_waits_for_an_answer() {
    let (_stage, mut agent, conversation) = taken(EmulatorConfig::default()).await;
    let members = conversation.members().await.unwrap();
    let (start, ttr) = (members["startTime"].as_i64().unwrap(), members["ttrValue"].as_i64().unwrap());
    assert_eq!(members["ttrEffective"].as_i64().unwrap(), start + 1_000 * ttr);
    conversation.set_manual_ettr(Timestamp(4_000_000_000_000)).await.unwrap();
    assert_eq!(agent.settled(&conversation).await["ttrEffective"], 4_000_000_000_000_i64);
    conversation.send_text("here you are").await.unwrap();
    assert!(agent.settled(&conversation).await["ttrEffective"].is_null());
}
