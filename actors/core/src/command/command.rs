//! The commands and their parameters.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key;
use crate::{
    id::{AgentId, CommandKey, DialogId, SkillId, UserId},
    time::Timestamp,
    ums::{ChatState, CloseReason, CsatStatus, DeliveryStatus, Dialect, ParticipantRole, Request, TtrType},
};

/// A command of a conversation.
///
/// If `dialog` is `None`, the command is for the conversation's open dialog: MAIN while it is open, then the survey
/// ([CV-P2](crate::rules#cv-p2)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Command {
    /// Publishes text ([CV-F6](crate::rules#cv-f6), [CV-F7](crate::rules#cv-f7)).
    SendText(SendText),
    /// Publishes structured content ([CV-F8](crate::rules#cv-f8)).
    SendRichText(SendRichText),
    /// Announces a file that is already on the platform's storage ([CV-F16](crate::rules#cv-f16)).
    SendFileNotice(SendFileNotice),
    /// Reads the dialog's history ([CV-F5](crate::rules#cv-f5)). Brand only.
    QueryMessages {
        /// The dialog, open or closed.
        #[serde(default)]
        dialog: Option<DialogId>,
        /// The range of messages.
        range: MessageRange,
    },
    /// Adds this connection's agent to the dialog ([CV-F3](crate::rules#cv-f3)). Brand only.
    Join {
        /// The agent's role.
        role: ParticipantRole,
        /// The dialog.
        #[serde(default)]
        dialog: Option<DialogId>,
    },
    /// Removes this connection's agent from the dialog, whatever its role. Brand only.
    Leave {
        /// The dialog.
        #[serde(default)]
        dialog: Option<DialogId>,
    },
    /// Moves the conversation to an agent, a skill or both ([CV-F14](crate::rules#cv-f14)). Brand only.
    Transfer {
        /// The target, as `account.user` or the bare user ([TR-5](crate::rules#tr-5)).
        #[serde(default)]
        agent: Option<AgentId>,
        /// The target skill.
        #[serde(default)]
        skill: Option<SkillId>,
    },
    /// Ends the conversation; the survey begins if the account has one.
    Close,
    /// Ends one dialog.
    CloseDialog {
        /// The dialog.
        dialog: DialogId,
        /// Who ends it; this side if absent.
        #[serde(default)]
        by: Option<CloseReason>,
        /// The cause, as text.
        #[serde(default)]
        cause: Option<String>,
    },
    /// Ends the conversation with all its dialogs, without a survey.
    CloseAtOnce,
    /// Publishes a receipt; with an empty list nothing is sent. Closed dialogs accept receipts too.
    AcceptStatus {
        /// The dialog; if absent and no dialog is open, MAIN.
        #[serde(default)]
        dialog: Option<DialogId>,
        /// The status of the messages.
        status: DeliveryStatus,
        /// The sequences of the messages.
        sequences: Vec<u64>,
        /// Additional metadata, such as that of a clicked element.
        #[serde(default)]
        metadata: Vec<Value>,
    },
    /// Publishes this side's chat state. Not possible in a survey.
    ChatState {
        /// The dialog.
        #[serde(default)]
        dialog: Option<DialogId>,
        /// The chat state.
        chat_state: ChatState,
    },
    /// Sets how soon a response is wanted ([CV-F13](crate::rules#cv-f13)).
    SetTtr {
        /// How it is set.
        ttr_type: TtrType,
        /// In seconds; used only for [`TtrType::Custom`].
        #[serde(default)]
        value: u64,
    },
    /// Sets the time until which a response is due ([CV-F11](crate::rules#cv-f11)). Brand only.
    SetManualEttr {
        /// The deadline.
        time: Timestamp,
    },
    /// Sets the consumer's satisfaction ([CV-F10](crate::rules#cv-f10)). Consumer only; allowed after the end.
    SetCsat {
        /// From 0 to 5.
        rate: u8,
        /// Whether the matter was resolved.
        #[serde(default)]
        resolved: Option<bool>,
        /// How far the survey was completed.
        #[serde(default = "filled")]
        status: CsatStatus,
    },
    /// Writes one agent's note among the others ([CV-F9](crate::rules#cv-f9)). Brand only; allowed after the end until
    /// the conversation is locked ([NT-1](crate::rules#nt-1)).
    SetAgentNote(SetAgentNote),
    /// Replaces the whole note, including other agents' notes ([CV-F12](crate::rules#cv-f12)). Brand only; allowed
    /// after the end until the conversation is locked ([NT-1](crate::rules#nt-1)).
    SetNote {
        /// The whole new text.
        note: String,
    },
    /// Gives the conversation to another identity of its consumer, as a step-up needs it ([CV-F1](crate::rules#cv-f1)).
    ConsumerTakeover {
        /// The new identity.
        new_consumer: UserId,
    },
    /// Any request of the protocol, unchecked ([CN-F4](crate::rules#cn-f4)).
    Raw {
        /// The request's type, sent as it is.
        kind: String,
        /// The body, sent as it is.
        body: Value,
        /// The metadata, sent as it is.
        #[serde(default)]
        metadata: Vec<Value>,
    },
}

