//! What is published where, for whom (CV-F6, CV-F7, CV-F8, CV-F16, CV-P1, CV-P2).

use serde_json::{Value, json};

use super::scene::{COBROWSE, MAIN, SURVEY, Scene, agent, consumer, planned_of};
use crate::{
    command::*,
    conversation::{Conversation, HistoryStart},
    id::DialogId,
    ums::{ChatState, DeliveryStatus, Dialect},
};

pub(super) fn text(text: &str) -> SendText {
    SendText { text: text.to_owned(), ..SendText::default() }
}

fn rich() -> SendRichText {
    SendRichText { content: json!({ "type": "vertical", "elements": [] }), ..SendRichText::default() }
}

fn replies() -> Value {
    json!({ "type": "quickReplies", "itemsPerRow": 1, "replies": [{ "type": "button", "title": "Yes" }] })
}

fn file() -> SendFileNotice {
    let file =
        HostedFile { relative_path: "/v1/a.PNG".to_owned(), file_type: "PNG".to_owned(), ..HostedFile::default() };
    SendFileNotice { file, ..SendFileNotice::default() }
}

fn sends() -> [Command; 3] {
    [Command::SendText(text("hi")), Command::SendRichText(rich()), Command::SendFileNotice(file())]
}

fn typing() -> Command {
    Command::ChatState { dialog: None, chat_state: ChatState::Composing }
}

fn in_dialog(dialog: &str) -> Command {
    Command::SendText(SendText { dialog: Some(DialogId::from(dialog)), ..text("hi") })
}

#[test]
fn cv_f6_text_is_published_to_all() {
    let replies = replies();
    let command = Command::SendText(SendText { quick_replies: Some(replies.clone()), ..text("hello") });
    for side in [agent(), consumer()] {
        let planned = Scene::open().planned(&command, &side);
        assert_eq!(
            serde_json::to_value(&planned.request).unwrap(),
            json!({ "conversationId": MAIN, "dialogId": MAIN, "messageAudience": "ALL", "event":
                { "type": "ContentEvent", "contentType": "text/plain", "message": "hello", "quickReplies": replies } })
        );
        assert_eq!(planned.answer, AnswerKind::Published);
    }
}

#[test]
fn cv_f6_an_empty_text_is_refused() {
    assert_eq!(Scene::open().refusal(&Command::SendText(text("")), &agent()), "text-empty");
    let private = Command::SendText(SendText { private: true, ..text("") });
    assert_eq!(Scene::open().refusal(&private, &agent()), "text-empty");
}

#[test]
fn cv_f7_private_text_is_for_agents_and_managers() {
    let command = Command::SendText(SendText { private: true, ..text("psst") });
    assert_eq!(Scene::open().body(&command, &agent())["messageAudience"], "AGENTS_AND_MANAGERS");
}

#[test]
fn cv_f7_only_agents_send_in_private() {
    let commands = [
        Command::SendText(SendText { private: true, ..text("psst") }),
        Command::SendRichText(SendRichText { private: true, ..rich() }),
        Command::SendFileNotice(SendFileNotice { private: true, ..file() }),
    ];
    for command in commands {
        assert_eq!(Scene::open().refusal(&command, &consumer()), "not-supported");
        assert!(Scene::open().asked(&command, &agent()).is_ok());
    }
}

#[test]
fn cv_f7_private_text_has_no_quick_replies() {
    let command = SendText { private: true, quick_replies: Some(replies()), ..text("psst") };
    assert_eq!(Scene::open().refusal(&Command::SendText(command), &agent()), "not-supported");
}

#[test]
fn cv_f8_structured_content_is_published_to_all() {
    let command = SendRichText { quick_replies: Some(replies()), ..rich() };
    let body = Scene::open().body(&Command::SendRichText(command), &agent());
    assert_eq!(
        body["event"],
        json!({ "type": "RichContentEvent", "content": { "type": "vertical", "elements": [] },
            "quickReplies": replies() })
    );
    assert_eq!(body["messageAudience"], "ALL");
}

#[test]
fn cv_f8_content_that_closes_the_socket_is_refused() {
    for content in [
        Value::Null,
        json!("card"),
        json!([{ "type": "vertical" }]),
        json!({}),
        json!({ "type": "" }),
        json!({ "type": 7 }),
    ] {
        let command = Command::SendRichText(SendRichText { content, ..SendRichText::default() });
        assert_eq!(Scene::open().refusal(&command, &agent()), "rich-text-invalid");
    }
}

