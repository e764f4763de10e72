//! An agent without a socket: the tests feed the notifications, and commands use the platform's REST API (protocol
//! §10.5).

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tertulia_actors::{
    connection::ConnectionError,
    conversation::ConversationHandle,
    core::{
        command::{Command, MessageRange, SetAgentNote},
        conversation::{HistoryStart, Message},
        id::{AgentId, ConnectionId, ConversationId, DialogId, SkillId},
        rest::{DialogPlace, RestRequest},
        time::Timestamp,
        ums::{ChatState, ParticipantRole, ParticipantStatus, TtrType},
    },
    files::{FileType, UploadSource},
    intake::IntakeSettings,
    platform::{AgentLogin, PlatformClient},
    subscriber::{EventKind, Filter},
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind, FaultRule, Outcome};
use tokio::time::timeout;

use super::{connect, intake};
use crate::stage::{PATIENCE, Stage, message};

fn login(number: usize) -> AgentLogin {
    AgentLogin::Password { username: format!("bot{number}"), password: "secret".into() }
}

/// An intake that acts as the second agent.
fn by_rest() -> IntakeSettings {
    IntakeSettings { agent: Some(login(2)), hold: Duration::ZERO, ..intake() }
}

/// A platform on which the first agent has accepted a conversation by socket. The intake knows the conversation by its
/// state, and the intake's agent participates.
async fn served() -> (Stage, ConnectionId, ConnectionId, ConversationHandle) {
    served_by(by_rest()).await
}

async fn served_by(settings: IntakeSettings) -> (Stage, ConnectionId, ConnectionId, ConversationHandle) {
    let mut stage = Stage::set(EmulatorConfig { agents: 3, ..EmulatorConfig::default() });
    let bot = stage.bot().await;
    let theirs = stage.conversation(&bot).await;
    let rest = connect(&stage, settings).await;
    let mine = fed(&stage, &rest, theirs.id()).await;
    mine.join(ParticipantRole::Manager).await.unwrap();
    (stage, bot, rest, mine)
}

/// The conversation at the intake, in its state on the platform.
async fn fed(stage: &Stage, rest: &ConnectionId, id: &ConversationId) -> ConversationHandle {
    let state = stage.tertulia.connection(rest).rest(RestRequest::Conversation(id.clone())).await.unwrap();
    let notification = json!({ "kind": "notification", "type": ".ams.aam.ExConversationChangeNotification",
        "body": { "subscriptionId": "s", "sentTs": 1, "changes": [{ "type": "UPSERT", "result": state }] } });
    stage.tertulia.connection(rest).receive_notification(notification.to_string().into()).await.unwrap();
    stage.tertulia.connection(rest).conversation(id).unwrap()
}

async fn participants(stage: &Stage, rest: &ConnectionId, id: &ConversationId) -> Vec<(String, String, String)> {
    let place = DialogPlace { conversation: id.clone(), dialog: DialogId::main_of(id) };
    let dialog = stage.tertulia.connection(rest).rest(RestRequest::Dialog(place)).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed = dialog["participants"].as_array().unwrap().iter();
    listed.map(|known| (text(&known["id"]), text(&known["role"]), text(&known["state"]))).collect()
}

/// Messages get and publish (text, rich), accept and read, chat state.
#[actix_rt::test]
async fn an_agent_without_a_socket_speaks_reads_and_acknowledges() {
    let (mut stage, bot, _, mine) = served().await;
    assert_eq!(mine.send_text("by REST").await.unwrap().sequence, Some(0));
    assert_eq!(mine.send_private_text("for agents").await.unwrap().sequence, Some(1));
    let card = json!({ "type": "vertical", "elements": [{ "type": "text", "text": "card" }] });
    assert_eq!(mine.send_rich_text(card).await.unwrap().sequence, Some(2));
    assert_eq!(stage.texts(&bot, 2).await, ["by REST", "for agents"]);
    stage.emulator.say(mine.id().as_str(), "thanks").unwrap();
    mine.accept(vec![3]).await.unwrap();
    mine.read(vec![3]).await.unwrap();
    mine.set_chat_state(ChatState::Composing).await.unwrap();
    stage.event("chat-state").await;
    let members = mine.members().await.unwrap();
    assert!(members["dialogs"][0]["readByAssignedAgent"].is_null(), "a manager is not the assigned agent");
    let ledger: Vec<(String, String)> =
        stage.emulator.ledger().iter().map(|entry| (entry.kind, entry.audience)).collect();
    let kinds = ["ContentEvent", "ContentEvent", "RichContentEvent", "ContentEvent"];
    assert_eq!(ledger.iter().map(|(kind, _)| kind.as_str()).take(4).collect::<Vec<_>>(), kinds);
    assert_eq!(ledger[1].1, "AGENTS_AND_MANAGERS");
    let range = MessageRange { from: Some(1), to: Some(3), max: None };
    let history = mine.query_messages(range).await.unwrap().messages;
    let history: Vec<u64> = history.iter().map(|message| message.sequence).collect();
    assert_eq!(history, [1, 2, 3]);
}

