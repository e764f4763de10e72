//! Names that are part of stored data and events: a stored command can be read again.

use serde_json::{Value, json};

use super::sends::text;
use crate::{
    command::*,
    id::DialogId,
    time::Timestamp,
    ums::{ChatState, CsatStatus, DeliveryStatus, ParticipantRole, TtrType},
};

fn one_of_each() -> Vec<Command> {
    let dialog = || Some(DialogId::from("d"));
    vec![
        Command::SendText(SendText { metadata: vec![json!({ "type": "ExternalId", "id": "k" })], ..text("hi") }),
        Command::SendRichText(SendRichText { content: json!({ "type": "list" }), ..SendRichText::default() }),
        Command::SendFileNotice(SendFileNotice { dialog: dialog(), ..SendFileNotice::default() }),
        Command::QueryMessages {
            dialog: dialog(),
            range: MessageRange { from: Some(0), to: None, max: Some(u64::MAX) },
        },
        Command::Join { role: ParticipantRole::Unlisted("ORACLE".into()), dialog: None },
        Command::Leave { dialog: dialog() },
        Command::Transfer { agent: Some("1.2".into()), skill: None },
        Command::Close,
        Command::CloseDialog { dialog: "d".into(), by: None, cause: Some("Completed".to_owned()) },
        Command::CloseAtOnce,
        Command::AcceptStatus { dialog: None, status: DeliveryStatus::Read, sequences: vec![0, 7], metadata: vec![] },
        Command::ChatState { dialog: None, chat_state: ChatState::Pause },
        Command::SetTtr { ttr_type: TtrType::Custom, value: 90 },
        Command::SetManualEttr { time: Timestamp(1) },
        Command::SetCsat { rate: 3, resolved: Some(false), status: CsatStatus::PartiallyFilled },
        Command::SetAgentNote(SetAgentNote::new("n".to_owned(), Timestamp(1))),
        Command::SetNote { note: "n".to_owned() },
        Command::ConsumerTakeover { new_consumer: "c".into() },
        Command::Raw { kind: "x".to_owned(), body: Value::Null, metadata: vec![json!(1)] },
    ]
}

#[test]
fn a_stored_command_is_read_as_it_was_written_under_its_name() {
    for command in one_of_each() {
        let stored = serde_json::to_value(&command).unwrap();
        assert_eq!(stored["command"], command.name());
        assert_eq!(serde_json::from_value::<Command>(stored).unwrap(), command);
    }
}

/// ER-1.
#[test]
fn a_refusal_tells_the_conversation_and_the_reason() {
    let error =
        CommandError { conversation: "3f6c1a52".into(), refusal: Refusal::TextTooLong { length: 8_001, limit: 8_000 } };
    assert_eq!(error.to_string(), "conversation 3f6c1a52: the text has 8001 characters, 8000 are allowed");
    assert_eq!(error.code(), "text-too-long");
}
