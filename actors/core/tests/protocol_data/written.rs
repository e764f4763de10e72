//! What this crate writes, as the schemas are to judge it.

use serde_json::{Value, json};
use tertulia_core::{
    command::{Command, HostedFile, Identity, Limits, Plan, SendFileNotice, SendRichText, SendText},
    conversation::{Conversation, HistoryStart},
    id::{AccountId, AgentId, CommandKey, ConversationId, RequestId, UserId},
    time::Timestamp,
    ums::*,
};

pub(crate) const CONVERSATION: &str = "3f6c1a52-8e0d-4b7e-9a41-5c2d7e8f9010";
pub(crate) const CONSUMER: &str = "7f3c9a52";
pub(crate) const AGENT: &str = "12345678.3901122334";
pub(crate) const AGENT_PUBLIC: &str = "6f0d7b3a-52c1-5d0e-9d3b-0a8f4c1e2b77";

pub(crate) fn agent() -> Identity {
    Identity::Brand {
        account: AccountId::from("12345678"),
        agent_id: AgentId::from(AGENT),
        user_id: UserId::from(AGENT_PUBLIC),
        name: None,
    }
}

pub(crate) fn consumer() -> Identity {
    Identity::Consumer { account: AccountId::from("12345678"), user_id: UserId::from(CONSUMER) }
}

/// The frame of a request as a socket of `dialect` sends it.
pub(crate) fn frame(request: Request, dialect: Dialect) -> Value {
    framed(RequestFrame::new(RequestId::from("7b0c2f1e"), request), dialect)
}

fn framed(frame: RequestFrame, dialect: Dialect) -> Value {
    serde_json::from_str(&frame.encode(dialect).unwrap()).unwrap()
}

/// The frame of a command, in the dialect of whom asks, with the consumer and an assigned agent in the conversation.
pub(crate) fn asked(command: &Command, by: &Identity) -> Value {
    let plan = command.requests(&conversation(by.dialect()), by, &CommandKey::from("greeting-1"), &Limits::default());
    let Plan::Request(planned) = plan.unwrap() else { panic!("nothing to send for {command:?}") };
    let mut frame = RequestFrame::new(RequestId::from("7b0c2f1e"), planned.request);
    frame.metadata = planned.metadata;
    framed(frame, by.dialect())
}

/// The same with the names of the consumer dialect, in which the schemas are written for both sides.
pub(crate) fn asked_in_schema_names(command: &Command, by: &Identity) -> Value {
    let mut frame = asked(command, by);
    let kind = frame["type"].as_str().unwrap().replace(".ams.", "");
    frame["type"] = kind.into();
    frame
}

pub(crate) fn body(mut frame: Value) -> Value {
    frame["body"].take()
}

pub(crate) fn event(frame: Value) -> Value {
    body(frame)["event"].take()
}

/// Each change of a conversation's fields.
pub(crate) fn changes(mut frame: Value) -> Vec<Value> {
    let Value::Array(changes) = frame["body"]["conversationField"].take() else { panic!("no changes in {frame}") };
    changes
}

pub(crate) fn text() -> Command {
    Command::SendText(SendText {
        text: "hello".to_owned(),
        quick_replies: Some(quick_replies()),
        ..SendText::default()
    })
}

pub(crate) fn file() -> Command {
    let file = HostedFile {
        relative_path: "/v1/AUTH_async-images/12345678/a.PNG".to_owned(),
        file_type: "PNG".to_owned(),
        caption: "a picture".to_owned(),
        preview: Some("data:image/png;base64,AA==".to_owned()),
    };
    Command::SendFileNotice(SendFileNotice { file, ..SendFileNotice::default() })
}

pub(crate) fn rich() -> Command {
    Command::SendRichText(SendRichText { content: card(), ..SendRichText::default() })
}

pub(crate) fn card() -> Value {
    json!({ "type": "vertical", "elements": [
        { "type": "text", "text": "Product", "tooltip": "product", "style": { "bold": true, "size": "large" } },
        { "type": "button", "title": "Buy", "tooltip": "buy",
          "click": { "actions": [{ "type": "link", "name": "Buy", "uri": "https://example.com" }] } },
    ] })
}

pub(crate) fn quick_replies() -> Value {
    json!({ "type": "quickReplies", "itemsPerRow": 2, "replies": [
        { "type": "button", "title": "Yes", "tooltip": "yes",
          "click": { "actions": [{ "type": "publishText", "text": "yes" }],
                     "metadata": [{ "type": "ExternalId", "id": "y1" }] } },
    ] })
}

pub(crate) fn read() -> Command {
    receipt(DeliveryStatus::Read)
}

pub(crate) fn receipt(status: DeliveryStatus) -> Command {
    Command::AcceptStatus { dialog: None, status, sequences: vec![3, 4], metadata: Vec::new() }
}

pub(crate) fn typing() -> Command {
    Command::ChatState { dialog: None, chat_state: ChatState::Composing }
}

