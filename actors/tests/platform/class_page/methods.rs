//! Each method of the class page (CV-F1 to CV-F16): what the platform and the other side make of it, and what is
//! refused.

use bytes::Bytes;
use serde_json::{Value, json};
use tertulia_actors::{
    connection::{ConnectionError, ConnectionSettings, Role},
    conversation::{ConversationError, Done},
    core::{
        command::{Command, MessageRange, SendRichText, SendText, SetAgentNote},
        id::ExternalConsumerId,
        time::Timestamp,
        ums::{self, DialogStatus, DialogType, ParticipantRole, TtrType},
    },
    files::{FileType, UploadSource},
    intake::IntakeSettings,
    platform::AppCredentials,
};
use tertulia_emulator::{AppInstall, EmulatorConfig};
use tokio::time::timeout;

use super::{
    side::{Side, Transfers, taken, transfers},
    step_up::{StepUp, step_up},
};
use crate::{
    stage::{PATIENCE, Stage, bot},
    webhooks::endpoint::{self, Post},
};

fn refused(outcome: Result<Done, ConversationError>) -> &'static str {
    outcome.unwrap_err().code()
}

/// A consumer and a bot in one conversation.
async fn talking() -> (Stage, [Side; 2], [tertulia_actors::conversation::ConversationHandle; 2]) {
    let stage = Stage::set(EmulatorConfig::default());
    let mut agent = Side::connect(&stage, bot(1)).await;
    let (ann, hers) = Side::consumer(&stage, "ann").await;
    let conversation = agent.meets(&stage, hers.id().as_str()).await;
    (stage, [agent, ann], [conversation, hers])
}

/// CV-F1: afterwards the new identity speaks, and the old one does not.
#[actix_rt::test]
async fn cv_f1_consumer_takeover_gives_the_conversation_to_the_new_identity() {
    let StepUp { stage, mut agent, mut signed_in, after, known, .. } = step_up().await;
    after.consumer_takeover(known.clone()).await.unwrap();
    agent.hears("consumer-step-up").await;
    signed_in.hears("consumer-step-up").await;
    assert_eq!(after.send_text("it is me").await.unwrap().sequence, Some(0));
    let heard = agent.hears("message").await;
    assert_eq!((&heard["body"], &heard["originatorId"]), (&json!("it is me"), &json!(known)));
    let seen = stage.tertulia.connection(&agent.id).conversation(after.id()).unwrap();
    assert_eq!(seen.members().await.unwrap()["consumer"]["userId"], json!(known));
    assert_eq!(refused(after.consumer_takeover(known).await), "same-consumer");
}

/// CV-F2: the dialog of a type, or nothing.
#[actix_rt::test]
async fn cv_f2_get_dialog_finds_the_dialog_of_a_type() {
    let (_stage, mut agent, handle) = taken(EmulatorConfig { survey: true, ..EmulatorConfig::default() }).await;
    handle.close().await.unwrap();
    agent.hears("dialog.close").await;
    let conversation = handle.state().await.unwrap();
    let main = conversation.get_dialog(&DialogType::Main).unwrap();
    assert!(main.dialog_id.is_main_of(handle.id()));
    assert_eq!(main.state, DialogStatus::Close);
    assert_eq!(conversation.get_dialog(&DialogType::PostSurvey).unwrap().state, DialogStatus::Open);
    assert!(conversation.get_dialog(&DialogType::Other).is_none());
}

/// CV-F3: who has joined may speak, in the role they took; a closed conversation cannot be joined.
#[actix_rt::test]
async fn cv_f3_join_lets_this_agent_take_part_in_a_role() {
    let (stage, _agent, conversation) = taken(EmulatorConfig::default()).await;
    let mut manager = Side::manager(&stage).await;
    let looked_at = manager.meets(&stage, conversation.id().as_str()).await;
    assert_eq!(refused(looked_at.send_text("too early").await), "platform-rejected");
    looked_at.join(ParticipantRole::Manager).await.unwrap();
    assert_eq!(manager.hears("participant-added").await["participant"]["role"], "MANAGER");
    looked_at.send_text("may I help").await.unwrap();
    assert_eq!(stage.emulator.ledger().get(0).unwrap().role, "MANAGER");
    conversation.close().await.unwrap();
    manager.hears("close").await;
    assert_eq!(refused(looked_at.join(ParticipantRole::Reader).await), "no-open-dialog");
}

