//! Each endpoint of protocol §10.5, and the requests of the protocol that it carries.

use serde_json::{Value, json};

use super::*;
use crate::{
    id::AccountId,
    ums::{FieldChange, Request},
};

const ID: &str = "c1";

fn place() -> DialogPlace {
    DialogPlace { conversation: ID.into(), dialog: "d1".into() }
}

fn update(changes: Value) -> Request {
    let fields: Vec<FieldChange> = serde_json::from_value(changes).unwrap();
    Request::UpdateConversation(crate::ums::ConversationUpdate {
        conversation_id: ID.into(),
        conversation_field: fields,
    })
}

fn publish(event: Value, audience: &str) -> Request {
    let body = json!({"conversationId": ID, "dialogId": "d1", "messageAudience": audience, "event": event});
    Request::Publish(serde_json::from_str(&body.to_string()).unwrap())
}

/// Method, path and body.
fn asked(request: &RestRequest) -> (RestMethod, String, Value) {
    (request.method(), request.path(&AccountId::from("12345678")), request.body().unwrap_or_default())
}

fn carried(request: &Request) -> (RestMethod, String, Value) {
    asked(&RestRequest::of(request, &[], &ID.into()).unwrap())
}

#[test]
fn what_is_read_has_its_path() {
    let participant = RestRequest::Participant { place: place(), participant: "12345678.1".to_owned() };
    for (request, path) in [
        (RestRequest::Conversation(ID.into()), "/v1/conversations/c1"),
        (RestRequest::Dialog(place()), "/v1/conversations/c1/dialogs/d1"),
        (participant, "/v1/conversations/c1/dialogs/d1/participants/12345678.1"),
    ] {
        assert_eq!(asked(&request), (RestMethod::Get, path.to_owned(), Value::Null));
        assert_eq!(request.version_of(), None);
    }
}

#[test]
fn an_id_is_one_segment_of_the_path_whatever_is_in_it() {
    for (id, path) in [
        ("../users?x=1#y", "/v1/conversations/..%2Fusers%3Fx%3D1%23y"),
        ("..", "/v1/conversations/%2E%2E"),
        ("ü%", "/v1/conversations/%C3%BC%25"),
    ] {
        assert_eq!(RestRequest::Conversation(id.into()).path(&AccountId::from("a")), path);
    }
}

#[test]
fn a_change_of_the_conversation_is_a_patch_against_its_version() {
    for (changes, body) in [
        (json!([{"field": "Stage", "conversationState": "CLOSE"}]), json!({"stage": "CLOSE"})),
        (json!([{"field": "ConversationStateField", "conversationState": "CLOSE"}]), json!({"stage": "CLOSE"})),
        (json!([{"field": "TTRField", "ttrType": "URGENT", "value": 0}]), json!({"type": "URGENT", "value": 0})),
        (json!([{"field": "ManualETTR", "time": 9}]), json!({"manualETTR": 9})),
    ] {
        let request = RestRequest::of(&update(changes), &[], &ID.into()).unwrap();
        assert_eq!(asked(&request), (RestMethod::Patch, "/v1/conversations/c1".to_owned(), body));
        assert_eq!(request.version_of(), Some(RestRequest::Conversation(ID.into())));
    }
}

#[test]
fn a_dialog_is_closed_by_a_patch_against_its_version() {
    let change = json!([{"field": "DialogChange", "type": "UPDATE", "dialog":
        {"dialogId": "d1", "state": "CLOSE", "closedBy": "AGENT", "closedCause": "done"}}]);
    let request = RestRequest::of(&update(change), &[], &ID.into()).unwrap();
    let body = json!({"state": "CLOSE", "closeReason": "AGENT"});
    assert_eq!(asked(&request), (RestMethod::Patch, "/v1/conversations/c1/dialogs/d1".to_owned(), body));
    assert_eq!(request.version_of(), Some(RestRequest::Dialog(place())));
}

