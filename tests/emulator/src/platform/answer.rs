//! What the platform says to a request: an answer or a refusal, and the frames that leave with it.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::names::SocketId;
use super::record::json;
use crate::dialect::{Dialect, Operation, response_frame};

/// What kind of frame leaves; faults treat kinds differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Answer,
    /// First notification of a subscription: never in the same read as its answer (protocol
    /// [§5.2](crate::protocol#52)).
    Snapshot,
    ConversationUpsert,
    ConversationDelete,
    Message,
    Routing,
}

/// One frame for one socket, in the order in which the platform decided.
#[derive(Debug, Clone)]
pub(crate) struct Emission {
    pub(crate) socket: SocketId,
    pub(crate) kind: FrameKind,
    pub(crate) text: Bytes,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    code: u16,
    /// JSON text.
    body: String,
    is_string: bool,
}

impl Answer {
    /// 200 with one of the texts some clients compare exactly.
    pub(crate) fn text(text: &str) -> Self {
        Self { code: 200, body: json(&text), is_string: true }
    }

    /// 202 with a text.
    pub(crate) fn accepted(text: &str) -> Self {
        Self { code: 202, ..Self::text(text) }
    }

    /// 200 with a body.
    pub(crate) fn body(body: &impl Serialize) -> Self {
        Self::raw(json(body))
    }

    /// 200 with a body that is JSON text already.
    pub(crate) fn raw(body: String) -> Self {
        Self { code: 200, body, is_string: false }
    }

    /// The body as JSON text, a plain text as the Send API wraps it (protocol [§10.3](crate::protocol#103)).
    pub(crate) fn send_api_body(&self) -> String {
        if self.is_string { format!(r#"{{"msg":{}}}"#, self.body) } else { self.body.clone() }
    }

    pub(crate) fn frame(&self, request_id: &str, operation: Operation, dialect: Dialect) -> String {
        let type_name = if self.is_string { dialect.string_response() } else { operation.response_type(dialect) };
        response_frame(request_id, self.code, type_name, &self.body)
    }
}

/// An error answer; always the string form, which every known client understands (protocol [§4.5](crate::protocol#45)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    /// At most 128 characters.
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into().chars().take(128).collect() }
    }

    /// What is said with a code that a fault asks for.
    pub(crate) fn by_rule(code: u16) -> Self {
        let text = match code {
            401 => "Unauthorized",
            403 => "Forbidden",
            429 => "Too many requests",
            _ => "Server error",
        };
        Self::new(code, text)
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::new(400, text)
    }

    pub(crate) fn unknown_conversation() -> Self {
        Self::new(404, "Conversation not found")
    }

    pub(crate) fn frame(&self, request_id: &str, dialect: Dialect) -> String {
        response_frame(request_id, self.code, dialect.string_response(), &Value::from(self.text.as_str()).to_string())
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(_: serde_json::Error) -> Self {
        Self::bad("Malformed request body")
    }
}