/// TTR, manual ETTR, dialog close, stage: each against the version that was read.
#[actix_rt::test]
async fn an_agent_without_a_socket_sets_response_times_and_ends_conversations() {
    let (mut stage, bot, rest, mine) = served().await;
    mine.set_ttr(TtrType::Custom, 90).await.unwrap();
    mine.set_manual_ettr(Timestamp(4_000_000_000_000)).await.unwrap();
    let state = stage.tertulia.connection(&rest).rest(RestRequest::Conversation(mine.id().clone())).await.unwrap();
    let details = &state["conversationDetails"];
    assert_eq!(details["ttr"], json!({ "ttrType": "CUSTOM", "value": 90 }));
    assert_eq!(details["manualETTR"], 4_000_000_000_000_i64);
    mine.close().await.unwrap();
    stage.until(|event| event.origin.connection == bot && event.data.name() == "dialog.close").await;

    let other = stage.conversation(&bot).await;
    let mine = fed(&stage, &rest, other.id()).await;
    mine.close_at_once().await.unwrap();
    stage.until(|event| event.origin.connection == bot && event.data.name() == "close").await;
}

/// Participants add, get and remove.
#[actix_rt::test]
async fn an_agent_without_a_socket_lets_agents_in_and_out() {
    let (stage, _, rest, mine) = served().await;
    let before = participants(&stage, &rest, mine.id()).await;
    let place = DialogPlace { conversation: mine.id().clone(), dialog: DialogId::main_of(mine.id()) };
    let third = third_agent(&stage).await;
    let add = RestRequest::AddParticipant {
        place: place.clone(),
        participant: third.to_string(),
        role: ParticipantRole::Agent,
        state: ParticipantStatus::Active,
    };
    stage.tertulia.connection(&rest).rest(add).await.unwrap();
    let get = RestRequest::Participant { place: place.clone(), participant: third.to_string() };
    let found = stage.tertulia.connection(&rest).rest(get.clone()).await.unwrap();
    assert_eq!((&found["role"], &found["state"]), (&json!("AGENT"), &json!("ACTIVE")));
    let remove = RestRequest::RemoveParticipant { place, participant: third.to_string() };
    stage.tertulia.connection(&rest).rest(remove).await.unwrap();
    let gone = stage.tertulia.connection(&rest).rest(get).await.unwrap_err();
    assert!(gone.to_string().contains("404") || gone.to_string().contains("Participant"), "{gone}");
    assert_eq!(participants(&stage, &rest, mine.id()).await, before);
    fed(&stage, &rest, mine.id()).await.leave().await.unwrap();
    let left = participants(&stage, &rest, mine.id()).await;
    assert_eq!(left.len(), before.len() - 1);
}

/// The third agent's id, as returned by its own login.
async fn third_agent(stage: &Stage) -> AgentId {
    let client = PlatformClient::new(stage.tertulia.platform().clone(), "12345678".into());
    client.log_in(&login(3)).await.unwrap().agent_id
}

/// CV-F14 by REST: from the assigned agent to a skill and an agent.
#[actix_rt::test]
async fn an_agent_without_a_socket_transfers() {
    let (mut stage, bot, rest, mine) = served().await;
    let mine = fed(&stage, &rest, mine.id()).await;
    let third = third_agent(&stage).await;
    mine.transfer(Some(third.clone()), Some(SkillId::from("7"))).await.unwrap();
    let state = stage.tertulia.connection(&rest).rest(RestRequest::Conversation(mine.id().clone())).await.unwrap();
    assert_eq!(state["conversationDetails"]["skillId"], "7");
    let suggested = (third.to_string(), "ASSIGNED_AGENT".to_owned(), "SUGGESTED".to_owned());
    assert!(participants(&stage, &rest, mine.id()).await.contains(&suggested));
    stage.until(|event| event.origin.connection == bot && event.data.name() == "transfer-agent").await;
}

/// A conversation without an assignee cannot be transferred: REST has no such request.
#[actix_rt::test]
async fn what_waits_in_the_queue_is_not_transferred_by_rest() {
    let stage = Stage::set(EmulatorConfig::default());
    let rest = connect(&stage, by_rest()).await;
    let waiting = ConversationId::from(stage.emulator.create_conversation(None, None));
    let waiting = fed(&stage, &rest, &waiting).await;
    let refused = waiting.transfer(None, Some(SkillId::from("7"))).await.unwrap_err();
    assert_eq!(refused.code(), "not-supported");
}