/// CV-F4: states that came by webhook are processed, ignored or out of order like states of a socket.
#[actix_rt::test]
async fn cv_f4_process_state_notification_takes_states_that_came_another_way() {
    let (address, mut posts) = endpoint::listen();
    let app = Some(AppInstall::new("c", "s").webhooks(&address));
    let stage = Stage::set(EmulatorConfig { app, ..EmulatorConfig::default() });
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let mut hook = Side::intake(&stage, IntakeSettings::connector("hook", "12345678", app)).await;
    let ann = ExternalConsumerId::from("whatsapp:15550100");
    let connection = stage.tertulia.connection(&hook.id);
    let opened = connection.create_conversation_for(ann, Default::default(), Default::default());
    let conversation = opened.await.unwrap();
    let mut agent = Side::connect(&stage, bot(1)).await;
    agent.meets(&stage, conversation.id().as_str()).await;
    let mut bodies = Vec::new();
    for _ in ["opened", "taken"] {
        let Post { signature, body } = timeout(PATIENCE, posts.recv()).await.unwrap().unwrap();
        stage.tertulia.connection(&hook.id).receive_webhook(Some(&signature), body.clone()).await.unwrap();
        bodies.push(body);
    }
    assert_eq!(hook.hears("participant-added").await["participant"]["role"], "ASSIGNED_AGENT");
    for (name, body) in ["notification-ignored", "notification-out-of-order"].into_iter().zip(bodies.iter().rev()) {
        stage.tertulia.connection(&hook.id).receive_notification(body.clone()).await.unwrap();
        hook.hears(name).await;
    }
    let members = conversation.members().await.unwrap();
    let counts = ["notificationCount", "notificationIgnoredCount", "notificationOutOfOrderCount"];
    assert_eq!(counts.map(|name| members[name].as_u64().unwrap()), [2, 1, 1]);
}

/// CV-F5: both bounds inclusive, whatever the platform makes of them; for agents only.
#[actix_rt::test]
async fn cv_f5_query_messages_reads_the_history_within_inclusive_bounds() {
    let (_stage, _sides, [conversation, hers]) = talking().await;
    for number in 0..5 {
        conversation.send_text(number.to_string()).await.unwrap();
    }
    for (range, expected) in [
        (MessageRange::default(), vec!["0", "1", "2", "3", "4"]),
        (MessageRange { from: Some(0), to: Some(1), max: None }, vec!["0", "1"]),
        (MessageRange { from: Some(3), to: None, max: None }, vec!["3", "4"]),
        (MessageRange { from: Some(1), to: None, max: Some(2) }, vec!["1", "2"]),
    ] {
        let messages = conversation.query_messages(range).await.unwrap().messages;
        let texts: Vec<String> = messages.iter().filter_map(|message| message.text()).collect();
        assert_eq!(texts, expected);
    }
    assert_eq!(refused(hers.query_messages(MessageRange::default()).await), "not-supported");
}

fn quick_replies() -> Value {
    let click = json!({"actions": [{"type": "publishText", "text": "yes"}]});
    let reply = json!({"type": "button", "tooltip": "yes", "title": "yes", "click": click});
    json!({"type": "quickReplies", "itemsPerRow": 8, "replies": [reply]})
}

/// CV-F6: text, metadata and quick replies arrive unchanged; an empty or too long text is not sent.
#[actix_rt::test]
async fn cv_f6_send_message_publishes_text_with_metadata_and_quick_replies() {
    let (stage, [_agent, mut ann], [conversation, _hers]) = talking().await;
    let metadata = vec![json!({"type": "ExternalId", "id": "order-66"})];
    let (text, quick_replies) = ("shall I order it?".to_owned(), Some(quick_replies()));
    let command = SendText { text, metadata: metadata.clone(), quick_replies, ..SendText::default() };
    assert_eq!(conversation.perform(Command::SendText(command)).await.unwrap().sequence, Some(0));
    let heard = ann.hears("message").await;
    assert_eq!(heard["body"], "shall I order it?");
    assert_eq!(heard["messageAudience"], "ALL");
    assert_eq!(heard["metadata"], json!(metadata));
    assert_eq!(heard["quickReplies"], self::quick_replies());
    assert_eq!(refused(conversation.send_text("").await), "text-empty");
    assert_eq!(refused(conversation.send_text("é".repeat(8_001)).await), "text-too-long");
    assert_eq!(conversation.send_text("é".repeat(8_000)).await.unwrap().sequence, Some(1));
    assert_eq!(stage.emulator.ledger().len(), 2);
}

