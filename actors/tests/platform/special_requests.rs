//! What goes by the wire's own requests with typed helpers: co-browsing, secure forms, rollover, files that messages
//! tell of (protocol §5.11, FL-4).

use serde_json::{Value, json};
use tertulia_actors::{
    conversation::{ConversationHandle, Done},
    core::{
        command::Command,
        id::DialogId,
        time::Timestamp,
        ums::{
            CobrowseSession, ContentType, ConversationUpdate, DeliveryStatus, Dialect, FieldChange, Request,
            SecureFormInvitation, SecureFormSubmission,
        },
    },
};
use tertulia_emulator::EmulatorConfig;

use crate::stage::Stage;

async fn perform(conversation: &ConversationHandle, request: &Request, dialect: Dialect) -> Done {
    conversation.perform(Command::of_request(request, dialect).unwrap()).await.unwrap()
}

/// The metadata of the co-browse dialog, as a conversation shows them.
async fn session(conversation: &ConversationHandle) -> (DialogId, Value) {
    let members = conversation.members().await.unwrap();
    let dialogs = members["dialogs"].as_array().unwrap();
    let dialog = dialogs.iter().find(|dialog| dialog["channelType"] == "COBROWSE").unwrap();
    (dialog["dialogId"].as_str().unwrap().into(), dialog["metaData"].clone())
}

/// CV-P2 besides: while the session goes on, messages still go to MAIN.
#[actix_rt::test]
async fn a_cobrowse_session_is_offered_accepted_and_ended() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let mine = stage.consumer("ann").await;
    let taken = Some(mine.id().clone());
    stage.until(|event| event.data.name() == "conversation" && event.origin.connection == bot).await;
    let theirs = stage.tertulia.connection(&bot).conversation(mine.id()).unwrap();

    let details = || json!({ "mode": "view", "serviceId": "s1" }).as_object().unwrap().clone();
    perform(&theirs, &CobrowseSession::invitation(theirs.id(), details()), Dialect::Brand).await;
    let is_mine = |event: &tertulia_actors::subscriber::Event| {
        event.origin.connection == *mine.connection() && event.conversation == taken
    };
    stage.until(|event| event.data.name() == "dialog" && is_mine(event)).await;
    let (dialog, told) = session(&mine).await;
    assert_eq!(told, json!({ "mode": "view", "serviceId": "s1", "sessionState": "INVITED" }));

    perform(&mine, &CobrowseSession::Accepted.step(mine.id(), dialog.clone(), details()), Dialect::Consumer).await;
    mine.send_text("I see it").await.unwrap();
    stage.until(|event| event.data.name() == "message" && event.origin.connection == bot).await;
    assert_eq!(session(&theirs).await.1["sessionState"], "ACCEPTED");

    perform(&theirs, &CobrowseSession::Closed.step(theirs.id(), dialog, details()), Dialect::Brand).await;
    stage.until(|event| event.data.name() == "dialog.close" && is_mine(event)).await;
    assert_eq!(session(&mine).await.1["sessionState"], "CLOSED");
}

#[actix_rt::test]
async fn a_secure_form_is_offered_filled_and_read() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let mine = stage.consumer("ann").await;
    stage.until(|event| event.data.name() == "conversation" && event.origin.connection == bot).await;
    let theirs = stage.tertulia.connection(&bot).conversation(mine.id()).unwrap();
    let main = DialogId::main_of(mine.id());

    let invitation = SecureFormInvitation::new("pci", "Your card", &"ann".into(), Timestamp(7), 1);
    perform(&theirs, &invitation.request(theirs.id(), &main), Dialect::Brand).await;
    let heard = stage.until(|event| event.data.name() == "message" && event.origin.connection == *mine.connection());
    let heard = heard.await;
    let Some(message) = heard.message() else { panic!() };
    assert_eq!(message.content_type, Some(ContentType::SecureFormInvitation));
    let read: SecureFormInvitation = serde_json::from_str(message.body.get()).unwrap();
    assert_eq!(read, invitation);

    let keys = stage.tertulia.connection(mine.connection()).ask_platform(read.upload_token(&main)).await.unwrap();
    assert!(keys["writeOtk"].is_string());
    let submission = SecureFormSubmission { submission_id: "s1".to_owned(), invitation_id: read.invitation_id.clone() };
    perform(&mine, &submission.request(mine.id(), &main), Dialect::Consumer).await;
    let keys = stage.tertulia.connection(&bot).ask_platform(read.download_token(&main)).await.unwrap();
    assert!(keys["readOtk"].is_string());
    let viewed = Command::AcceptStatus {
        dialog: None,
        status: DeliveryStatus::Viewed,
        sequences: vec![1],
        metadata: Vec::new(),
    };
    theirs.perform(viewed).await.unwrap();
}

/// CV-M5: a rollover, and who handles the conversation then.
#[actix_rt::test]
async fn a_conversation_is_rolled_over_to_another_account() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let handler = FieldChange::ConversationHandler { account_id: "87654321".into(), skill_id: "9".into() };
    let update = ConversationUpdate { conversation_id: conversation.id().clone(), conversation_field: vec![handler] };
    perform(&conversation, &Request::UpdateConversation(update), Dialect::Brand).await;
    // A state with another change follows the state of the rollover.
    conversation.set_manual_ettr(Timestamp(4_000_000_000_000)).await.unwrap();
    stage.event("manual-ettr-change").await;
    let members = conversation.members().await.unwrap();
    assert_eq!((&members["handlerAccountId"], &members["handlerSkillId"]), (&json!("87654321"), &json!("9")));
}
