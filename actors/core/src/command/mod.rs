//! What a caller may ask of a conversation, validated, and the request it becomes.
//!
//! A [`Command`] is planned against the conversation as it is known ([`Command::requests`]): it is refused with a
//! [`CommandError`], needs nothing, or becomes one [`PlannedRequest`], which also says how its answer is read and what
//! to do when the answer never came. Whatever is asked of the connection rather than of a conversation (rings, agent
//! state, subscriptions) is a plain [`crate::ums::Request`].

mod closing;
mod effect;
mod error;
mod fields;
mod history;
mod identity;
mod isolation;
mod key;
mod limits;
mod note;
mod participation;
mod plan;
mod planning;
mod publish;
mod remedy;
mod suspicion;
#[cfg(test)]
mod tests;
mod transfer;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use error::{CommandError, Refusal};
pub use identity::Identity;
pub use isolation::Isolation;
pub use key::{KEY_CHARS, key_of};
pub use limits::Limits;
pub use note::SetAgentNote;
pub use plan::{AnswerKind, Plan, PlannedRequest, Repeat};
pub use remedy::Remedy;
pub use suspicion::{Suspicion, closed_over_content};

use crate::{
    id::{AgentId, CommandKey, DialogId, SkillId, UserId},
    time::Timestamp,
    ums::{ChatState, CloseReason, CsatStatus, DeliveryStatus, Dialect, ParticipantRole, Request, TtrType},
};

/// What a caller may ask of a conversation.
///
/// A `dialog` of `None` is the conversation's open dialog: MAIN while it is open, then the survey
/// ([CV-P2](crate::rules#cv-p2)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Command {
    /// Publishes text ([CV-F6](crate::rules#cv-f6), [CV-F7](crate::rules#cv-f7)).
    SendText(SendText),
    /// Publishes structured content ([CV-F8](crate::rules#cv-f8)).
    SendRichText(SendRichText),
    /// Tells the dialog of a file that is on the platform's storage already ([CV-F16](crate::rules#cv-f16)).
    SendFileNotice(SendFileNotice),
    /// Reads the dialog's history ([CV-F5](crate::rules#cv-f5)). Brand only.
    QueryMessages {
        /// In which dialog; a closed one is fine.
        #[serde(default)]
        dialog: Option<DialogId>,
        /// Which messages.
        range: MessageRange,
    },
    /// This connection's agent takes part ([CV-F3](crate::rules#cv-f3)). Brand only.
    Join {
        /// As what.
        role: ParticipantRole,
        /// In which dialog.
        #[serde(default)]
        dialog: Option<DialogId>,
    },
    /// This connection's agent takes part no more, in whatever role. Brand only.
    Leave {
        /// In which dialog.
        #[serde(default)]
        dialog: Option<DialogId>,
    },
    /// Moves the conversation to an agent, a skill or both ([CV-F14](crate::rules#cv-f14)). Brand only.
    Transfer {
        /// To whom, as `account.user` or as the bare user ([TR-5](crate::rules#tr-5)).
        #[serde(default)]
        agent: Option<AgentId>,
        /// To which skill.
        #[serde(default)]
        skill: Option<SkillId>,
    },
    /// Ends the conversation, and lets the survey begin where the account has one.
    Close,
    /// Ends one dialog.
    CloseDialog {
        /// Which.
        dialog: DialogId,
        /// Who ends it; this side where it is not told.
        #[serde(default)]
        by: Option<CloseReason>,
        /// Why, in words.
        #[serde(default)]
        cause: Option<String>,
    },
    /// Ends the conversation with all its dialogs, without a survey.
    CloseAtOnce,
    /// Publishes a receipt; an empty list needs nothing. Closed dialogs take receipts too.
    AcceptStatus {
        /// In which dialog; without an open one, MAIN.
        #[serde(default)]
        dialog: Option<DialogId>,
        /// What became of the messages.
        status: DeliveryStatus,
        /// Which messages.
        sequences: Vec<u64>,
        /// What goes with it, such as the metadata of an element that was clicked.
        #[serde(default)]
        metadata: Vec<Value>,
    },
    /// Publishes what this side is doing. A survey takes none.
    ChatState {
        /// In which dialog.
        #[serde(default)]
        dialog: Option<DialogId>,
        /// What.
        chat_state: ChatState,
    },
    /// Sets how soon an answer is wanted ([CV-F13](crate::rules#cv-f13)).
    SetTtr {
        /// How it is set.
        ttr_type: TtrType,
        /// In seconds; counts for [`TtrType::Custom`] only.
        #[serde(default)]
        value: u64,
    },
    /// Sets the deadline of the answer ([CV-F11](crate::rules#cv-f11)). Brand only.
    SetManualEttr {
        /// The deadline.
        time: Timestamp,
    },
    /// Gives the consumer's satisfaction ([CV-F10](crate::rules#cv-f10)). Consumer only; allowed after the end.
    SetCsat {
        /// From 0 to 5.
        rate: u8,
        /// Whether the matter was resolved.
        #[serde(default)]
        resolved: Option<bool>,
        /// How far the survey was answered.
        #[serde(default = "filled")]
        status: CsatStatus,
    },
    /// Writes one agent's note among the others ([CV-F9](crate::rules#cv-f9)). Brand only; allowed after the end until
    /// the conversation is locked ([NT-1](crate::rules#nt-1)).
    SetAgentNote(SetAgentNote),
    /// Replaces the whole note, everybody's ([CV-F12](crate::rules#cv-f12)). Brand only; allowed after the end until
    /// the conversation is locked ([NT-1](crate::rules#nt-1)).
    SetNote {
        /// The whole new text.
        note: String,
    },
    /// Gives the conversation to another identity of its consumer, as a step-up needs it ([CV-F1](crate::rules#cv-f1)).
    ConsumerTakeover {
        /// The new identity.
        new_consumer: UserId,
    },
    /// Any wire request, unchecked ([CN-F4](crate::rules#cn-f4)).
    Raw {
        /// The wire type, sent as it is.
        kind: String,
        /// The body, sent as it is.
        body: Value,
        /// The metadata, sent as it is.
        #[serde(default)]
        metadata: Vec<Value>,
    },
}