/// CV-F7: agents hear it, the consumer hears the next one.
#[actix_rt::test]
async fn cv_f7_send_private_message_is_not_for_the_consumer() {
    let (stage, [mut agent, mut ann], [conversation, hers]) = talking().await;
    assert_eq!(conversation.send_private_text("between us").await.unwrap().sequence, Some(0));
    assert_eq!(conversation.send_text("for you").await.unwrap().sequence, Some(1));
    let heard = agent.hears("message").await;
    assert_eq!((&heard["body"], &heard["messageAudience"]), (&json!("between us"), &json!("AGENTS_AND_MANAGERS")));
    assert_eq!(ann.hears("message").await["body"], "for you");
    let published: Vec<_> = stage.emulator.ledger().iter().map(|entry| (entry.kind, entry.audience)).collect();
    let content = |audience: &str| ("ContentEvent".to_owned(), audience.to_owned());
    assert_eq!(published, [content("AGENTS_AND_MANAGERS"), content("ALL")]);
    assert_eq!(refused(hers.send_private_text("psst").await), "not-supported");
}

/// CV-F8: a card arrives as it was sent; one that the platform would close the socket for is not sent.
#[actix_rt::test]
async fn cv_f8_send_rich_text_publishes_structured_content() {
    let (stage, [_agent, mut ann], [conversation, _hers]) = talking().await;
    let card = |text: &str| json!({"type": "vertical", "elements": [{"type": "text", "text": text}]});
    let metadata = vec![json!({"type": "ExternalId", "id": "card-1"})];
    let content = card("two for one");
    let command = SendRichText { content, metadata, quick_replies: Some(quick_replies()), ..SendRichText::default() };
    assert_eq!(conversation.perform(Command::SendRichText(command)).await.unwrap().sequence, Some(0));
    let heard = ann.hears("message").await;
    assert_eq!(heard["body"], card("two for one"));
    assert_eq!(heard["metadata"], json!([{"type": "ExternalId", "id": "card-1"}]));
    assert_eq!(heard["quickReplies"], quick_replies());
    let published = stage.emulator.ledger().get(0).unwrap();
    assert_eq!((published.kind.as_str(), published.audience.as_str()), ("RichContentEvent", "ALL"));
    let wrong = json!({"type": "vertical", "elements": [{"type": "text"}]});
    assert_eq!(refused(conversation.send_rich_text(wrong).await), "rich-text-invalid");
    let texts: Vec<Value> = (0..4).map(|_| json!({"type": "text", "text": "x".repeat(4_990)})).collect();
    let long = json!({"type": "vertical", "elements": texts});
    assert_eq!(refused(conversation.send_rich_text(long).await), "rich-text-too-long");
    assert_eq!(stage.emulator.ledger().len(), 1);
}