/// FL-1 by REST: upload and download URLs.
#[actix_rt::test]
async fn an_agent_without_a_socket_sends_and_reads_files() {
    let (stage, _, _, mine) = served().await;
    let source = UploadSource::bytes(FileType::Png, Bytes::from_static(b"0123456789"));
    let uploaded = mine.upload_file(source).await.unwrap();
    assert_eq!(uploaded.sequence, Some(0));
    // FL-4: the file in the message is sufficient to download it.
    let messages = mine.query_messages(MessageRange::default()).await.unwrap().messages;
    assert_eq!(messages[0].file().as_ref(), uploaded.file.as_deref());
    let mut download = mine.download_file(uploaded.file.unwrap().relative_path).await.unwrap();
    assert_eq!(&download.next().await.unwrap().unwrap()[..], b"0123456789");
    drop(stage);
}

/// Promise 4: an agent without a socket reads the history before anything is repeated.
#[actix_rt::test]
async fn what_an_agent_without_a_socket_sent_is_not_repeated_whatever_was_answered() {
    for code in [429, 500, 503] {
        let (stage, _, _, mine) = served().await;
        let rule = FaultRule::new("PublishEvent", Outcome::Code(code)).user("bot2").always().carried_out();
        stage.emulator.add_rule(rule).unwrap();
        assert_eq!(mine.send_text("once").await.unwrap().sequence, Some(0));
        assert_eq!(stage.said(), ["once"], "{code}");
    }
}

/// A request that REST does not have is refused before anything is sent.
#[actix_rt::test]
async fn what_rest_cannot_ask_is_not_supported() {
    let (stage, _, rest, mine) = served().await;
    let note = SetAgentNote::new("x".to_owned(), Timestamp(1));
    assert_eq!(mine.set_agent_note(note).await.unwrap_err().code(), "not-supported");
    let raw = Command::Raw { kind: ".ams.x".to_owned(), body: Value::Null, metadata: Vec::new() };
    assert_eq!(mine.perform(raw).await.unwrap_err().code(), "not-supported");
    let connection = stage.tertulia.connection(&rest);
    let opened = connection.create_conversation_for("ann".into(), Default::default(), Default::default());
    assert!(matches!(opened.await, Err(ConnectionError::NotSupported { .. })));
    let get = RestRequest::Conversation(mine.id().clone());
    let by_socket = stage.tertulia.connection(&ConnectionId::from("bot-1")).rest(get.clone()).await;
    assert!(matches!(by_socket, Err(ConnectionError::NotSupported { .. })));
    let plain = connect(&stage, IntakeSettings { id: "plain".into(), ..intake() }).await;
    assert!(matches!(stage.tertulia.connection(&plain).rest(get).await, Err(ConnectionError::NotSupported { .. })));
}

/// Read-modify-write: of many concurrent changes none is lost or refused, and the last one stands.
#[actix_rt::test]
async fn changes_at_the_same_time_are_written_one_after_the_other() {
    let (stage, _, rest, mine) = served().await;
    let other = connect(&stage, IntakeSettings { id: "other".into(), agent: Some(login(3)), ..by_rest() }).await;
    let change = |connection: ConnectionId, time: i64| {
        let row = RestRequest::SetManualEttr { conversation: mine.id().clone(), time: Timestamp(time) };
        let tertulia = &stage.tertulia;
        async move { tertulia.connection(&connection).rest(row).await }
    };
    for round in 1..10 {
        let (one, two) = tokio::join!(change(rest.clone(), round * 10), change(other.clone(), round * 10 + 1));
        one.unwrap();
        two.unwrap();
        let state = stage.tertulia.connection(&rest).rest(RestRequest::Conversation(mine.id().clone())).await.unwrap();
        let ettr = state["conversationDetails"]["manualETTR"].as_i64().unwrap();
        assert!([round * 10, round * 10 + 1].contains(&ettr));
    }
}

/// TK-6, 401: a session that ended is replaced by one login, and the request is carried out once.
#[actix_rt::test]
async fn a_session_that_ended_is_replaced_by_a_new_login() {
    let (stage, _, _, mine) = served().await;
    let client = PlatformClient::new(stage.tertulia.platform().clone(), "12345678".into());
    // A second login of the same agent ends the first session.
    client.log_in(&login(2)).await.unwrap();
    let done = futures_util::future::join_all([mine.send_text("one"), mine.send_text("two")]).await;
    for done in done {
        done.unwrap();
    }
    assert_eq!(stage.said(), ["one", "two"]);
}