impl Command {
    /// Returns a typed request as a command, so that it queues with the other commands of its conversation
    /// ([CN-F4](crate::rules#cn-f4)). `dialect` is the connection's dialect.
    ///
    /// # Errors
    /// The request cannot be serialized.
    pub fn of_request(request: &Request, dialect: Dialect) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_value(request)?;
        Ok(Self::Raw { kind: request.kind(dialect).to_owned(), body, metadata: Vec::new() })
    }

    /// The kind of the command in one word, for events and logs.
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

    /// Returns the key in the caller's own metadata. If present, it replaces the command's key, because the published
    /// event is found again by it.
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
    /// The text, from 1 to [`Limits::text_chars`](crate::command::Limits::text_chars) characters.
    pub text: String,
    /// For agents and agent managers only ([CV-F7](crate::rules#cv-f7)). Brand only.
    pub private: bool,
    /// Typed metadata.
    pub metadata: Vec<Value>,
    /// Suggested replies; not allowed in a private text.
    pub quick_replies: Option<Value>,
    /// The dialog.
    pub dialog: Option<DialogId>,
}

/// Structured content to publish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SendRichText {
    /// The structured content ([`crate::rich_content`]), at most
    /// [`Limits::rich_chars`](crate::command::Limits::rich_chars) characters of JSON.
    pub content: Value,
    /// For agents and agent managers only. Brand only.
    pub private: bool,
    /// Typed metadata.
    pub metadata: Vec<Value>,
    /// Suggested replies; not allowed in private content.
    pub quick_replies: Option<Value>,
    /// The dialog.
    pub dialog: Option<DialogId>,
}

/// A file on the platform's storage to announce.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SendFileNotice {
    /// The file.
    pub file: HostedFile,
    /// For agents and agent managers only. Brand only.
    pub private: bool,
    /// Typed metadata.
    pub metadata: Vec<Value>,
    /// The dialog.
    pub dialog: Option<DialogId>,
}

/// A file on the platform's storage (protocol [§5.6](crate::protocol#56)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedFile {
    /// The path that the upload returned.
    pub relative_path: String,
    /// JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX or XLSX.
    pub file_type: String,
    /// The text shown with the file; required by the platform's schema, even if empty.
    #[serde(default)]
    pub caption: String,
    /// A small picture of it as a data URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

/// A range of messages in a dialog. Both bounds are inclusive, unlike the protocol's ([CV-F5](crate::rules#cv-f5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageRange {
    /// The first sequence; from the beginning if absent.
    pub from: Option<u64>,
    /// The last sequence; to the end if absent.
    pub to: Option<u64>,
    /// The most messages; as many as the platform returns if absent.
    pub max: Option<u64>,
}

/// The note of one agent, to be written among the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAgentNote {
    /// The text.
    pub note_content: String,
    /// The time of the note. Given by the caller, so that a repeated command writes the same note.
    pub time: Timestamp,
    /// The author; this connection's agent if absent ([NT-5](crate::rules#nt-5)).
    #[serde(default)]
    pub agent_id: Option<AgentId>,
    /// The author's name as shown to others; this connection's agent's name if absent ([NT-5](crate::rules#nt-5)).
    #[serde(default)]
    pub name: Option<String>,
    /// The id of the note. A note with this id is replaced; otherwise a new note is added
    /// ([NT-3](crate::rules#nt-3)). If absent, the id is made of agent and time ([NT-4](crate::rules#nt-4)).
    #[serde(default)]
    pub note_id: Option<String>,
    /// Whether a machine wrote it.
    #[serde(default)]
    pub is_auto_summary: bool,
    /// Whether the text may be truncated to fit ([NT-6](crate::rules#nt-6)).
    #[serde(default = "yes")]
    pub truncate_enabled: bool,
}

fn yes() -> bool {
    true
}

impl SetAgentNote {
    /// Returns a new note of this connection's agent that may be truncated.
    #[must_use]
    pub fn new(note_content: String, time: Timestamp) -> Self {
        let (agent_id, name, note_id) = (None, None, None);
        Self { note_content, time, agent_id, name, note_id, is_auto_summary: false, truncate_enabled: true }
    }
}