#[test]
fn participants_come_and_go_in_main_unless_another_dialog_is_named() {
    let change = |kind: &str, dialog: Value| json!([{"field": "ParticipantsChange", "type": kind, "role": "MANAGER", "userId": "1.2", "dialogId": dialog}]);
    let main = "/v1/conversations/c1/dialogs/c1/participants";
    let added = |state: &str| json!({"id": "1.2", "role": "MANAGER", "state": state});
    assert_eq!(carried(&update(change("ADD", Value::Null))), (RestMethod::Post, main.to_owned(), added("ACTIVE")));
    let (_, _, body) = carried(&update(change("SUGGEST", Value::Null)));
    assert_eq!(body, added("SUGGESTED"));
    let (method, path, _) = carried(&update(change("REMOVE", json!("d1"))));
    assert_eq!((method, path.as_str()), (RestMethod::Delete, "/v1/conversations/c1/dialogs/d1/participants/1.2"));
}

/// TR-1 by the endpoint of transfers.
#[test]
fn a_transfer_takes_the_agent_out_towards_skill_and_agent() {
    let skill = json!({"field": "Skill", "type": "UPDATE", "skill": "7"});
    let change = |kind: &str, role: &str, user: &str| json!({"field": "ParticipantsChange", "type": kind, "role": role, "userId": user});
    let out = change("REMOVE", "ASSIGNED_AGENT", "1.1");
    let (method, path, _) = carried(&update(json!([
        skill,
        change("REMOVE", "MANAGER", "1.2"),
        change("SUGGEST", "ASSIGNED_AGENT", "1.2"),
        out
    ])));
    let base = "/v1/conversations/c1/dialogs/c1/participants/1.1";
    assert_eq!((method, path), (RestMethod::Delete, format!("{base}?transferToSkillId=7&transferToAgentId=1.2")));
    let (_, path, _) = carried(&update(json!([skill, out])));
    assert_eq!(path, format!("{base}?transferToSkillId=7"));
    let unassigned = update(json!([skill]));
    assert!(RestRequest::of(&unassigned, &[], &ID.into()).unwrap_err().0.contains("assigned"));
}

#[test]
fn what_is_published_has_its_type_and_audience() {
    let card = json!({"type": "vertical", "elements": []});
    let replies = json!({"type": "quickReplies"});
    for (event, expected) in [
        (
            json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hi", "quickReplies": replies}),
            json!({"type": "PLAIN_TEXT", "content": {"text": "hi"}, "messageAudience": "ALL", "quickReplies": replies}),
        ),
        (
            json!({"type": "RichContentEvent", "content": card}),
            json!({"type": "RICH_CONTENT", "content": card, "messageAudience": "ALL"}),
        ),
        (
            json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {"relativePath": "/v1/x"}}),
            json!({"type": "HOSTED_FILE", "content": {"relativePath": "/v1/x"}, "messageAudience": "ALL"}),
        ),
        (
            json!({"type": "ContentEvent", "contentType": "forms/secure-invitation", "message": {"formId": "f"}}),
            json!({"type": "SECURE_FORM_INVITATION", "content": {"formId": "f"}, "messageAudience": "ALL"}),
        ),
        (
            json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [3, 4]}),
            json!({"type": "ACKNOWLEDGEMENT", "content": {"sequenceList": [3, 4], "status": "READ"}}),
        ),
        (
            json!({"type": "ChatStateEvent", "chatState": "COMPOSING"}),
            json!({"type": "CHAT_STATE", "content": {"chatState": "COMPOSING"}}),
        ),
    ] {
        let expected = (RestMethod::Post, "/v1/conversations/c1/dialogs/d1/messages".to_owned(), expected);
        assert_eq!(carried(&publish(event, "ALL")), expected);
    }
    let private = publish(json!({"type": "ContentEvent", "message": "psst"}), "AGENTS_AND_MANAGERS");
    let metadata = [json!({"type": "ExternalId", "id": "k"})];
    let (_, _, body) = asked(&RestRequest::of(&private, &metadata, &ID.into()).unwrap());
    assert_eq!((&body["messageAudience"], &body["metadata"]), (&json!("AGENTS_AND_MANAGERS"), &json!(metadata)));
}