/// CV-F9: added to the existing notes; cut to the room that they leave, and refused if they leave no room.
#[actix_rt::test]
async fn cv_f9_set_agent_note_adds_a_note_and_keeps_the_others() {
    let (_stage, [mut agent, _ann], [conversation, hers]) = talking().await;
    let note = |text: &str, time| SetAgentNote::new(text.to_owned(), Timestamp(time));
    let (agent_id, name) = (Some("12345678.9".into()), Some("Summary".to_owned()));
    let summary = SetAgentNote { agent_id, name, is_auto_summary: true, ..note("refund asked for", 2) };
    let written = conversation.set_agent_note(note("wants a refund", 1)).await.unwrap();
    agent.settled(&conversation).await;
    conversation.set_agent_note(summary).await.unwrap();
    assert_eq!(written.note.unwrap().truncated_text(), None);
    let members = agent.settled(&conversation).await;
    let own_id = members["assignedAgent"]["agentId"].as_str().unwrap();
    let expected = json!([
        {"agentId": own_id, "name": "bot1", "noteContent": "wants a refund", "time": 1,
            "noteId": format!("{own_id}::1"), "isAutoSummary": false},
        {"agentId": "12345678.9", "name": "Summary", "noteContent": "refund asked for", "time": 2,
            "noteId": "12345678.9::2", "isAutoSummary": true},
    ]);
    assert_eq!(serde_json::from_str::<Value>(members["note"].as_str().unwrap()).unwrap(), expected);
    let long = note(&"é".repeat(6_000), 3);
    let whole = SetAgentNote { truncate_enabled: false, ..long.clone() };
    assert_eq!(refused(conversation.set_agent_note(whole).await), "note-too-long");
    assert_eq!(refused(hers.set_agent_note(long.clone()).await), "not-supported");
    let cut = conversation.set_agent_note(long).await.unwrap().note.unwrap();
    let field = agent.settled(&conversation).await["note"].as_str().unwrap().to_owned();
    assert_eq!(field.chars().count(), 5_000);
    let kept = serde_json::from_str::<Value>(&field).unwrap();
    assert_eq!((&kept[0], &kept[1]), (&expected[0], &expected[1]));
    assert_eq!(kept[2]["noteContent"].as_str(), cut.truncated_text());
    assert_eq!(refused(conversation.set_agent_note(note("one more", 4)).await), "note-full");
}

/// CV-F10: from 0 to 5, by the consumer, also after the end.
#[actix_rt::test]
async fn cv_f10_set_csat_gives_the_consumers_satisfaction() {
    let (_stage, [mut agent, mut ann], [conversation, hers]) = talking().await;
    hers.set_csat(4, Some(true)).await.unwrap();
    assert_eq!(agent.settled(&conversation).await["csat"]["csatRate"], 4);
    assert_eq!(refused(hers.set_csat(6, None).await), "bad-csat");
    assert_eq!(refused(conversation.set_csat(5, None).await), "not-supported");
    conversation.close().await.unwrap();
    ann.hears("close").await;
    hers.set_csat(5, Some(true)).await.unwrap();
}

/// CV-F11, for agents only.
#[actix_rt::test]
async fn cv_f11_set_manual_ettr_sets_the_deadline_of_the_answer() {
    let (_stage, [mut agent, _ann], [conversation, hers]) = talking().await;
    conversation.set_manual_ettr(Timestamp(4_000_000_000_000)).await.unwrap();
    assert_eq!(agent.settled(&conversation).await["ttrEffectiveManual"], 4_000_000_000_000_i64);
    assert_eq!(refused(hers.set_manual_ettr(Timestamp(4_000_000_000_000)).await), "not-supported");
}

/// CV-F12: replaces the notes of all agents, at most 5,000 characters, also after the end; for agents only.
#[actix_rt::test]
async fn cv_f12_set_note_replaces_the_whole_note() {
    let stage = Stage::set(EmulatorConfig::default());
    let stages = vec![ums::Stage::Open, ums::Stage::Close];
    let mut agent = Side::connect(&stage, ConnectionSettings { stages, ..bot(1) }).await;
    let (mut ann, hers) = Side::consumer(&stage, "ann").await;
    let conversation = agent.meets(&stage, hers.id().as_str()).await;
    let note = |text: &str| Command::SetNote { note: text.to_owned() };
    conversation.perform(note("first")).await.unwrap();
    conversation.perform(note("second")).await.unwrap();
    assert_eq!(agent.settled(&conversation).await["note"], "second");
    assert_eq!(refused(conversation.perform(note(&"x".repeat(5_001))).await), "note-too-long");
    assert_eq!(refused(hers.perform(note("mine")).await), "not-supported");
    conversation.send_text("goodbye").await.unwrap();
    ann.hears("message").await;
    conversation.close().await.unwrap();
    agent.hears("close").await;
    conversation.perform(note("after the end")).await.unwrap();
    hers.read(vec![0]).await.unwrap();
    agent.hears("message-delivery").await;
    assert_eq!(conversation.members().await.unwrap()["note"], "after the end");
}

