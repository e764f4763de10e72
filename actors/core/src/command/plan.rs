//! The plan of a command: nothing, or one request with the meaning of its response and the way to repeat it.

use serde_json::Value;

use super::MessageRange;
use crate::{
    id::{CommandKey, DialogId},
    note::WrittenNote,
    ums::Request,
};

/// What a command must send to the platform.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Nothing: the command is already done, such as a receipt for no messages.
    Nothing,
    /// One request.
    Request(Box<PlannedRequest>),
}

/// The request of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRequest {
    /// The request.
    pub request: Request,
    /// The metadata of its frame.
    pub metadata: Vec<Value>,
    /// How to read the response.
    pub answer: AnswerKind,
    /// What to do if the connection was lost before the response came.
    pub repeat: Repeat,
    /// The note that the request writes, which the response does not contain ([CV-F9](crate::rules#cv-f9)).
    pub note: Option<WrittenNote>,
}

/// How to read a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// By [`crate::ums::Response::published`].
    Published,
    /// By [`crate::ums::Response::changed`].
    Changed,
    /// As an array of [`crate::ums::MessageRecord`]s; those within the range were requested.
    History(MessageRange),
    /// By [`crate::ums::Response::outcome`].
    Anything,
}

/// What to do with a request whose response never came, so that it has its effect at most once (promise 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Search the dialog's history, after the sequences known when the command was planned, for an own record with this
    /// key ([`super::key_of`]). Repeat the request only if there is no such record.
    Lookup {
        /// The dialog.
        dialog_id: DialogId,
        /// The key.
        key: CommandKey,
        /// The first sequence that the command's record can have.
        from: u64,
    },
    /// Repeat the request: its effect is the same once or twice.
    Safe,
    /// Wait for a fresh state; repeat the request only if the state does not show its effect
    /// ([`PlannedRequest::is_done`]).
    ReadStateThenAct,
    /// Do not repeat the request, because its effect is unknown. The caller learns that the outcome is unknown.
    Never,
}