impl Command {
    /// A request of the wire as a command, so that it takes its turn among the others of its conversation
    /// ([CN-F4](crate::rules#cn-f4)). `dialect` is the connection's.
    ///
    /// # Errors
    /// Where the request cannot be written.
    pub fn of_request(request: &Request, dialect: Dialect) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_value(request)?;
        Ok(Self::Raw { kind: request.kind(dialect).to_owned(), body, metadata: Vec::new() })
    }

    /// What is asked, in a word, for events and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SendText(_) => "send-text",
            Self::SendRichText(_) => "send-rich-text",
            Self::SendFileNotice(_) => "send-file-notice",
            Self::QueryMessages { .. } => "query-messages",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Transfer { .. } => "transfer",
            Self::Close => "close",
            Self::CloseDialog { .. } => "close-dialog",
            Self::CloseAtOnce => "close-at-once",
            Self::AcceptStatus { .. } => "accept-status",
            Self::ChatState { .. } => "chat-state",
            Self::SetTtr { .. } => "set-ttr",
            Self::SetManualEttr { .. } => "set-manual-ettr",
            Self::SetCsat { .. } => "set-csat",
            Self::SetAgentNote(_) => "set-agent-note",
            Self::SetNote { .. } => "set-note",
            Self::ConsumerTakeover { .. } => "consumer-takeover",
            Self::Raw { .. } => "raw",
        }
    }

    /// The key the caller's own metadata brings: what is published is found again by it, whatever key the command was
    /// given beside it.
    #[must_use]
    pub fn own_key(&self) -> Option<CommandKey> {
        match self {
            Self::SendText(SendText { metadata, .. })
            | Self::SendRichText(SendRichText { metadata, .. })
            | Self::SendFileNotice(SendFileNotice { metadata, .. }) => key::own_key(metadata),
            _ => None,
        }
    }
}

fn filled() -> CsatStatus {
    CsatStatus::Filled
}

/// Text to publish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SendText {
    /// The text, from 1 to [`Limits::text_chars`] characters.
    pub text: String,
    /// For agents and agent managers only ([CV-F7](crate::rules#cv-f7)). Brand only.
    pub private: bool,
    /// Typed metadata.
    pub metadata: Vec<Value>,
    /// Suggested answers; a private text has none.
    pub quick_replies: Option<Value>,
    /// In which dialog.
    pub dialog: Option<DialogId>,
}

/// Structured content to publish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SendRichText {
    /// The structured content ([`crate::rich_content`]), at most [`Limits::rich_chars`] characters of JSON.
    pub content: Value,
    /// For agents and agent managers only. Brand only.
    pub private: bool,
    /// Typed metadata.
    pub metadata: Vec<Value>,
    /// Suggested answers; private content has none.
    pub quick_replies: Option<Value>,
    /// In which dialog.
    pub dialog: Option<DialogId>,
}

/// A file on the platform's storage to tell of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SendFileNotice {
    /// The file.
    pub file: HostedFile,
    /// For agents and agent managers only. Brand only.
    pub private: bool,
    /// Typed metadata.
    pub metadata: Vec<Value>,
    /// In which dialog.
    pub dialog: Option<DialogId>,
}

/// A file on the platform's storage (protocol [§5.6](crate::protocol#56)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedFile {
    /// The path the upload was given.
    pub relative_path: String,
    /// JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX or XLSX.
    pub file_type: String,
    /// What is written beside it; the platform's schema wants it, if only empty.
    #[serde(default)]
    pub caption: String,
    /// A small picture of it as a data URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

/// Which messages of a dialog. Both bounds are inclusive, unlike the wire's ([CV-F5](crate::rules#cv-f5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageRange {
    /// The first sequence wanted; from the beginning where it is not told.
    pub from: Option<u64>,
    /// The last sequence wanted; to the end where it is not told.
    pub to: Option<u64>,
    /// At most so many; as many as the platform gives where it is not told.
    pub max: Option<u64>,
}
