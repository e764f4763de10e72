//! What is a refusal, and in whose words (§4.5, ER-3).

use serde_json::json;

use crate::{id::LONGEST_ID, ums::*};

fn response(text: &str) -> Response<'_> {
    match Frame::decode(text).unwrap() {
        Frame::Response(response) => response,
        Frame::Notification(_) => panic!("not a response"),
    }
}

fn refused(code: u16, text: &str) -> AnswerError {
    AnswerError::Refused { code, text: text.to_owned() }
}

#[test]
fn codes_up_to_399_are_successes() {
    let accepted = r#"{"kind":"resp","reqId":"3","code":202,"body":"Agent state updated successfully","type":"x"}"#;
    assert!(response(accepted).outcome().is_ok());
    let refusal = response(r#"{"kind":"resp","reqId":"3","code":400,"body":"no"}"#);
    assert_eq!(refusal.outcome().unwrap_err(), refused(400, "no"));
}

#[test]
fn a_refusal_in_words_keeps_them() {
    let text = r#"{"kind":"resp","reqId":"5","code":400,"body":"Agent does not exist in conversation","type":".ReqBody$StringResp"}"#;
    assert_eq!(response(text).published().unwrap_err(), refused(400, "Agent does not exist in conversation"));
}

#[test]
fn a_structured_refusal_is_shown_by_code_title_and_details() {
    let text = r#"{"kind":"resp","code":401,"body":{"title":"Invalid","details":"expired","errorCode":40102},"type":".ReqBody$ErrorResp"}"#;
    let response = response(text);
    assert!(response.request_id.is_none());
    assert_eq!(response.outcome().unwrap_err(), refused(401, "40102 Invalid expired"));
}

#[test]
fn a_refusal_of_any_other_shape_is_shown_as_it_is() {
    assert_eq!(
        response(r#"{"kind":"resp","reqId":1,"code":500,"body":{"reason":[1]}}"#).outcome().unwrap_err(),
        refused(500, r#"{"reason":[1]}"#)
    );
    assert_eq!(response(r#"{"kind":"resp","reqId":1,"code":500}"#).outcome().unwrap_err(), refused(500, ""));
}

#[test]
fn the_words_of_a_refusal_are_cut() {
    let text = format!(r#"{{"kind":"resp","reqId":1,"code":400,"body":"{}"}}"#, "ä".repeat(1000));
    let AnswerError::Refused { text, .. } = response(&text).outcome().unwrap_err() else { panic!("not a refusal") };
    assert_eq!(text, "ä".repeat(256));
}

#[test]
fn only_throttling_and_the_platforms_own_trouble_are_transient() {
    for (code, transient) in [(400, false), (401, false), (404, false), (429, true), (500, true), (503, true)] {
        assert_eq!(refused(code, "").is_transient(), transient, "{code}");
    }
}

#[test]
fn er_3_a_change_succeeds_only_in_the_words_of_a_success() {
    let answer =
        |body: &str| format!(r#"{{"kind":"resp","reqId":"1","code":200,"type":".ReqBody$StringResp","body":{body}}}"#);
    let successes = [
        "OK Conversation resolved successfully",
        "OK Agent added successfully",
        "OK Agent removed successfully",
        "Skill changed successfully",
        "OK Update note success",
        "Update TTR ended successfully",
        "Update manual Ettr ended successfully",
        "OK CSAT processed successfully",
        "",
    ];
    for text in successes {
        assert_eq!(response(&answer(&format!("{text:?}"))).changed(), Ok(()), "{text}");
    }
    for text in ["Agent already exists in conversation", "OK", "change was unsuccessful"] {
        let error = response(&answer(&format!("{text:?}"))).changed().unwrap_err();
        assert_eq!(error, refused(200, text));
    }
}

#[test]
fn er_3_the_send_api_says_the_same_in_an_object() {
    assert_eq!(response(r#"{"code":"OK","body":{"msg":"OK Agent added successfully"},"reqId":"1"}"#).changed(), Ok(()));
    let failure = response(r#"{"code":"OK","body":{"msg":"No such conversation"},"reqId":"1"}"#).changed();
    assert_eq!(failure, Err(refused(200, "No such conversation")));
    assert_eq!(response(r#"{"code":"OK","body":{"sequence":3},"reqId":"1"}"#).changed(), Ok(()));
}

#[test]
fn a_new_conversation_without_an_id_is_an_unexpected_answer() {
    let text = r#"{"kind":"resp","reqId":"1","code":200,"type":"StringResponse","body":"Skill does not exist"}"#;
    assert!(matches!(response(text).conversation_created(), Err(AnswerError::Unexpected(_))));
    let created = |length| {
        let body = json!({ "conversationId": "c".repeat(length) });
        let text = json!({ "kind": "resp", "reqId": "1", "code": 200, "body": body }).to_string();
        response(&text).conversation_created()
    };
    assert!(created(LONGEST_ID).is_ok());
    assert!(matches!(created(LONGEST_ID + 1), Err(AnswerError::Unexpected(_))), "its records could not be stored");
    assert!(matches!(
        response(r#"{"kind":"resp","reqId":"1","code":200}"#).subscribed(),
        Err(AnswerError::Unexpected(_))
    ));
}

#[test]
fn a_frame_of_another_kind_is_an_error_that_names_it() {
    for (text, expected) in
        [(r#"{"kind":"ping"}"#, "ping"), (r#"{"type":"x","body":{}}"#, ""), (r#"{"kind":"req"}"#, "req")]
    {
        let error = Frame::decode(text).unwrap_err();
        assert!(matches!(&error, FrameError::UnknownKind { kind } if kind == expected), "{error}");
    }
}

#[test]
fn a_known_notification_of_another_shape_is_an_error_that_names_it() {
    let text = r#"{"kind":"notification","type":"ms.MessagingEventNotification","body":{"changes":[{"sequence":1}]}}"#;
    let error = Frame::decode(text).unwrap_err();
    assert!(
        matches!(&error, FrameError::MalformedBody { kind, .. } if kind == "ms.MessagingEventNotification"),
        "{error}"
    );
}