/// MS-4 by REST: missing messages are read from the history, as on a socket.
#[actix_rt::test]
async fn a_hole_is_filled_by_reading_the_history() {
    let (mut stage, bot, rest, mine) = served().await;
    // With a stream of its own, because its events have no common order with the bot's events.
    let mut told = stage.tertulia.events(Filter::everything().connection(rest.as_str()).kind(EventKind::Message));
    for text in ["0", "1", "2"] {
        stage.emulator.say(mine.id().as_str(), text).unwrap();
    }
    stage.texts(&bot, 3).await;
    // Only the state names the messages: its last content shows which are missing.
    fed(&stage, &rest, mine.id()).await;
    for expected in ["0", "1", "2"] {
        let event = timeout(PATIENCE, told.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(message(&event).and_then(Message::text).as_deref(), Some(expected));
    }
    assert_eq!(stage.tertulia.metrics().message_gaps.get(), 0);
}

/// WH-2: load, feed one notification, act by REST, save, unload.
#[actix_rt::test]
async fn a_stateless_worker_acts_by_rest() {
    let (stage, _, rest, mine) = served().await;
    let snapshot = mine.snapshot().await.unwrap();
    let id = mine.id().clone();
    stage.tertulia.connection(&rest).unload(&id).await.unwrap();
    assert!(stage.tertulia.connection(&rest).conversation(&id).is_none());
    let loaded = stage.tertulia.connection(&rest).load(&snapshot).await.unwrap();
    fed(&stage, &rest, &id).await;
    assert_eq!(loaded.send_text("stateless").await.unwrap().sequence, Some(0));
    loaded.snapshot().await.unwrap();
    stage.tertulia.connection(&rest).unload(&id).await.unwrap();
    assert_eq!(stage.said(), ["stateless"]);
}

/// Wrong credentials fail the connection at once, as everywhere.
#[actix_rt::test]
async fn an_agent_whom_the_platform_refuses_fails_the_connection() {
    let stage = Stage::set(EmulatorConfig::default());
    let agent = Some(AgentLogin::Password { username: "bot1".to_owned(), password: "wrong".into() });
    let settings = IntakeSettings { agent, ..by_rest() };
    let id = settings.id.clone();
    stage.tertulia.connect_intake(settings).unwrap();
    assert!(stage.tertulia.connection(&id).ready(PATIENCE).await.is_err());
}

/// No history is read at first, so that a fault strikes the intended request.
fn without_history() -> IntakeSettings {
    IntakeSettings { history: HistoryStart::FirstSeen, ..by_rest() }
}

/// Loses the response to the agent's next request by REST.
fn lose_answer(stage: &Stage) {
    assert_eq!(stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot2")), 1);
}

/// Q4, promise 4 by REST: if the response is lost after the message was published, the message is found in the history
/// and not sent twice.
#[actix_rt::test]
async fn a_message_whose_answer_by_rest_is_lost_is_found_and_not_sent_again() {
    let (stage, _, _, mine) = served_by(without_history()).await;
    lose_answer(&stage);
    assert_eq!(mine.send_text("once").await.unwrap().sequence, Some(0));
    assert_eq!(stage.tertulia.metrics().commands_found_done.get(), 1);
    assert_eq!(mine.send_text("and this").await.unwrap().sequence, Some(1));
    assert_eq!(stage.said(), ["once", "and this"]);
}

/// The same for a change, whose state no socket sends: the state is read. The platform would refuse a second close.
#[actix_rt::test]
async fn a_change_whose_answer_by_rest_is_lost_is_seen_in_the_state_and_not_made_again() {
    let (stage, _, rest, mine) = served_by(without_history()).await;
    lose_answer(&stage);
    mine.close_at_once().await.unwrap();
    assert_eq!(mine.members().await.unwrap()["stage"], "CLOSE");
    let state = stage.tertulia.connection(&rest).rest(RestRequest::Conversation(mine.id().clone())).await.unwrap();
    assert_eq!(state["conversationDetails"]["stage"], "CLOSE");
}

/// A request refused because there were too many is sent again; a request that failed by the platform's fault is looked
/// up first.
#[actix_rt::test]
async fn a_request_by_rest_that_was_not_carried_out_is_asked_again() {
    let (stage, _, _, mine) = served().await;
    for fault in [Fault::new(FaultKind::Throttle).count(2), Fault::new(FaultKind::Error).code(503)] {
        assert_eq!(stage.emulator.inject(fault.user("bot2")), 1);
        mine.send_text("asked again").await.unwrap();
    }
    assert_eq!(stage.said(), ["asked again", "asked again"]);
}