pub(crate) fn urgent() -> Command {
    Command::SetTtr { ttr_type: TtrType::Urgent, value: 0 }
}

pub(crate) fn init_connection() -> Value {
    framed(RequestFrame::init_connection(RequestId::from("0"), "eyJ.e30.", &client_properties()), Dialect::Consumer)
}

pub(crate) fn client_properties() -> ClientProperties {
    ClientProperties {
        app_id: Some("tertulia".to_owned()),
        app_version: Some("0.1.0".to_owned()),
        device_family: Some("DESKTOP".to_owned()),
        os: Some("LINUX".to_owned()),
        integration: Some("BRAND_SDK".to_owned()),
        features: vec!["AUTO_MESSAGES".to_owned(), "RICH_CONTENT".to_owned()],
        ..ClientProperties::default()
    }
}

/// A state of an open conversation with its consumer and an assigned agent.
pub(crate) fn state(dialect: Dialect) -> Value {
    let person = |role, user_id: &'static str, agent_id: Option<&'static str>| Person {
        role,
        user_id: user_id.into(),
        agent_id: agent_id.map(Text::from),
    };
    let people = vec![
        person(ParticipantRole::Consumer, CONSUMER, None),
        person(ParticipantRole::AssignedAgent, AGENT_PUBLIC, Some(AGENT)),
    ];
    let in_dialog = |id: &'static str, role| ParticipantDetails {
        id: id.into(),
        role: Some(role),
        state: Some(ParticipantStatus::Active),
    };
    let agent_in_dialog = if dialect == Dialect::Brand { AGENT } else { AGENT_PUBLIC };
    let dialog = DialogState {
        dialog_id: CONVERSATION.into(),
        participants_details: Some(vec![
            in_dialog(CONSUMER, ParticipantRole::Consumer),
            in_dialog(agent_in_dialog, ParticipantRole::AssignedAgent),
        ]),
        dialog_type: Some(DialogType::Main),
        channel_type: Some(ChannelType::Messaging),
        meta_data: None,
        state: Some(DialogStatus::Open),
        creation_ts: Some(Timestamp(1_735_689_600_000)),
        end_ts: None,
        meta_data_last_update_ts: Some(Timestamp(1_735_689_602_000)),
        closed_by: None,
        closed_cause: None,
    };
    let details = ConversationDetails {
        brand_id: Some("12345678".into()),
        skill_id: Presence::Value("501234567".into()),
        dialogs: vec![dialog],
        state: Some(Stage::Open),
        stage: Some(Stage::Open),
        start_ts: Some(Timestamp(1_735_689_600_000)),
        meta_data_last_update_ts: Some(Timestamp(1_735_689_602_000)),
        ttr: Presence::Value(Ttr { ttr_type: Some(TtrType::Normal), value: Some(600) }),
        delay: Presence::Value(Delay { kind: Some(DelayType::Night), till_when: Some(Timestamp(1_735_693_200_000)) }),
        manual_ettr: Presence::Value(Timestamp(1_735_690_200_000)),
        ..ConversationDetails::default()
    };
    let state = ConversationState {
        conv_id: CONVERSATION.into(),
        effective_ttr: Presence::Value(Timestamp(1_735_690_200_000)),
        conversation_details: Some(details.with_people(people, dialect)),
        number_of_unread_messages: Presence::Absent,
        last_update_time: Some(Timestamp(1_735_689_602_000)),
        last_content_event_notification: None,
    };
    serde_json::to_value(state).unwrap()
}

pub(crate) fn conversation(dialect: Dialect) -> Conversation {
    let mut conversation = Conversation::new(ConversationId::from(CONVERSATION), dialect, HistoryStart::FirstSeen);
    conversation.receive_state(&state(dialect).to_string()).unwrap();
    conversation
}

/// The body of a notification of one change.
pub(crate) fn upsert(result: Value) -> Value {
    json!({ "subscriptionId": "1b2c3d4e", "changes": [{ "type": "UPSERT", "result": result }] })
}

/// The body of a notification with the record of each event that has a place in the dialog.
pub(crate) fn records() -> Value {
    let events = [text(), file(), read()].map(|command| event(asked(&command, &agent())));
    let record = |(sequence, event): (usize, &Value)| {
        let text = event.to_string();
        let record = MessageRecord {
            sequence: Some(sequence as u64),
            originator_id: Some(AGENT_PUBLIC.into()),
            originator_public_id: None,
            originator_metadata: None,
            server_timestamp: Some(Timestamp(1_735_689_604_000)),
            event: serde_json::from_str(&text).unwrap(),
            dialog_id: Some(CONVERSATION.into()),
            conversation_id: Some(CONVERSATION.into()),
            message_audience: Some(MessageAudience::All),
            metadata: None,
        };
        serde_json::to_value(record).unwrap()
    };
    json!({ "changes": events.iter().enumerate().map(record).collect::<Vec<_>>() })
}

pub(crate) fn notification(kind: &str, body: Value) -> Value {
    json!({ "kind": "notification", "type": kind, "body": body })
}
