//! Receipts.

use serde_json::json;

use super::scene::{COBROWSE, MAIN, SURVEY, Scene, agent, consumer};
use crate::{command::*, id::DialogId, ums::DeliveryStatus};

fn receipt(dialog: Option<&str>, sequences: Vec<u64>) -> Command {
    Command::AcceptStatus {
        dialog: dialog.map(DialogId::from),
        status: DeliveryStatus::Read,
        sequences,
        metadata: vec![],
    }
}

#[test]
fn a_receipt_names_its_sequences_and_may_be_repeated() {
    let planned = Scene::open().planned(&receipt(None, vec![3, 4]), &consumer());
    assert_eq!(
        serde_json::to_value(&planned.request).unwrap(),
        json!({ "conversationId": MAIN, "dialogId": MAIN, "messageAudience": "ALL",
            "event": { "type": "AcceptStatusEvent", "status": "READ", "sequenceList": [3, 4] } })
    );
    assert_eq!((planned.repeat, planned.metadata), (Repeat::Safe, vec![]));
}

#[test]
fn a_receipt_for_nothing_needs_nothing() {
    for scene in [Scene::open(), Scene::closed()] {
        assert_eq!(scene.asked(&receipt(None, vec![]), &agent()), Ok(Plan::Nothing));
    }
}

#[test]
fn closed_dialogs_take_receipts() {
    assert_eq!(Scene::survey().body(&receipt(Some(MAIN), vec![1]), &agent())["dialogId"], MAIN);
    assert_eq!(Scene::survey().body(&receipt(None, vec![1]), &agent())["dialogId"], SURVEY);
    assert_eq!(Scene::closed().body(&receipt(None, vec![1]), &agent())["dialogId"], MAIN);
}

#[test]
fn a_receipt_needs_a_dialog_with_messages() {
    assert_eq!(Scene::open().refusal(&receipt(Some("nowhere"), vec![1]), &agent()), "unknown-dialog");
    let call = Scene::open().dialog(COBROWSE, "OTHER", "COBROWSE", "OPEN");
    assert_eq!(call.refusal(&receipt(Some(COBROWSE), vec![1]), &agent()), "not-supported");
}

#[test]
fn the_metadata_of_a_click_goes_with_its_receipt_unchanged() {
    let clicked = json!({ "type": "ExternalId", "id": "y1" });
    let click = Command::AcceptStatus {
        dialog: None,
        status: DeliveryStatus::Action,
        sequences: vec![2],
        metadata: vec![clicked.clone()],
    };
    assert_eq!(Scene::open().planned(&click, &consumer()).metadata, [clicked]);
    let untyped = Command::AcceptStatus {
        dialog: None,
        status: DeliveryStatus::Action,
        sequences: vec![2],
        metadata: vec![json!({})],
    };
    assert_eq!(Scene::open().refusal(&untyped, &consumer()), "metadata-invalid");
}
