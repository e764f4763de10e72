//! The result of a tool: what the endpoint returned, or an error that a model can act on.

use rmcp::model::CallToolResult;
use serde_json::{Map, Value, json};

use super::interface::{Call, Failure, Unanswered};

/// The members of a problem that tell a model nothing.
const LEFT_OUT: [&str; 3] = ["type", "title", "status"];

/// What a model can do about an error, by the code of the error.
const ADVICE: &[(&str, &str)] = &[
    ("ambiguous-connection", "repeat the call with the argument connection, which is one of connections"),
    ("unknown-conversation", "list_conversations and search_conversations return the ids of conversations"),
    ("unknown-connection", "list_connections returns the ids of connections"),
    ("no-open-dialog", "the conversation is closed; to read it, give the argument dialog, as in read_conversation"),
    ("dialog-closed", "the dialog is closed; to read it, give the argument dialog, as in read_conversation"),
    ("not-permitted", "the gateway does not permit this with this token; do not repeat the call"),
    ("not-supported", "give a connection of an agent (role brand, as in list_connections) as the argument connection"),
    ("unauthenticated", "the gateway does not know the token; a person must correct it"),
    ("outcome-unknown", "repeat the call with the same arguments and this idempotencyKey: it acts at most once"),
    ("timed-out", "repeat the call with the same arguments and, if there is one, this idempotencyKey"),
    ("not-connected", "the connection has no session at the moment; try again later"),
    ("moving", "try again in a few seconds"),
    ("too-many-requests", "wait a few seconds, then try again"),
    ("too-many-at-once", "wait until other calls have ended, then try again"),
    ("overloaded", "wait a few seconds, then try again"),
    ("text-too-long", "divide the text into several messages"),
    ("answer-too-large", "ask for less with limit or maxQuantity"),
];

/// The result of a tool for the outcome of its call.
pub(super) fn result(call: &Call, outcome: Result<Value, Failure>) -> CallToolResult {
    match outcome {
        Ok(body @ Value::Object(_)) => CallToolResult::structured(body),
        Ok(_) => CallToolResult::structured(json!({})),
        Err(failure) => CallToolResult::structured_error(described(call, failure)),
    }
}

/// The result of a tool whose arguments are wrong.
pub(super) fn wrong_arguments(detail: &str) -> CallToolResult {
    CallToolResult::structured_error(error("bad-arguments", detail).into())
}

/// A failure as an object with a code, a detail, what a model can do about it, and the key of an action.
pub(super) fn described(call: &Call, failure: Failure) -> Value {
    let mut members = match failure {
        Failure::Refused { status, problem } => refused(status, problem),
        Failure::Unanswered(unanswered) => error(code(call, &unanswered), &unanswered.to_string()),
    };
    let code = members.get("code").and_then(Value::as_str).unwrap_or_default();
    let advice = ADVICE.iter().find(|(known, _)| *known == code).map(|(_, advice)| *advice);
    if let Some(advice) = advice {
        members.insert("advice".to_owned(), advice.into());
    }
    if let Some(acting) = &call.acting {
        members.insert("idempotencyKey".to_owned(), acting.key.as_str().into());
    }
    members.into()
}

fn refused(status: u16, problem: Value) -> Map<String, Value> {
    match problem {
        Value::Object(mut members) if members.contains_key("code") => {
            members.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
            members
        }
        // Not from the gateway, but for example from a proxy before it.
        _ => error("unavailable", &format!("the answer has the status {status} and is no problem of the gateway")),
    }
}

fn code(call: &Call, unanswered: &Unanswered) -> &'static str {
    match unanswered {
        Unanswered::NotSent(_) => "unavailable",
        Unanswered::NoAnswer(_) if call.acting.is_some() => "outcome-unknown",
        Unanswered::NoAnswer(_) => "timed-out",
        Unanswered::TooLarge => "answer-too-large",
    }
}

fn error(code: &str, detail: &str) -> Map<String, Value> {
    Map::from_iter([("code".to_owned(), code.into()), ("detail".to_owned(), detail.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::interface::{Acting, Answer};

    fn reading() -> Call {
        Call::reading("/v1/conversations/c")
    }

    fn acting() -> Call {
        Call { acting: Some(Acting { body: json!({}), key: "k".to_owned() }), ..reading() }
    }

    fn answered(call: &Call, status: u16, body: &Value) -> CallToolResult {
        result(call, Answer::new(status, body.to_string().as_bytes()).into_result())
    }

    #[test]
    fn a_success_is_the_body_as_text_and_as_structured_content() {
        let body = json!({ "items": [], "nextCursor": null });
        let result = answered(&reading(), 200, &body);
        assert_eq!((result.is_error, result.structured_content), (Some(false), Some(body.clone())));
        assert_eq!(result.content[0].as_text().unwrap().text, body.to_string());
        let empty = super::result(&acting(), Answer::new(204, b"").into_result());
        assert_eq!((empty.is_error, empty.structured_content), (Some(false), Some(json!({}))));
    }

    #[test]
    fn a_problem_is_an_error_of_the_tool_with_its_code_and_advice() {
        let problem = json!({
            "type": "about:blank", "title": "Conflict", "status": 409, "code": "ambiguous-connection",
            "detail": "several connections see this conversation", "connections": ["a", "b"],
        });
        let result = answered(&acting(), 409, &problem);
        let expected = json!({
            "code": "ambiguous-connection", "detail": "several connections see this conversation",
            "connections": ["a", "b"], "idempotencyKey": "k",
            "advice": "repeat the call with the argument connection, which is one of connections",
        });
        assert_eq!((result.is_error, result.structured_content), (Some(true), Some(expected)));
    }

    #[test]
    fn a_call_without_an_answer_says_whether_it_may_have_acted() {
        let lost = || Unanswered::NoAnswer("too late".to_owned());
        let code = |call: &Call, unanswered| {
            let result = result(call, Err(Failure::Unanswered(unanswered)));
            assert_eq!(result.is_error, Some(true));
            result.structured_content.unwrap()["code"].as_str().unwrap().to_owned()
        };
        assert_eq!(code(&acting(), lost()), "outcome-unknown");
        assert_eq!(code(&reading(), lost()), "timed-out");
        assert_eq!(code(&acting(), Unanswered::NotSent("refused".to_owned())), "unavailable");
        assert_eq!(code(&reading(), Unanswered::TooLarge), "answer-too-large");
    }

    #[test]
    fn an_answer_that_is_no_problem_is_an_error_all_the_same() {
        let result = answered(&reading(), 502, &json!("<html>"));
        assert_eq!(result.structured_content.unwrap()["code"], "unavailable");
    }
}