#[test]
fn history_and_files_have_their_paths() {
    let history = json!({"dialogId": "d1", "newerThanSequence": -1, "olderThanSequence": 9, "maxQuantity": 500});
    let history = Request::QueryMessages(serde_json::from_value(history).unwrap());
    let path = "/v1/conversations/c1/dialogs/d1/messages?limit=500&newerThanSequence=-1&olderThanSequence=9";
    assert_eq!(carried(&history), (RestMethod::Get, path.to_owned(), Value::Null));
    let upload = Request::UploadUrl(serde_json::from_value(json!({"fileSize": "12", "fileType": "PNG"})).unwrap());
    let body = json!({"fileSize": 12, "fileType": "PNG"});
    assert_eq!(carried(&upload), (RestMethod::Post, "/v1/brands/12345678/file-upload-path".to_owned(), body));
    let download = Request::DownloadUrl(serde_json::from_value(json!({"relativePath": "/v1/x"})).unwrap());
    let body = json!({"relativePath": "/v1/x"});
    assert_eq!(carried(&download), (RestMethod::Post, "/v1/brands/12345678/file-download-path".to_owned(), body));
}

#[test]
fn what_rest_has_no_row_for_is_refused() {
    let note = update(json!([{"field": "Note", "note": "x"}]));
    let takeover = json!([{"field": "ParticipantsChange", "type": "REMOVE", "role": "CONSUMER", "userId": "a"},
        {"field": "ParticipantsChange", "type": "ADD", "role": "CONSUMER", "userId": "b"}]);
    let one_consumer = json!([{"field": "ParticipantsChange", "type": "REMOVE", "role": "CONSUMER", "userId": "a"}]);
    let raw = Request::Raw { kind: ".ams.x".to_owned(), body: Value::Null };
    for request in [note, update(takeover), update(one_consumer), update(json!([])), raw] {
        assert!(RestRequest::of(&request, &[], &ID.into()).is_err(), "{request:?}");
    }
}

#[test]
fn an_answer_has_the_body_that_a_socket_would_have_brought() {
    let body = |request: &RestRequest, status: u16, body: &str| -> Option<Value> {
        answer_body(request, status, body).map(|body| serde_json::from_str(body.get()).unwrap())
    };
    let publish = RestRequest::Publish {
        place: place(),
        audience: MessageAudience::All,
        message: RestMessage::ChatState(ChatState::Active),
        metadata: Vec::new(),
    };
    let history = RestRequest::Messages { place: place(), newer_than: None, older_than: None, limit: None };
    let ttr = RestRequest::SetManualEttr { conversation: ID.into(), time: Timestamp(1) };
    assert_eq!(body(&publish, 201, r#"{"sequence":3}"#), Some(json!({"sequence": 3})));
    assert_eq!(body(&publish, 200, "fine"), None);
    assert_eq!(body(&publish, 200, "null"), None);
    assert_eq!(body(&history, 200, r#"{"messages":[{"sequence":0}]}"#), Some(json!([{"sequence": 0}])));
    for list in [json!([]), json!([{"sequence": 0}])] {
        assert_eq!(body(&history, 200, &list.to_string()), Some(list));
    }
    assert_eq!(body(&ttr, 200, r#"{"any":"thing"}"#), None);
    assert_eq!(body(&ttr, 204, ""), None);
    assert_eq!(body(&ttr, 412, "changed meanwhile"), Some(json!("changed meanwhile")));
    assert_eq!(body(&ttr, 400, r#"{"errorCode":1}"#), Some(json!({"errorCode": 1})));
}