#[test]
fn cv_f6_cv_f8_a_refusal_names_the_value_that_breaks_a_rule() {
    let link = json!({ "type": "link", "uri": "no uri" });
    let content = json!({ "type": "vertical", "elements": [
        { "type": "text", "text": "Product" },
        { "type": "button", "title": "Buy", "click": { "actions": [link] } },
    ] });
    let card = SendRichText { content, ..SendRichText::default() };
    let mut many = replies();
    many["replies"] = vec![json!({ "title": "Yes" }); 25].into();
    let quick = SendText { quick_replies: Some(many), ..text("?") };
    let reason = json!({ "type": "ActionReason", "reason": 7 });
    let with_metadata = SendText { metadata: vec![json!({ "type": "Survey" }), reason], ..text("hi") };
    for (command, code, detail) in [
        (Command::SendRichText(card), "rich-text-invalid", "elements[1].click.actions[0].uri: must be a URI"),
        (Command::SendText(quick), "quick-replies-invalid", "replies: has 25 entries, from 1 to 24 are allowed"),
        (Command::SendText(with_metadata), "metadata-invalid", "entry 1 is invalid: reason: must be a text"),
    ] {
        let error = Scene::open().asked(&command, &agent()).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().ends_with(detail), "{error}");
    }
}

#[test]
fn cv_f16_a_file_notice_has_path_type_and_caption() {
    let body = Scene::open().body(&Command::SendFileNotice(file()), &consumer());
    assert_eq!(
        body["event"],
        json!({ "type": "ContentEvent", "contentType": "hosted/file",
            "message": { "relativePath": "/v1/a.PNG", "fileType": "PNG", "caption": "" } })
    );
    let nothing = Command::SendFileNotice(SendFileNotice::default());
    assert_eq!(Scene::open().refusal(&nothing, &agent()), "file-incomplete");
}

#[test]
fn cv_p1_without_an_open_dialog_nothing_is_published() {
    for command in sends().into_iter().chain([typing()]) {
        assert_eq!(Scene::closed().refusal(&command, &agent()), "no-open-dialog");
    }
}

#[test]
fn cv_p2_messages_go_to_main_although_a_call_began_later() {
    let call = Scene::open().dialog(COBROWSE, "OTHER", "COBROWSE", "OPEN");
    for command in sends().into_iter().chain([typing()]) {
        assert_eq!(call.body(&command, &agent())["dialogId"], MAIN);
    }
    assert_eq!(call.refusal(&in_dialog(COBROWSE), &agent()), "not-supported");
}

#[test]
fn cv_p2_messages_go_to_the_survey_when_main_has_ended() {
    for command in sends() {
        let body = Scene::survey().body(&command, &consumer());
        assert_eq!((&body["dialogId"], &body["conversationId"]), (&json!(SURVEY), &json!(MAIN)));
    }
}

#[test]
fn cv_p2_messages_go_to_the_dialog_that_is_named() {
    let both = Scene::open().dialog(SURVEY, "POST_SURVEY", "MESSAGING", "OPEN");
    assert_eq!(both.body(&in_dialog(SURVEY), &agent())["dialogId"], SURVEY);
    assert_eq!(Scene::survey().refusal(&in_dialog(MAIN), &agent()), "dialog-closed");
    assert_eq!(Scene::closed().refusal(&in_dialog(MAIN), &agent()), "dialog-closed");
    assert_eq!(Scene::open().refusal(&in_dialog("nowhere"), &agent()), "unknown-dialog");
}

#[test]
fn cv_i1_one_may_write_before_the_first_state() {
    let unknown = Conversation::new(MAIN.into(), Dialect::Consumer, HistoryStart::Beginning);
    let planned = planned_of(&unknown, &Command::SendText(text("first")), &consumer());
    assert_eq!(serde_json::to_value(planned.request).unwrap()["dialogId"], MAIN);
}

#[test]
fn a_survey_takes_no_chat_states() {
    assert_eq!(Scene::survey().refusal(&typing(), &consumer()), "not-supported");
}

#[test]
fn conversation_dialog_and_audience_go_with_every_kind_of_event() {
    let read =
        Command::AcceptStatus { dialog: None, status: DeliveryStatus::Read, sequences: vec![0], metadata: vec![] };
    for command in sends().into_iter().chain([typing(), read]) {
        let body = Scene::open().body(&command, &agent());
        for member in ["conversationId", "dialogId", "messageAudience"] {
            assert!(body[member].is_string(), "{member} of {command:?}");
        }
    }
}

#[test]
fn a_send_is_looked_up_before_it_is_repeated_and_typing_may_be_repeated() {
    for command in sends() {
        let lookup = Repeat::Lookup { dialog_id: DialogId::from(MAIN), key: "key-1".into(), from: 0 };
        assert_eq!(Scene::open().planned(&command, &agent()).repeat, lookup);
    }
    assert_eq!(Scene::open().planned(&typing(), &agent()).repeat, Repeat::Safe);
}

/// Protocol §9.4: the answer says 0, which is the place of another record.
#[test]
fn the_answer_to_a_chat_state_tells_no_sequence() {
    assert_eq!(Scene::open().planned(&typing(), &agent()).answer, AnswerKind::Anything);
}