/// CV-F13: the value counts for CUSTOM; the account has one for every other type.
#[actix_rt::test]
async fn cv_f13_set_ttr_sets_how_soon_an_answer_is_wanted() {
    let (_stage, [mut agent, _ann], [conversation, _hers]) = talking().await;
    for (ttr_type, name, seconds) in [(TtrType::Custom, "CUSTOM", 77), (TtrType::Normal, "NORMAL", 3_600)] {
        conversation.set_ttr(ttr_type, 77).await.unwrap();
        let members = agent.settled(&conversation).await;
        assert_eq!((&members["ttrType"], &members["ttrValue"]), (&json!(name), &json!(seconds)));
    }
}

/// CV-F14: to an agent and a skill at once; the former assignee is out, the target in once it accepts.
#[actix_rt::test]
async fn cv_f14_transfer_moves_the_conversation_to_agent_and_skill() {
    let Transfers { stage, conversation, mut second, second_agent, mut manager } = transfers().await;
    let own = conversation.members().await.unwrap()["assignedAgent"]["agentId"].as_str().unwrap().into();
    assert_eq!(refused(conversation.transfer(Some(own), None).await), "same-agent");
    conversation.transfer(Some(second_agent.clone()), Some("502".into())).await.unwrap();
    assert_eq!(manager.hears("skill-change").await, json!({"prevSkillId": "501", "newSkillId": "502"}));
    manager.hears("transfer-agent").await;
    manager.hears("participant-removed").await;
    second.answers_ring(&stage, true).await;
    let theirs = second.meets(&stage, conversation.id().as_str()).await;
    let members = theirs.members().await.unwrap();
    assert_eq!(members["assignedAgent"]["agentId"], json!(second_agent));
    assert_eq!(members["skillId"], "502");
    theirs.send_text("I take over").await.unwrap();
}

/// CV-F15: unloads a loaded conversation; a conversation of the connection itself stays.
#[actix_rt::test]
async fn cv_f15_unload_takes_what_was_loaded_out_of_memory() {
    let (stage, _agent, conversation) = taken(EmulatorConfig::default()).await;
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let hook = Side::intake(&stage, IntakeSettings::connector("hook", "12345678", app)).await;
    let ann = ExternalConsumerId::from("whatsapp:15550100");
    let connection = stage.tertulia.connection(&hook.id);
    let opened = connection.create_conversation_for(ann, Default::default(), Default::default());
    let opened = opened.await.unwrap();
    let refused = stage.tertulia.connection(&hook.id).unload(opened.id()).await;
    assert_eq!(refused, Err(ConnectionError::NotLoaded(opened.id().clone())));
    stage.tertulia.connection(&hook.id).load(&opened.snapshot().await.unwrap()).await.unwrap();
    stage.tertulia.connection(&hook.id).unload(opened.id()).await.unwrap();
    assert!(stage.tertulia.connection(&hook.id).conversation(opened.id()).is_none());
    let refused = stage.tertulia.connection(conversation.connection()).unload(conversation.id()).await;
    let connection = conversation.connection().clone();
    assert_eq!(refused, Err(ConnectionError::NotSupported { connection, method: "unload", role: Role::Agent }));
}

/// CV-F16: stored by the platform first, then published; the other side reads the same bytes.
#[actix_rt::test]
async fn cv_f16_upload_file_stores_a_file_and_tells_of_it() {
    let (stage, [_agent, mut ann], [conversation, hers]) = talking().await;
    let picture = Bytes::from_static(b"not really a picture");
    let source = UploadSource::bytes(FileType::Png, picture.clone()).caption("your bill");
    let uploaded = conversation.upload_file(source).await.unwrap();
    assert_eq!(uploaded.sequence, Some(0));
    let heard = ann.hears("message").await;
    assert_eq!(heard["contentType"], "hosted/file");
    assert_eq!(heard["body"]["caption"], "your bill");
    assert_eq!(heard["body"]["fileType"], "PNG");
    let mut download = hers.download_file(heard["body"]["relativePath"].as_str().unwrap()).await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = download.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(read, picture);
    let empty = UploadSource::bytes(FileType::Png, Bytes::new());
    assert_eq!(conversation.upload_file(empty).await.unwrap_err().code(), "file-empty");
    assert_eq!(stage.emulator.ledger().len(), 1);
}
