//! No input panics (promise 7).

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use super::{generate, generate_requests};
use crate::ums::*;

/// Reads everything that can be read of a frame.
fn read_all(text: &str) {
    let _ = RequestFrame::decode(text);
    let _ =
        serde_json::from_str::<ConversationState<'_>>(text).map(|state| state.conversation_details.map(|d| d.people()));
    let Ok(frame) = Frame::decode(text) else { return };
    match frame {
        Frame::Response(response) => {
            let _ = (response.subscribed(), response.conversation_created(), response.published());
            let _ = (response.changed(), response.signed_url(), response.outcome());
        }
        Frame::Notification(Notification::Conversations(body)) => {
            for change in &body.changes {
                let _ = change.conversation_id();
                let state = change.result.map(|raw| serde_json::from_str::<ConversationState<'_>>(raw.get()));
                let _ = state.and_then(Result::ok).and_then(|state| state.conversation_details).map(|d| d.people());
            }
        }
        Frame::Notification(Notification::Messages(messages)) => {
            for record in &messages.records {
                let _ = (record.originator_user_id(), record.originator_role());
            }
        }
        Frame::Notification(_) => {}
    }
}

const NOTIFICATIONS: [&str; 8] = [
    ".ams.aam.ExConversationChangeNotification",
    "cqm.ExConversationChangeNotification",
    ".ams.ms.OnlineEventDistribution",
    "ms.MessagingEventNotification",
    ".ams.routing.RoutingTaskNotification",
    "rs.RoutingTaskNotification",
    ".ams.routing.AgentStateNotification",
    "not.InventedYetNotification",
];

fn notification() -> impl Strategy<Value = String> {
    let body = prop_oneof![
        generate::state(Dialect::Brand).prop_map(|state| json!({ "changes": [{ "type": "UPSERT", "result": state }] })),
        generate::state(Dialect::Consumer)
            .prop_map(|state| json!({ "changes": { "type": "DELETE", "result": state } })),
        generate::record().prop_map(|record| json!(record)),
        generate::record().prop_map(|record| json!({ "dialogId": 7, "changes": [record] })),
        generate::routing_task().prop_map(|task| json!({ "changes": [{ "type": "UPSERT", "result": task }] })),
        generate::tree(),
    ];
    (prop::sample::select(NOTIFICATIONS.to_vec()), body)
        .prop_map(|(kind, body)| json!({ "kind": "notification", "type": kind, "body": body }).to_string())
}

/// The tree with the value at one place replaced.
fn replaced(tree: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *tree = with.clone();
    }
    *at = at.wrapping_sub(1);
    match tree {
        Value::Array(elements) => elements.iter_mut().for_each(|element| replaced(element, at, with)),
        Value::Object(members) => members.values_mut().for_each(|member| replaced(member, at, with)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_text_is_decoded_without_panic(text in any::<String>()) {
        read_all(&text);
    }

    #[test]
    fn any_json_is_decoded_without_panic(tree in generate::tree(), kind in "resp|notification|req|") {
        read_all(&tree.to_string());
        read_all(&json!({ "kind": kind, "reqId": tree, "code": 200, "body": tree }).to_string());
        read_all(&json!({ "kind": kind, "reqId": 1, "code": tree, "body": tree }).to_string());
    }

    #[test]
    fn a_frame_with_wrong_bytes_is_decoded_without_panic(
        text in notification(), changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8), end in any::<Index>(),
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        read_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_frame_with_a_wrong_value_is_decoded_without_panic(
        text in notification(), at in 0..200_usize, with in generate::tree(),
    ) {
        let mut tree = serde_json::from_str(&text).unwrap();
        replaced(&mut tree, &mut { at }, &with);
        read_all(&tree.to_string());
    }

    #[test]
    fn a_request_with_a_wrong_value_is_decoded_without_panic(
        frame in generate_requests::frame(), at in 0..60_usize, with in generate::tree(),
    ) {
        let mut tree = serde_json::from_str(&frame.encode(Dialect::Brand).unwrap()).unwrap();
        replaced(&mut tree, &mut { at }, &with);
        read_all(&tree.to_string());
    }
}

#[test]
fn a_frame_that_nests_without_end_is_an_error_or_kept_raw() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    read_all(&deep);
    for kind in NOTIFICATIONS {
        read_all(&format!(r#"{{"kind":"notification","type":"{kind}","body":{deep}}}"#));
        read_all(&format!(
            r#"{{"kind":"notification","type":"{kind}","body":{{"changes":[{{"type":"UPSERT","result":{deep}}}]}}}}"#
        ));
    }
    let text = format!(r#"{{"kind":"resp","reqId":"1","code":400,"body":{deep}}}"#);
    read_all(&text);
    let Ok(Frame::Response(response)) = Frame::decode(&text) else { panic!("not a response") };
    let body = response.body.unwrap();
    assert!(body.to_value().is_null());
    let other = Json::from(serde_json::value::RawValue::from_string("[".repeat(500) + &"]".repeat(500)).unwrap());
    assert_ne!(body, other, "what cannot be compared is not equal");
}
