//! How a command is recognized by its key.

use serde_json::{Value, json};

use super::{
    scene::{MAIN, Scene, agent, planned_of},
    sends::text,
};
use crate::{
    command::*,
    id::CommandKey,
    ums::{Json, MessageRecord},
};

fn with(metadata: Value) -> Command {
    let Value::Array(metadata) = metadata else { panic!("no array") };
    Command::SendText(SendText { metadata, ..text("hi") })
}

fn found(metadata: &Value) -> Option<String> {
    key_of(&Json::from(metadata)).map(|key| key.to_string())
}

#[test]
fn a_send_carries_its_key_after_the_callers_metadata() {
    let reason = json!({ "type": "ActionReason", "reason": "escalation" });
    let planned = Scene::open().planned(&with(json!([reason])), &agent());
    assert_eq!(planned.metadata, [reason, json!({ "type": "ExternalId", "id": "key-1" })]);
    assert_eq!(found(&planned.metadata.into()).as_deref(), Some("key-1"));
}

#[test]
fn an_external_id_of_the_caller_is_the_key() {
    let own = json!([{ "type": "ExternalId", "id": "mine" }]);
    let command = with(own.clone());
    let planned = Scene::open().planned(&command, &agent());
    assert_eq!(Value::from(planned.metadata), own);
    assert!(matches!(planned.repeat, Repeat::Lookup { key, .. } if key.as_str() == "mine"));
    assert_eq!(command.own_key(), Some(CommandKey::from("mine")));
    assert_eq!(with(json!([])).own_key(), None);
    assert_eq!(Command::Close.own_key(), None);
}

#[test]
fn a_key_has_from_1_to_64_characters() {
    let limits = Limits::default();
    let (open, me) = (Scene::open().conversation(), agent());
    let asked = |key: String| with(json!([])).requests(&open, &me, &CommandKey::from(key), &limits);
    assert!(asked("ä".repeat(KEY_CHARS)).is_ok());
    for key in [String::new(), "k".repeat(KEY_CHARS + 1)] {
        assert_eq!(asked(key).unwrap_err().code(), "bad-key");
    }
    let own = with(json!([{ "type": "ExternalId", "id": "k".repeat(65) }]));
    assert_eq!(Scene::open().refusal(&own, &agent()), "bad-key");
    assert_eq!(Scene::open().refusal(&with(json!([{ "type": "ExternalId" }])), &agent()), "bad-key");
}

#[test]
fn a_key_is_found_among_any_metadata() {
    assert_eq!(
        found(&json!([{ "type": "BotResponse", "id": "no" }, 7, "x", { "type": "ExternalId", "id": "k" }])).as_deref(),
        Some("k")
    );
    assert_eq!(found(&json!({ "type": "ExternalId", "id": "alone" })).as_deref(), Some("alone"));
    assert_eq!(found(&json!([{ "type": "ExternalId", "id": 7, "more": {} }])).as_deref(), Some("7"));
    for none in [
        json!([]),
        json!(null),
        json!("ExternalId"),
        json!([{ "type": "ExternalId" }]),
        json!([{ "type": "ExternalId", "id": "" }]),
    ] {
        assert_eq!(found(&none), None, "{none}");
    }
}

/// If a consumer clicks the same button twice, two messages have the same `ExternalId`. Only a message that came after
/// the command was planned can be the command's.
#[test]
fn a_send_is_looked_up_after_the_records_known_when_it_was_planned() {
    let mut conversation = Scene::open().conversation();
    for sequence in 0..3 {
        let record = format!(
            r#"{{"sequence":{sequence},"dialogId":"{MAIN}","event":{{"type":"ContentEvent","contentType":"text/plain","message":"x"}}}}"#
        );
        let record: MessageRecord<'_> = serde_json::from_str(&record).unwrap();
        conversation.receive_record(&record, None);
    }
    let planned = planned_of(&conversation, &with(json!([])), &agent());
    assert!(matches!(planned.repeat, Repeat::Lookup { from: 3, .. }), "{:?}", planned.repeat);
}

#[test]
fn metadata_is_typed_objects() {
    for entry in [json!("ExternalId"), json!({ "id": "k" }), json!({ "type": 7 }), json!(null)] {
        let command = with(json!([{ "type": "ActionReason" }, entry]));
        let error = Scene::open().asked(&command, &agent()).unwrap_err();
        assert!(matches!(error.refusal, Refusal::MetadataInvalid { index: 1, .. }), "{error}");
    }
}
