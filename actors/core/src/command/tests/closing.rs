//! The ends of conversations and dialogs.

use serde_json::json;

use super::scene::{COBROWSE, MAIN, SURVEY, Scene, agent, consumer};
use crate::{command::*, id::DialogId, ums::CloseReason};

fn dialog(id: &str) -> Command {
    Command::CloseDialog { dialog: DialogId::from(id), by: None, cause: None }
}

#[test]
fn close_ends_main_so_that_a_survey_can_begin() {
    for (side, by) in [(agent(), "AGENT"), (consumer(), "CONSUMER")] {
        assert_eq!(
            Scene::open().changes(&Command::Close, &side),
            json!([{ "field": "DialogChange", "type": "UPDATE",
                "dialog": { "dialogId": MAIN, "state": "CLOSE", "closedBy": by } }])
        );
    }
}

#[test]
fn close_at_once_ends_all_dialogs_without_a_survey() {
    for scene in [Scene::open(), Scene::survey()] {
        assert_eq!(
            scene.changes(&Command::CloseAtOnce, &agent()),
            json!([{ "field": "Stage", "conversationState": "CLOSE" }])
        );
    }
    assert_eq!(Scene::closed().refusal(&Command::CloseAtOnce, &agent()), "no-open-dialog");
}

#[test]
fn a_dialog_is_closed_by_whom_and_why_the_caller_says() {
    let command = Command::CloseDialog {
        dialog: DialogId::from(SURVEY),
        by: Some(CloseReason::System),
        cause: Some("Completed".to_owned()),
    };
    assert_eq!(
        Scene::survey().changes(&command, &agent())[0]["dialog"],
        json!({ "dialogId": SURVEY, "state": "CLOSE", "closedBy": "SYSTEM", "closedCause": "Completed" })
    );
}

#[test]
fn a_call_can_be_closed_like_any_dialog() {
    let call = Scene::open().dialog(COBROWSE, "OTHER", "COBROWSE", "OPEN");
    assert_eq!(call.changes(&dialog(COBROWSE), &agent())[0]["dialog"]["dialogId"], COBROWSE);
}

#[test]
fn what_is_closed_or_unknown_cannot_be_closed() {
    assert_eq!(Scene::survey().refusal(&Command::Close, &agent()), "dialog-closed");
    assert_eq!(Scene::survey().refusal(&dialog(MAIN), &agent()), "dialog-closed");
    assert_eq!(Scene::closed().refusal(&Command::Close, &agent()), "dialog-closed");
    assert_eq!(Scene::open().refusal(&dialog("nowhere"), &agent()), "unknown-dialog");
}

#[test]
fn ends_are_not_repeated_before_the_state_is_read() {
    for command in [Command::Close, Command::CloseAtOnce, dialog(MAIN)] {
        let planned = Scene::open().planned(&command, &agent());
        assert_eq!((planned.answer, planned.repeat), (AnswerKind::Changed, Repeat::ReadStateThenAct));
    }
}
