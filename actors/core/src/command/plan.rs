//! What becomes of a command: nothing, or one request with what its answer means and how it may be repeated.

use serde_json::Value;

use super::MessageRange;
use crate::{
    id::{CommandKey, DialogId},
    note::WrittenNote,
    ums::Request,
};

/// What a command needs of the platform.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Nothing: the command is done as it stands, such as a receipt for no messages.
    Nothing,
    /// One request.
    Request(Box<PlannedRequest>),
}

/// The request of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRequest {
    /// What is asked.
    pub request: Request,
    /// The metadata of its frame.
    pub metadata: Vec<Value>,
    /// How its answer is read.
    pub answer: AnswerKind,
    /// What to do when the connection was lost before the answer came.
    pub repeat: Repeat,
    /// The agent's note that is written, of which the answer tells nothing ([CV-F9](crate::rules#cv-f9)).
    pub note: Option<WrittenNote>,
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// By [`crate::ums::Response::published`].
    Published,
    /// By [`crate::ums::Response::changed`].
    Changed,
    /// As an array of [`crate::ums::MessageRecord`]s, of which those within the range were asked for.
    History(MessageRange),
    /// By [`crate::ums::Response::outcome`].
    Anything,
}

/// What to do with a request whose answer never came, so that it acts at most once (promise 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Look in the dialog's history, behind the sequences already known when the command was planned, for a record of
    /// one's own with this key ([`super::key_of`]); ask again only if there is none.
    Lookup {
        /// In which dialog.
        dialog_id: DialogId,
        /// Which key.
        key: CommandKey,
        /// Only records from this sequence on can be the command's.
        from: u64,
    },
    /// Ask again: twice is the same as once.
    Safe,
    /// Wait for a fresh state; ask again only if it does not show the effect ([`PlannedRequest::is_done`]).
    ReadStateThenAct,
    /// Do not ask again: what it does is unknown here. The caller is told that the outcome is unknown.
    Never,
}
